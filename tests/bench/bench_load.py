#!/usr/bin/python3
"""What it takes of the processor and of memory, with nothing to do, and with many pods that turn ready and not ready.

Every service has a cluster IP and a load balancer's address, both announced, and one pod of this node; all of it comes from a
real API server and goes to a real zebra.
"""
from __future__ import annotations

import argparse
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import populate, processor_time, set_ready
from cosmolet import NODE, Cosmolet
from kube import KubeApi
from lab import RELEASES, Lab
from sandbox import public_directory

THREADS = 16


def flip(kube: KubeApi, n: int, rate: float, seconds: float) -> float:
    """Turns pods not ready and ready again; returns how many in a second it came to."""
    began = time.monotonic()
    pods = [random.randrange(n) for _ in range(max(1, int(rate * seconds / 2)))]

    def twice(k: int) -> None:
        time.sleep(max(0.0, began + 2 * k / rate - time.monotonic()))
        for ready in (False, True):
            set_ready(kube, f'p{pods[k]}', ready)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(twice, range(len(pods))))
    return 2 * len(pods) / (time.monotonic() - began)


def memory(pid: int) -> float:
    """Resident, in MB."""
    return int(Path(f'/proc/{pid}/statm').read_text().split()[1]) * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--services', type=int, default=10000, help='(default: %(default)s)')
    parser.add_argument('--rate', type=float, default=100, help='flips in a second (default: %(default)s)')
    parser.add_argument('--seconds', type=float, default=30, help='for each of both (default: %(default)s)')
    parser.add_argument('--release', default='8.4', choices=RELEASES, help="the node's FRR (default: %(default)s)")
    arguments = parser.parse_args()
    n = arguments.services
    with Lab(arguments.release) as lab, public_directory() as directory, KubeApi() as kube:
        kube.attach(lab.node.namespace)
        kube.node(NODE)
        everything = populate(kube, n)
        daemon = Cosmolet(lab.node, directory, kubernetes={'source': 'cluster', 'service_account': str(kube.service_account().directory)})
        daemon.environment.update(kube.environment)
        try:
            daemon.start()
            lab.tor.wait_for(everything, timeout=120)
            assert daemon.process
            pid, rows, rate = daemon.process.pid, {}, 0.0
            for name, act in (('idle', lambda: time.sleep(arguments.seconds)), ('flips', lambda: flip(kube, n, arguments.rate, arguments.seconds))):
                before, began = processor_time(pid), time.monotonic()
                rate = act() or 0.0
                rows[name] = (100 * (processor_time(pid) - before) / (time.monotonic() - began), memory(pid))
            lab.tor.wait_for(everything, timeout=30)
        finally:
            daemon.close()

    print(f'cosmolet with {n} services, {2 * n} addresses announced, FRR {arguments.release}; {rate:.0f} flips in a second\n')
    print(f'{"":44}{"processor, %":>16}{"memory, MB":>16}')
    for name, (processor, octets) in rows.items():
        print(f'{name:<44}{processor:>16.3f}{octets:>16.1f}')


if __name__ == '__main__':
    main()
