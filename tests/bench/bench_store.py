#!/usr/bin/python3
"""What does a service cost the daemon in memory: one that is of no interest to the node, and one that is announced?

The API server is a simulated one, which can have 200,000 services at once; FRR is real. Octets are those of malloc(), with its
overhead, over the whole daemon (tests/bench/heap.c counts), beyond what it takes for a single service. "Anonymous" is what the
kernel says, with all that malloc() has gathered on the way.
"""
from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / 'lab'), str(HERE.parent / 'scenario')]
from cosmolet import BINARY, NODE, Cosmolet, pod, service  # noqa: E402
from fake_api import Answer, Certificates, FakeApi  # noqa: E402
from lab import Lab  # noqa: E402
from sandbox import public_directory, wait_until  # noqa: E402

HEAP = BINARY.parent / 'tests' / 'bench' / 'libheap.so'


def services(n: int, app: str) -> bytes:
    """As an API server has them, managedFields and all."""
    def one(i: int) -> str:
        address = f'10.{100 + (i >> 16)}.{i >> 8 & 255}.{i & 255}'
        return json.dumps({
            'metadata': {'name': f'service-{i}', 'namespace': 'shop', 'uid': f'2c5a3c0e-8f8c-4a43-9d35-{i:012x}',
                         'resourceVersion': str(100000 + i), 'creationTimestamp': '2026-01-01T00:00:00Z',
                         'labels': {'app.kubernetes.io/name': f'service-{i}', 'app.kubernetes.io/managed-by': 'Helm'},
                         'managedFields': [{'manager': 'kubectl', 'operation': 'Update', 'apiVersion': 'v1', 'fieldsV1': {
                             'f:spec': {'f:ports': {'.': {}}, 'f:selector': {'.': {}, 'f:app': {}}, 'f:type': {}}}}]},
            'spec': {'type': 'ClusterIP', 'clusterIP': address, 'clusterIPs': [address], 'ports': [{'port': 80}],
                     'selector': {'app': app.format(i)}},
            'status': {'loadBalancer': {}}})

    items = ','.join(map(one, range(n)))
    return f'{{"kind":"ServiceList","apiVersion":"v1","metadata":{{"resourceVersion":"1001"}},"items":[{items}]}}'.encode()


def measure(lab: Lab, certificates: Certificates, n: int, app: str, announced: bool) -> dict[str, float]:
    api = FakeApi(lab.node.namespace, certificates)
    with public_directory() as directory:
        api.put(pod('p', 'here', namespace='shop'), {'kind': 'Node', 'metadata': {'name': NODE}})
        api.answer('services', 'list', Answer(200, services(n, app)))
        daemon = Cosmolet(lab.node, directory, kubernetes={
            'source': 'cluster', 'kubeconfig': str(certificates.kubeconfig(directory / 'kubeconfig'))})
        daemon.environment.update(LD_PRELOAD=str(HEAP), HEAP=str(directory / 'heap'))
        begin = time.monotonic()
        daemon.start(ready=False)
        daemon.wait_ready(300)
        seconds = time.monotonic() - begin
        if announced:
            wait_until(lambda: daemon.metric('vips{state="announced"}') == n, 120, 'all to be announced', interval=0.5)
        time.sleep(2)
        octets, blocks, most = struct.unpack('qqq', (directory / 'heap').read_bytes())
        assert daemon.process
        rollup = Path('/proc', str(daemon.process.pid), 'smaps_rollup').read_text()
        anonymous = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith('Anonymous:'))
        daemon.stop()
        daemon.close()
        api.close()
    return {'octets': octets, 'blocks': blocks, 'most': most, 'anonymous': anonymous * 1024, 'seconds': seconds}


def manifests(lab: Lab, n: int, text: str) -> dict[str, float]:
    """The same from files: so many services, and as many pods, most of them of other nodes."""
    with public_directory() as directory:
        daemon = Cosmolet(lab.node, directory, loopback={'mode': 'none'})
        (directory / 'manifests' / 'all.yaml').write_text(text)
        daemon.environment.update(LD_PRELOAD=str(HEAP), HEAP=str(directory / 'heap'))
        begin = time.monotonic()
        daemon.start('--dry-run', ready=False)
        daemon.wait_ready(120)
        seconds = time.monotonic() - begin
        assert len(daemon.status()['addresses']) == n
        octets, _, most = struct.unpack('qqq', (directory / 'heap').read_bytes())
        assert daemon.process
        status = Path('/proc', str(daemon.process.pid), 'status').read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith('VmHWM:'))
        daemon.stop()
    return {'octets': octets, 'most': most, 'peak': peak * 1024, 'seconds': seconds}


def manifest_texts(n: int) -> dict[str, str]:
    """As people write them, and as kubectl does."""
    objects = [service(f's{i}', [f'10.{100 + (i >> 16)}.{i >> 8 & 255}.{i & 255}'], selector={'app': f'a{i}'}) for i in range(n)]
    objects += [pod(f'p{i}', 'none', node=NODE if i < 110 else 'elsewhere') for i in range(n)]
    return {'documents': '---\n'.join(json.dumps(each, indent=1) + '\n' for each in objects),
            'a list': json.dumps({'apiVersion': 'v1', 'items': objects, 'kind': 'List'}, indent=1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--services', type=int, nargs='+', default=[1000, 10000, 200000], help='(default: %(default)s)')
    parser.add_argument('--announced', type=int, nargs='+', default=[1000, 10000], help='(default: %(default)s)')
    parser.add_argument('--manifests', type=int, nargs='*', default=[10000], help='services and pods (default: %(default)s)')
    a = parser.parse_args()
    print(f'{"":24}{"octets each":>14}{"blocks each":>14}{"MB of malloc":>14}{"at most":>10}{"anonymous MB":>14}{"ready s":>10}')
    with Lab() as lab, public_directory() as directory:
        certificates = Certificates(directory)
        for what, sizes, app in (('of no interest', a.services, 'app-{}'), ('announced', a.announced, 'here')):
            base = measure(lab, certificates, 1, app, False)
            for n in sizes:
                found = measure(lab, certificates, n, app, what == 'announced')
                each = [(found[key] - base[key]) / (n - 1) for key in ('octets', 'blocks')]
                print(f'{what + f", {n}":<24}{each[0]:>14.0f}{each[1]:>14.2f}{found["octets"] / 1e6:>14.1f}{found["most"] / 1e6:>10.1f}'
                      f'{found["anonymous"] / 1e6:>14.1f}{found["seconds"]:>10.2f}', flush=True)


    print(f'\n{"":24}{"MB of text":>14}{"MB of malloc":>14}{"at most":>10}{"peak RSS MB":>14}{"ready s":>10}')
    with Lab() as lab:
        for n in a.manifests:
            for what, text in manifest_texts(n).items():
                found = manifests(lab, n, text)
                print(f'{what + f", {n}":<24}{len(text) / 1e6:>14.1f}{found["octets"] / 1e6:>14.1f}{found["most"] / 1e6:>10.1f}'
                      f'{found["peak"] / 1e6:>14.1f}{found["seconds"]:>10.2f}', flush=True)


if __name__ == '__main__':
    main()
