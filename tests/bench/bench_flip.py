#!/usr/bin/python3
"""How long after a pod's readiness was written does the ToR hear of it? With a real API server, real FRR, a real clock.

One pod of many services turns not ready and ready again. Measured is the time from the write (the PATCH is sent, the
manifest is renamed) to the moment at which the ToR's bgpd logs the update of the service's IPv4 address. Beside it, in
the same network, stands the way of loops: list every 30 s, then one vtysh for each service; of that only the vtysh part is
measured, and the mean time until the next round added on paper. And FRR by itself: a static route told to its staticd over
an open session comes and goes; less than that nobody can take who announces through zebra.
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
from cluster import populate, set_ready, v4, v6  # noqa: E402
from common import Figures, Shell, figures_line, figures_ratio, print_heading, wait_update  # noqa: E402
from cosmolet import NODE, Cosmolet, pod, service  # noqa: E402
from kube import KubeApi  # noqa: E402
from lab import NODE_AS, RELEASES, TAG, Lab  # noqa: E402
from sandbox import public_directory  # noqa: E402

POLLING = 30.0  # seconds between two rounds of a loop


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


def by_api_server(lab: Lab, n: int, flips: list[int], directory: Path) -> Figures:
    with KubeApi() as kube:
        kube.attach(lab.node.namespace)
        kube.node(NODE)
        everything = populate(kube, n)
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


def by_vtysh(lab: Lab, n: int, flips: list[int]) -> Figures:
    """A round of the loop: for each service, in order, one vtysh that says what bgpd should announce."""
    lab.node.configure(f'router bgp {NODE_AS}', 'no bgp network import-check')
    def round_of(down: int | None) -> list[str]:
        return [f"vtysh -c 'configure terminal' -c 'router bgp {NODE_AS}' -c 'address-family ipv4 unicast'"
                f" -c '{'no ' if i == down else ''}network {v4(i)}/32'" for i in range(n)]

    figures: Figures = {'announce': [], 'withdraw': []}
    with Shell(lab.node) as shell:
        shell.do(round_of(None))
        lab.tor.wait_for({f'{v4(i)}/32' for i in range(n)})
        for i in flips:
            for kind, down in (('withdraw', i), ('announce', None)):
                mark = time.time()
                shell.do(round_of(down))
                figures[kind].append(wait_update(lab, mark, kind, f'{v4(i)}/32') - mark)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--flips', type=int, default=200, help='of a pod, down and up, in each source (default: %(default)s)')
    parser.add_argument('--services', type=int, default=100, help='announced meanwhile (default: %(default)s)')
    parser.add_argument('--loop-flips', type=int, default=5, help='flips of the loop beside it (default: %(default)s)')
    parser.add_argument('--release', default='8.4', choices=RELEASES, help="the node's FRR (default: %(default)s)")
    arguments = parser.parse_args()
    n = arguments.services
    flips = [random.randrange(n) for _ in range(arguments.flips)]
    spread = [(2 * k + 1) * n // (2 * arguments.loop_flips) for k in range(arguments.loop_flips)]  # evenly over the round
    with Lab(arguments.release) as lab, public_directory() as directory:
        api = by_api_server(lab, n, flips, Path(directory, 'api'))
        manifest = by_manifest(lab, n, flips, Path(directory, 'manifest'))
        # Where there is an mgmtd, staticd takes no commands.
        frr = None if 'mgmtd' in lab.node.daemons else by_staticd(lab, n, flips)
        loop = by_vtysh(lab, n, spread)

    print(f'From the write to the update at the ToR, ms; {n} services, FRR {arguments.release}\n')
    print_heading('flips')
    print(figures_line('cosmolet, API server', api))
    print(figures_line('cosmolet, manifests', manifest))
    if frr:
        print(figures_line('FRR alone, a static route', frr))
    print(figures_line('a vtysh per service', loop))
    print(figures_line(f'a vtysh per service, every {POLLING:.0f} s, on average', loop, POLLING / 2))
    print('\nas many times as cosmolet with the API server (medians)')
    if frr:
        print(figures_ratio('FRR alone, a static route', frr, api))
    print(figures_ratio('a vtysh per service', loop, api))
    print(figures_ratio(f'a vtysh per service, every {POLLING:.0f} s, on average', loop, api, POLLING / 2))


if __name__ == '__main__':
    main()
