#!/usr/bin/python3
"""One route changes, among many that do not: how long until the ToR logs the update?

Measured is the time from the call of the library, or from the start of the other way's process, to the update. Beside it
stands zebra's own floor: how long it takes zebra to confirm the change to a raw client, without any of BGP's part.
"""
from __future__ import annotations

import argparse
import random
import time
from typing import Callable

from common import (Client, Figures, Shell, address, figures_line, figures_ratio, print_heading, reload, route,
                    vtysh_route, wait_received, wait_update)
from lab import NODE_AS, RELEASES, Lab

KINDS = {'announce': 'add', 'withdraw': 'del'}


def pause() -> None:
    """So that no timer of FRR is met at the same point each time."""
    time.sleep(random.uniform(0.02, 0.06))


def at_tor(lab: Lab, indices: list[int], change: Callable[[int, str], float]) -> Figures:
    """change(i, verb) starts it and says when it began."""
    figures: Figures = {'announce': [], 'withdraw': []}
    for i in indices:
        for kind, verb in KINDS.items():
            pause()
            begun = change(i, verb)
            figures[kind].append(wait_update(lab, begun, kind, f'{address(i)}/32') - begun)
    return figures


def by_client(lab: Lab, kind: str, word: str, n: int, changes: int) -> tuple[Figures, Figures]:
    """At the ToR, and confirmed by zebra."""
    confirmed: Figures = {'announce': [], 'withdraw': []}

    def change(i: int, verb: str) -> float:
        begun, seconds, _ = client.do(f'{verb} {i} 1')
        confirmed['announce' if verb == 'add' else 'withdraw'].append(seconds)
        return begun

    with Client(lab.node, kind, word) as client:
        client.do(f'add 0 {n}')
        wait_received(lab, n)
        found = at_tor(lab, [n + i for i in range(changes)], change)
        client.do(f'del 0 {n}')
        wait_received(lab, 0)
    return found, confirmed


def by_shell(lab: Lab, n: int, changes: int, command: Callable[[int, bool], str]) -> Figures:
    """One process of FRR's own for each change."""
    def change(i: int, verb: str) -> float:
        line = command(i, verb == 'del')
        begun = time.time()
        shell.do([line])
        return begun

    with Client(lab.node, 'ours', 'openfabric') as client, Shell(lab.node) as shell:
        client.do(f'add 0 {n}')
        wait_received(lab, n)
        return at_tor(lab, [n + i for i in range(changes)], change)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--release', default='8.4', choices=RELEASES, help="the node's FRR (default: %(default)s)")
    parser.add_argument('--changes', type=int, default=1000, help='of each kind, by the clients (default: %(default)s)')
    parser.add_argument('--few', type=int, default=30, help='of each kind, by the other ways (default: %(default)s)')
    parser.add_argument('--routes', type=int, default=100, help='announced meanwhile (default: %(default)s)')
    arguments = parser.parse_args()
    n, changes, few = arguments.routes, arguments.changes, arguments.few
    with Lab(arguments.release, operator_routes=False) as lab:
        lab.node.configure(f'router bgp {NODE_AS}', 'address-family ipv4 unicast', 'redistribute openfabric route-map SVC')
        rows: dict[str, Figures] = {}
        for word in ('openfabric', 'static'):
            rows[f'cosmolet, {word}'], rows[f'cosmolet, {word}: zebra confirms'] = by_client(lab, 'ours', word, n, changes)
            rows[f'raw client, {word}'], rows[f'raw client, {word}: zebra confirms'] = by_client(lab, 'raw', word, n, changes)
        rows['a vtysh'] = by_shell(lab, n, few, vtysh_route)
        rows['frr-reload.py'] = by_shell(lab, n, few, lambda i, no: reload(lab.node, map(route, range(i, i + (not no)))))
    floor = rows['raw client, openfabric: zebra confirms']

    print(f'From the change to the update at the ToR, ms; {n} routes beside it, FRR {arguments.release}\n')
    print_heading('changes')
    for name, figures in rows.items():
        print(figures_line(name, figures))
    print("\nas many times as the raw client's confirmation, zebra's own floor (medians)")
    for name, figures in rows.items():
        if figures is not floor:
            print(figures_ratio(name, figures, floor))
    print('\nas many times as cosmolet, openfabric (medians)')
    for name in ('raw client, openfabric', 'a vtysh', 'frr-reload.py'):
        print(figures_ratio(name, rows[name], rows['cosmolet, openfabric']))


if __name__ == '__main__':
    main()
