#!/usr/bin/python3
"""How long after a pod's readiness was written does the ToR hear of it? With a real API server, real FRR, a real clock.

One pod of many services turns not ready and ready again. Measured is the time from the write (the PATCH is sent, the
manifest is renamed) to the moment at which the ToR's bgpd logs the update of the service's IPv4 address. In the same run,
in the same network: the floor, that is a client of zebra's socket that does nothing but write prepared octets; a static
route told to staticd over an open session; and two other ways from the API server to BGP (others.py).
"""
from __future__ import annotations

import argparse
import random
import socket
import sys
import time
from pathlib import Path
from typing import Callable

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / 'lab'), str(TESTS / 'e2e')]
from bench_single import by_client  # noqa: E402
from cluster import set_ready, v4, v6  # noqa: E402
from common import Figures, figures_line, figures_ratio, median, p99, populate, print_heading, wait_update  # noqa: E402
from cosmolet import NODE, Cosmolet, pod, service  # noqa: E402
from kube import KubeApi  # noqa: E402
from lab import RELEASES, TAG, Lab  # noqa: E402
from others import Loop, Reload, Way  # noqa: E402
from sandbox import public_directory, wait_until  # noqa: E402

RELOAD = f'frr-reload.py, {Reload.SECONDS:.0f} s after the first change'
LOOP = 'a loop, one vtysh per service'


def measure(lab: Lab, flips: list[int], write: Callable[[int, bool], None]) -> Figures:
    """Takes the service of each index down and up again; write(i, ready) is where the clock starts."""
    figures: Figures = {'announce': [], 'withdraw': []}
    for i in flips:
        for kind, ready in (('withdraw', False), ('announce', True)):
            time.sleep(random.uniform(0.02, 0.06))  # so that no timer of FRR is met at the same point each time
            mark = time.time()
            write(i, ready)
            figures[kind].append(wait_update(lab, mark, kind, f'{v4(i)}/32') - mark)
    return figures


def by_api_server(lab: Lab, kube: KubeApi, everything: set[str], flips: list[int], directory: Path) -> Figures:
    daemon = Cosmolet(lab.node, directory, kubernetes={
        'source': 'cluster', 'service_account': str(kube.service_account().directory)})
    daemon.environment.update(kube.environment)
    return run(lab, daemon, everything, flips, lambda i, ready: set_ready(kube, f'p{i}', ready))


def by_manifest(lab: Lab, n: int, flips: list[int], directory: Path) -> Figures:
    daemon = Cosmolet(lab.node, directory)
    daemon.manifest('services', *(service(f's{i}', [v4(i)], ingress=[v6(i)]) for i in range(n)))
    for i in range(n):
        daemon.manifest(f'pod-{i}', pod(f'p{i}', f's{i}'))
    everything = {p for i in range(n) for p in (f'{v4(i)}/32', f'{v6(i)}/128')}
    return run(lab, daemon, everything, flips, lambda i, ready: daemon.manifest(f'pod-{i}', pod(f'p{i}', f's{i}', ready)))


def run(lab: Lab, daemon: Cosmolet, everything: set[str], flips: list[int], write: Callable[[int, bool], None]) -> Figures:
    try:
        daemon.start()
        lab.tor.wait_for(everything, timeout=60)
        return measure(lab, flips, write)
    finally:
        daemon.close()
        daemon.command('withdraw', '--config', str(daemon.config))
        lab.tor.wait_for(set())


def by_staticd(lab: Lab, n: int, flips: list[int]) -> Figures:
    with socket.socket(socket.AF_UNIX) as session:
        session.connect(str(lab.node.run_directory / 'staticd.vty'))

        def say(command: str) -> None:
            session.sendall(command.encode() + b'\0')
            answer = b''
            while answer[-4:-1] != b'\0\0\0':  # and a status octet
                answer += session.recv(65536)
            assert answer[-1] == 0, f'{command}: {answer!r}'

        def write(i: int, ready: bool) -> None:
            say(f'{"" if ready else "no "}ip route {v4(i)}/32 blackhole tag {TAG}')

        say('enable')
        say('configure terminal')
        for i in range(n):
            write(i, True)
        lab.tor.wait_for({f'{v4(i)}/32' for i in range(n)})
        figures = measure(lab, flips, write)
        for i in range(n):
            write(i, False)
    lab.tor.wait_for(set())
    return figures


