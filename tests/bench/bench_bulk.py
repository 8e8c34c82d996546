#!/usr/bin/python3
"""How long until zebra has confirmed many new routes, and until the ToR has them all? With real FRR.

Ours is the library, by its promises alone. Beside it, in the same run, stand the limit (a client that blasts octets made
beforehand and counts the answers), the same limit with zebra's feed of the routes, which ours leaves for as long as a
burst lasts, and what operators do instead: a vtysh for each route, one vtysh with a file,
frr-reload.py, gobgp. Ours and the limits take turns, and their medians are told: no machine is ever quiet.
"""
from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from common import Client, Shell, median, processor_time, reload, route, vtysh_file, vtysh_route, wait_received
from gobgp import OURS as GOBGP
from gobgp import Gobgp
from lab import NODE_AS, RELEASES, Lab

OURS, LIMIT, FED = 'cosmolet', 'raw client', 'raw client with the feed'


@dataclass
class Row:
    name: str
    n: int  # routes that were measured
    zebra: float | None  # seconds until zebra had confirmed them; None: zebra has no part in it
    tor: float  # seconds until the ToR had them, or had lost them
    cpu: float | None = None  # seconds of our processor time
    zebra_cpu: float | None = None  # and of zebra's, which tells more than the clock on a machine that others use


def title(word: str, name: str, verb: str) -> str:
    return f'{word}: {name}, {verb}'


def settle(n: int) -> None:
    """Lets bgpd and the kernel finish what nobody waits for any more."""
    time.sleep(0.5 + n / 50000)


def add_and_delete(lab: Lab, word: str, kind: str, n: int) -> dict[str, tuple[float, ...]]:
    """What each took: until zebra had confirmed it, until the ToR had it, our processor time, and zebra's."""
    zebra = lab.node.pids['zebra']
    took: dict[str, tuple[float, ...]] = {}
    with Client(lab.node, kind, word) as client:
        for verb, wanted in (('add', n), ('del', 0)):
            before = processor_time(zebra)
            begun, seconds, cpu = client.do(f'{verb} 0 {n}')
            wait_received(lab, wanted)
            took[verb] = (seconds, time.time() - begun, cpu, processor_time(zebra) - before)
            settle(n)
    return took


def turns(lab: Lab, word: str, n: int, repeat: int) -> list[Row]:
    """Ours and the limits, each adding and deleting, one after the other, several times."""
    ways = {OURS: 'ours', LIMIT: 'raw'} | ({FED: 'raw-feed'} if word == 'openfabric' else {})
    runs: dict[tuple[str, str], list[tuple[float, ...]]] = {(v, name): [] for v in ('add', 'del') for name in ways}
    add_and_delete(lab, word, ways[LIMIT], n)  # who is the first to add so many has zebra take the memory for them: not counted
    for _ in range(repeat):
        for name, kind in ways.items():
            for verb, took in add_and_delete(lab, word, kind, n).items():
                runs[verb, name].append(took)
    return [Row(title(word, name, verb), n, *map(median, zip(*runs[verb, name])))
            for verb, name in runs]


def by_shell(lab: Lab, name: str, n: int, command: Callable[[], list[str]]) -> Row:
    """FRR's own ways: zebra's feed tells when it has the routes."""
    with Client(lab.node, 'raw', 'static') as watcher, Shell(lab.node) as shell:
        lines = command()
        watcher.begin(f'see 0 {n}')
        shell.begin(lines)
        begun, seconds, _ = watcher.end()
        wait_received(lab, n)
        row = Row(name, n, seconds, time.time() - begun)
        shell.wait_done()  # frr-reload.py may go on for long (7.5: half a minute), saving what it has done
        (lab.node.directory / 'etc' / 'frr.conf').write_text(lab.node.config)  # frr-reload.py has saved its own
        if 'mgmtd' in lab.node.daemons:
            shell.do([vtysh_file(lab.node, n, no=True)])
        else:  # at once, where one by one may take minutes (7.5)
            lab.node.stop('staticd')
            lab.node.start('staticd')
        wait_received(lab, 0)
        settle(n)
    return row


def by_gobgp(lab: Lab, name: str, n: int, each: bool) -> Row:
    with tempfile.TemporaryDirectory() as directory, Gobgp(lab, Path(directory)) as gobgp:
        row = Row(name, n, None, (gobgp.add_each if each else gobgp.add_all)(n))
        gobgp.delete_all()
        wait_received(lab, 0, GOBGP)
    return row


