#!/usr/bin/python3
"""What does it cost to know the cluster? cosmolet beside client-go's informers, on the same API server, one after the other.

The informers (tests/bench/informer) run once with cosmolet's own watch plan, and once with what MetalLB's speaker watches.
Measured of each: the time and CPU until it has everything, in turns and the median of them; its memory at most, settled, and the
anonymous part of it; its CPU when nothing happens; CPU and received octets for changes of services; and the latency from the
write of a pod's readiness to its handler. (cosmolet is the whole daemon, with nothing but a zebra missing. Only the latency is
that of the probe, which is the daemon's k8s room and store, since a daemon without zebra has nothing to tell: it ends when the
store has it. From there to the BGP peer measures bench_flip.py.)
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / 'lab'), str(HERE.parent / 'e2e')]
from cosmolet import BINARY, NODE  # noqa: E402
from kube import KubeApi  # noqa: E402
from sandbox import Sandbox, public_directory, wait_until  # noqa: E402

SERVICES, PODS = '/api/v1/namespaces/default/services', '/api/v1/namespaces/default/pods'
SLICES = '/apis/discovery.k8s.io/v1beta1/namespaces/default/endpointslices'
TICK = os.sysconf('SC_CLK_TCK')
COLUMNS = {'synced s': 3, 'CPU s': 2, 'peak MB': 1, 'RSS MB': 1, 'anonymous MB': 1, 'idle CPU %': 2, 'CPU s of changes': 2,
           'MB of changes': 2, 'latency ms': 1, 'p99': 1}
Figures = dict[str, float]
Programs = dict[str, tuple[list[str], str]]  # argv, and what it says when it has everything


class Client:
    """A program that watches, in a network namespace of its own, so that what it receives can be counted."""

    def __init__(self, kube: KubeApi, argv: list[str], synced: str) -> None:
        self.sandbox = Sandbox()
        self.namespace = self.sandbox.namespace('client')
        kube.attach(self.namespace)
        self.lines: list[str] = []
        begin = time.monotonic()
        self.process = self.sandbox.popen(self.namespace, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        wait_until(lambda: any(synced in line for line in self.lines), 120, f'{argv[0]} to be synced', interval=0.001,
                   explain=lambda: '\n'.join(self.lines[-10:]))
        self.seconds = time.monotonic() - begin
        self.cpu_synced = self.cpu()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)

    def _proc(self, name: str) -> str:
        return Path('/proc', str(self.process.pid), name).read_text()

    def cpu(self) -> float:
        fields = self._proc('stat').rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, file: str, *keys: str) -> float:
        return sum(int(line.split()[1]) for line in self._proc(file).splitlines() if line.partition(':')[0] in keys) / 1024

    def received(self) -> int:
        return next(int(line.partition(':')[2].split()[0]) for line in self._proc('net/dev').splitlines() if 'kube:' in line)

    def close(self) -> None:
        self.process.kill()
        self.sandbox.close()


def fill(kube: KubeApi, services: int, own: int, elsewhere: int) -> None:
    def one(i: int) -> None:
        labels = {'app.kubernetes.io/name': f's{i}', 'app.kubernetes.io/instance': f's{i}', 'app.kubernetes.io/version': '1.2.3',
                  'app.kubernetes.io/managed-by': 'Helm', 'helm.sh/chart': f's{i}-1.2.3'}
        kube.ensure(SERVICES, {'metadata': {'name': f's{i}', 'labels': labels}, 'spec': {
            'selector': {'app': f'a{i}'}, 'ports': [{'name': 'http', 'port': 80}, {'name': 'https', 'port': 443}]}})
        kube.ensure(SLICES, {'metadata': {'name': f's{i}-x', 'labels': {'kubernetes.io/service-name': f's{i}'}},
                             'addressType': 'IPv4', 'ports': [{'name': 'http', 'port': 80}],
                             'endpoints': [{'addresses': ['192.0.2.201'], 'conditions': {'ready': True},
                                            'topology': {'kubernetes.io/hostname': 'elsewhere'}}]})

    def pod(i: int) -> None:
        kube.pod(f'p{i}', NODE if i < own else 'elsewhere', {'app': f'a{i}'})

    kube.node(NODE)
    kube.node('elsewhere')
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(services)))
        list(pool.map(pod, range(own + elsewhere)))


def change(kube: KubeApi, services: int, n: int) -> None:
    def one(i: int) -> None:
        kube.request('PATCH', f'{SERVICES}/s{i % services}', {'metadata': {'annotations': {'at': str(time.time_ns())}}})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(n)))


def starts(kube: KubeApi, programs: Programs, turns: int) -> dict[str, Figures]:
    """In turns, since the server is as fast as what it did before lets it be."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for turn in range(turns + 1):
        for name, (argv, synced) in programs.items():
            client = Client(kube, argv, synced)
            if turn > 0:  # the first one is for the server, and for nobody to pay for being it
                found[name].append((client.seconds, client.cpu_synced))
            client.close()
    return {name: {'synced s': statistics.median(s for s, _ in pairs), 'CPU s': statistics.median(c for _, c in pairs)}
            for name, pairs in found.items()}


