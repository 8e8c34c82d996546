#!/usr/bin/python3
"""What does a scrape of many addresses cost? cosmolet beside the Prometheus client of Python with the same series, in turn.

cosmolet runs without a zebra: its addresses are wanted, and wait. Told of each: the time of a scrape, from the request to its last
octet, and its octets; of cosmolet also its processor time, and how long its event loop was busy at most in one turn meanwhile: so
long an event would have waited. What the scraper does with the text is not counted.
"""
from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'lab')]
from common import address, p99, processor_time  # noqa: E402
from cosmolet import BINARY, NODE, pod, service  # noqa: E402
from sandbox import PYTHON, Sandbox, connect, wait_until  # noqa: E402

PEER = '''
import sys, time
from prometheus_client import Gauge, start_http_server
n = int(sys.argv[1])
state = Gauge('vip_state', 'state', ['namespace', 'service', 'address', 'kind', 'state'])
confirmed = Gauge('vip_confirmed', 'confirmed', ['address'])
ready = Gauge('endpoints_ready', 'ready', ['service', 'namespace', 'node'])
for i, address in enumerate(sys.argv[2:]):
    state.labels('default', f'service-{i}', address, 'cluster_ip', 'pending').set(1)
    confirmed.labels(address).set(0)
    ready.labels(f'service-{i}', 'default', 'node-1').set(1)
start_http_server(n, '127.0.0.1')
time.sleep(1e6)
'''


REQUEST = b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
ANSWER_MAX = 64 << 20


class Scraper:
    def __init__(self, namespace: str, port: int) -> None:
        self.namespace, self.port = namespace, port
        self.answer = bytearray(ANSWER_MAX)

    def time(self) -> tuple[float, str]:
        """One scrape into memory that is there already, so that only the one who is asked takes time; and its text."""
        size = 0
        with connect(self.namespace, '127.0.0.1', self.port, 60) as connection:
            begin = time.monotonic()
            connection.sendall(REQUEST)
            while n := connection.recv_into(memoryview(self.answer)[size:]):
                size += n
            seconds = time.monotonic() - begin
        head, _, body = self.answer[:size].partition(b'\r\n\r\n')
        if not re.match(rb'HTTP/1\.. 200 ', head):
            raise OSError(f'not an answer: {bytes(head)!r}')
        return seconds, body.decode()

    def get(self) -> str:
        return self.time()[1]

    def answers(self) -> bool:
        try:
            return bool(self.get())
        except OSError:
            return False


def measure(scraper: Scraper, pid: int, repeat: int) -> tuple[list[float], int, float]:
    """The times, the octets, and the processor time of one."""
    octets = len(scraper.get())
    before, times = processor_time(pid), []
    for _ in range(repeat):
        times.append(scraper.time()[0])
    return times, octets, (processor_time(pid) - before) / repeat


def longest_turn(before: str, after: str) -> str:
    """The bound below which all turns of the loop between two scrapes have stayed."""
    def counts(text: str) -> list[tuple[str, int]]:
        return [(bound, int(n)) for bound, n in re.findall(r'^cosmolet_loop_turn_duration_seconds_bucket{le="(.*)"} (\d+)$', text, re.M)]

    new = [(bound, later - earlier) for (bound, earlier), (_, later) in zip(counts(before), counts(after))]
    return next(bound for bound, n in new if n == new[-1][1])


def run_cosmolet(sandbox: Sandbox, namespace: str, n: int) -> tuple[subprocess.Popen[Any], Scraper]:
    manifests = sandbox.directory / 'manifests'
    manifests.mkdir()
    objects = [service(f'service-{i}', [address(i)], selector={'app': 'all'}) for i in range(n)]
    (manifests / 'all.json').write_text(json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': [pod('all-1', 'all'), *objects]}))
    config = sandbox.directory / 'cosmolet.yaml'
    config.write_text(json.dumps({
        'node': NODE, 'kubernetes': {'source': 'files', 'path': str(manifests)}, 'loopback': {'mode': 'none'},
        'frr': {'socket_path': str(sandbox.directory / 'zserv.api')}, 'logging': {'level': 'error'}}))
    process = sandbox.popen(namespace, [str(BINARY), 'run', '--config', str(config)])
    scraper = Scraper(namespace, 9474)
    wait_until(lambda: scraper.answers() and f'cosmolet_vips{{state="pending"}} {n}\n' in scraper.get(), 60, 'all addresses')
    return process, scraper


def run_peer(sandbox: Sandbox, namespace: str, n: int) -> tuple[subprocess.Popen[Any], Scraper]:
    process = sandbox.popen(namespace, [PYTHON, '-c', PEER, '9475', *map(address, range(n))])
    scraper = Scraper(namespace, 9475)
    wait_until(scraper.answers, 60, 'the peer')
    return process, scraper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--addresses', type=int, default=10000)
    parser.add_argument('--repeat', type=int, default=20)
    arguments = parser.parse_args()
    with Sandbox() as sandbox:
        namespace = sandbox.namespace('scrape')
        print(f'{arguments.addresses} addresses, three series each; milliseconds\n')
        print(f'{"":34}{"median":>10}{"p99":>10}{"MB":>10}')
        medians = []
        for name, start in {'cosmolet': run_cosmolet, 'Python\'s client': run_peer}.items():
            process, scraper = start(sandbox, namespace, arguments.addresses)
            before = scraper.get()
            times, octets, cpu = measure(scraper, process.pid, arguments.repeat)
            medians.append(statistics.median(times))
            print(f'{name:34}{1000 * medians[-1]:10.2f}{1000 * p99(times):10.2f}{octets / 1e6:10.2f}')
            if name == 'cosmolet':
                turn, own = longest_turn(before, scraper.get()), cpu
            process.kill()
            process.wait()
        print(f'\n{"ratio":34}{medians[1] / medians[0]:10.2f}')
        print(f'\ncosmolet: {1000 * own:.2f} ms of the processor; a turn of the loop at most {turn} s')


if __name__ == '__main__':
    main()