def others(lab: Lab, n: int, few: int, is_affordable: Callable[[str, int], bool]) -> list[Row]:
    """What does not get cheaper by the dozen is measured for a few; what takes too long is left out."""
    few = min(n, few)
    ways: dict[str, Callable[[str], Row]] = {
        f'a vtysh per route ({few})': lambda name: by_shell(lab, name, few, lambda: [vtysh_route(i) for i in range(few)]),
        'one vtysh -f': lambda name: by_shell(lab, name, n, lambda: [vtysh_file(lab.node, n)]),
        'frr-reload.py': lambda name: by_shell(lab, name, n, lambda: [reload(lab.node, map(route, range(n)))]),
        f'a gobgp per route ({few})': lambda name: by_gobgp(lab, name, few, True),
        'gobgp, one stream': lambda name: by_gobgp(lab, name, n, False),
    }
    return [way(name) for name, way in ways.items() if is_affordable(name, n)]


def memory(lab: Lab, steps: list[int]) -> list[tuple[int, float]]:
    """Octets of our process for each route, at so many of them."""
    found = []
    with Client(lab.node, 'ours') as client:
        client.do('add 0 1')
        client.do('del 0 1')  # whatever is needed once is there
        before, have = client.memory(), 0
        for n in steps:
            client.do(f'add {have} {n - have}')
            have = n
            found.append((n, (client.memory() - before) / n))
    return found


# The table

def print_rows(rows: list[Row]) -> None:
    print(f'{"":46}{"routes":>8}{"zebra s":>10}{"routes/s":>10}{"ToR s":>10}{"CPU ms/1000":>14}{"zebra ms/1000":>15}')
    for row in rows:
        cells = (figure(row.zebra, '.3f'), figure(row.zebra and row.n / row.zebra, '.0f'), figure(row.tor, '.3f'))
        costs = (figure(cpu and 1e6 * cpu / row.n, '.2f') for cpu in (row.cpu, row.zebra_cpu))
        print(f'{row.name:<46}{row.n:8}' + ''.join(f'{cell:>10}' for cell in cells)
              + ''.join(f'{cost:>{width}}' for cost, width in zip(costs, (14, 15))))


def figure(value: float | None, form: str) -> str:
    return '-' if value is None else format(value, form)


def print_ratios(rows: list[Row]) -> None:
    """Routes per second as parts of the limits'; at the ToR where zebra has no part in it."""
    print(f'\n{"as parts of":46}{LIMIT:>28}{FED:>28}')
    known = {row.name: row for row in rows}
    for row in rows:
        limits = [known.get(row.name.replace(OURS, limit) if OURS in row.name else title('openfabric', limit, 'add'))
                  for limit in (LIMIT, FED)]
        if row not in limits:
            print(f'{row.name:<46}' + ''.join(f'{part(row, limit):>28}' for limit in limits))
    print()


def part(row: Row, limit: Row | None) -> str:
    if limit is None:
        return '-'
    if row.zebra is None or limit.zebra is None:
        return f'{row.n * limit.tor / (limit.n * row.tor):.4f}'
    return f'{row.n * limit.zebra / (limit.n * row.zebra):.4f}'


def affordable(seconds: float, spent: dict[str, tuple[int, float]]) -> Callable[[str, int], bool]:
    def is_affordable(name: str, n: int) -> bool:
        before = spent.get(name)
        return before is None or before[1] * n / before[0] <= seconds
    return is_affordable


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--release', default='8.4', choices=RELEASES, help="the node's FRR (default: %(default)s)")
    parser.add_argument('--routes', type=int, nargs='+', default=[1000, 10000, 100000], help='how many (default: %(default)s)')
    parser.add_argument('--repeat', type=int, default=5, help='turns of ours and the limits (default: %(default)s)')
    parser.add_argument('--few', type=int, default=200, help='calls where each route takes one (default: %(default)s)')
    parser.add_argument('--limit', type=float, default=120,
                        help='seconds: other ways that would take longer, by what fewer routes took, are left out (default: %(default)s)')
    parser.add_argument('--only-ours', action='store_true', help='leave the other ways out altogether')
    arguments = parser.parse_args()
    spent: dict[str, tuple[int, float]] = {}
    with Lab(arguments.release, operator_routes=False) as lab:
        lab.tor.vtysh('no debug bgp updates in')
        lab.node.configure(f'router bgp {NODE_AS}', 'address-family ipv4 unicast', 'redistribute openfabric route-map SVC')
        for n in sorted(arguments.routes):
            rows = [row for word in ('openfabric', 'static') for row in turns(lab, word, n, arguments.repeat)]
            if not arguments.only_ours:
                rows += others(lab, n, arguments.few, affordable(arguments.limit, spent))
            spent |= {row.name: (row.n, max(row.zebra or 0, row.tor)) for row in rows}
            print(f'FRR {arguments.release}, {n} /32s; medians of {arguments.repeat} where they take turns\n')
            print_rows(rows)
            print_ratios(rows)
        print('memory of our process\n')
        for n, octets in memory(lab, sorted(arguments.routes)):
            print(f'{f"octets for each of {n} routes":<46}{octets:8.0f}', flush=True)


if __name__ == '__main__':
    main()