def cost(kube: KubeApi, client: Client, services: int, changes: int) -> Figures:
    time.sleep(3)  # for what it still has to tidy up
    figures = {'peak MB': client.memory('status', 'VmHWM'), 'RSS MB': client.memory('status', 'VmRSS'),
               'anonymous MB': client.memory('smaps_rollup', 'Anonymous')}
    before = client.cpu()
    time.sleep(5)
    figures['idle CPU %'] = (client.cpu() - before) / 5 * 100
    before, received = client.cpu(), client.received()
    change(kube, services, changes)
    time.sleep(1)
    figures['CPU s of changes'] = client.cpu() - before
    figures['MB of changes'] = (client.received() - received) / 1e6
    return figures


def latency(kube: KubeApi, client: Client, own: int, flips: int, states: dict[str, bool]) -> Figures:
    """From before the write, so the API server's part is in it. states: which pods are ready; changed."""
    found: list[float] = []
    for i in range(flips):
        name, begin = f'p{i % own}', time.time_ns()
        states[name] = not states.get(name, True)
        body = {'status': {'conditions': [{'type': 'Ready', 'status': str(states[name])}]}}
        version = kube.request('PATCH', f'{PODS}/{name}/status', body, patch='strategic')['metadata']['resourceVersion']
        line = wait_until(lambda: [each for each in client.lines if each.startswith(f'pod {name} {version} ')], 10,
                          f'{name} {version}', interval=0.001)
        found.append((int(line[0].split()[3]) - begin) / 1e6)
        time.sleep(0.01)
    return {'latency ms': statistics.median(found), 'p99': sorted(found)[max(0, -(-99 * len(found) // 100) - 1)]}


def line(name: str, figures: Figures, digits: dict[str, int]) -> str:
    cells = ((f'{figures[column]:.{places}f}' if column in figures else '-') for column, places in digits.items())
    return f'{name:<34}' + ''.join(f'{cell:>{max(10, len(column) + 2)}}' for cell, column in zip(cells, digits))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--services', type=int, default=1000, help='each with an EndpointSlice (default: %(default)s)')
    parser.add_argument('--own', type=int, default=110, help='pods of this node (default: %(default)s)')
    parser.add_argument('--elsewhere', type=int, default=5000, help='pods of others (default: %(default)s)')
    parser.add_argument('--starts', type=int, default=7, help='of each program (default: %(default)s)')
    parser.add_argument('--changes', type=int, default=10000, help='of services (default: %(default)s)')
    parser.add_argument('--flips', type=int, default=200, help="of own pods' readiness (default: %(default)s)")
    a = parser.parse_args()
    informer = subprocess.run([HERE / 'informer' / 'build'], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    states: dict[str, bool] = {}
    with KubeApi() as kube, public_directory() as directory:
        fill(kube, a.services, a.own, a.elsewhere)
        kubeconfig = str(kube.service_account().kubeconfig)
        config = Path(directory, 'cosmolet.yaml')
        config.write_text(json.dumps({'node': NODE, 'kubernetes': {'kubeconfig': kubeconfig}, 'loopback': {'mode': 'none'},
                                      'frr': {'socket_path': f'{directory}/zserv.api'}, 'http': {'listen': '127.0.0.1:9474'}}))
        go = [informer, f'--kubeconfig={kubeconfig}', f'--node={NODE}']
        programs: Programs = {
            'cosmolet': ([str(BINARY), 'run', '--config', str(config)], 'the cluster is known'),
            'client-go, the same plan': (go, 'synced'),
            'client-go, the same plan, JSON': ([*go, '--protobuf=false'], 'synced'),
            "client-go, MetalLB's plan": ([*go, '--plan=metallb'], 'synced')}
        probe = [str(BINARY.parent / 'tests' / 'e2e' / 'probe'), kubeconfig, NODE]
        rows = starts(kube, programs, a.starts)
        for name, (argv, synced) in programs.items():
            client = Client(kube, argv, synced)
            rows[name] |= cost(kube, client, a.services, a.changes)
            if name == 'cosmolet':
                client.close()
                client = Client(kube, probe, 'synced')
            if 'MetalLB' not in name:
                rows[name].update(latency(kube, client, a.own, a.flips, states))
            client.close()

    print(f'{a.services} services and EndpointSlices, {a.own} pods here, {a.elsewhere} elsewhere, {a.changes} changes\n')
    print(f'{"":34}' + ''.join(f'{column:>{max(10, len(column) + 2)}}' for column in COLUMNS))
    for name, figures in rows.items():
        print(line(name, figures, COLUMNS))
    print('\ncosmolet, as a part of')
    ours = rows.pop('cosmolet')
    for name, figures in rows.items():
        print(line(name, {c: ours[c] / v for c, v in figures.items() if v}, {column: 2 for column in COLUMNS}))


if __name__ == '__main__':
    main()