def by_other(lab: Lab, way: Way, flips: list[int], spread: float) -> Figures:
    """Takes distinct services down, and then up again, over some seconds, and waits for all of them."""
    everything = {f'{v4(i)}/32' for i in range(way.n)}
    figures: Figures = {'announce': [], 'withdraw': []}
    with way:
        lab.tor.wait_for(everything, timeout=600)
        wait_until(lambda: way.rounds, 600, 'the first round')
        for kind, ready in (('withdraw', False), ('announce', True)):
            marks = {}
            for i in flips:
                time.sleep(random.uniform(0, 2 * spread / len(flips)))
                marks[i] = time.time()
                set_ready(way.kube, f'p{i}', ready)
                way.changed()
            figures[kind] = [wait_update(lab, mark, kind, f'{v4(i)}/32', 600) - mark for i, mark in marks.items()]
    lab.tor.wait_for(set(), timeout=60)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--flips', type=int, default=500, help='of a pod, down and up, by each way (default: %(default)s)')
    parser.add_argument('--services', type=int, default=1000, help='announced meanwhile (default: %(default)s)')
    parser.add_argument('--other-flips', type=int, default=20, help='by the loop and the reload (default: %(default)s)')
    parser.add_argument('--pause', type=float, default=Loop.SECONDS, help='of the loop, in seconds (default: %(default)s)')
    parser.add_argument('--release', default='8.4', choices=RELEASES, help="the node's FRR (default: %(default)s)")
    arguments = parser.parse_args()
    n, Loop.SECONDS = arguments.services, arguments.pause
    flips = [random.randrange(n) for _ in range(arguments.flips)]
    few = random.sample(range(n), arguments.other_flips)
    rows: dict[str, Figures] = {}
    with Lab(arguments.release, operator_routes=False) as lab, public_directory() as directory:
        with KubeApi() as kube:
            kube.attach(lab.node.namespace)
            kube.node(NODE)
            everything = populate(kube, n)
            rows['cosmolet, API server'] = by_api_server(lab, kube, everything, flips, Path(directory, 'api'))
            rows['raw client of zebra, no API'] = by_client(lab, 'raw', 'static', n, arguments.flips)[0]
            rows['cosmolet, manifests'] = by_manifest(lab, n, flips, Path(directory, 'manifest'))
            if 'mgmtd' not in lab.node.daemons:  # where there is one, staticd takes no commands
                rows['FRR alone, a static route'] = by_staticd(lab, n, flips)
            rows[RELOAD] = by_other(lab, Reload(lab.node, kube, n), few, Reload.SECONDS)
            rows[LOOP] = by_other(lab, Loop(lab.node, kube, n), few, Loop.SECONDS)

    print(f'From the write to the update at the ToR, ms; {n} services, FRR {arguments.release}\n')
    print_heading('flips')
    for name, figures in rows.items():
        print(figures_line(name, figures))
    ours, floor = rows['cosmolet, API server'], rows['raw client of zebra, no API']
    print('\nas many times as cosmolet with the API server (medians)')
    for name, figures in rows.items():
        if figures is not ours:
            print(figures_ratio(name, figures, ours))
    print()
    for kind in ('announce', 'withdraw'):
        beyond = [1000 * (of(ours[kind]) - of(floor[kind])) for of in (median, p99)]
        print(f'{kind}: {beyond[0]:.1f} ms (median) and {beyond[1]:.1f} ms (p99) beyond the raw client')


if __name__ == '__main__':
    main()
