"""The cluster of these tests: what authors of services, controllers and the kubelet of a node would write."""

from __future__ import annotations

import json
from typing import Any, Iterable

from cosmolet import NODE
from kube import KubeApi
from lab import OPERATOR_ROUTES, Lab

POD_IPS = ('192.0.2.200', 'fd00:244::200')
OUR_PROTOCOL = '237'  # of the local routes that carry our addresses
SLICES = '/apis/discovery.k8s.io/v1beta1/namespaces/default/endpointslices'


def v4(i: int) -> str:
    return f'10.96.{1 + i // 250}.{i % 250 + 1}'


def v6(i: int) -> str:
    return f'2001:db8:5::{i + 1:x}'


def prefixes(*indexes: int) -> set[str]:
    return {p for i in indexes for p in (f'{v4(i)}/32', f'{v6(i)}/128')}


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name, 'namespace': 'default'},
            'spec': {'selector': {'app': name}, 'ports': [{'port': 80}], **spec}}


def pod(name: str, app: str, node: str = NODE) -> dict[str, Any]:
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name, 'namespace': 'default', 'labels': {'app': app}},
            'spec': {'nodeName': node, 'containers': [{'name': 'c', 'image': 'none'}]}}


def apply(kube: KubeApi, objects: Iterable[dict[str, Any]]) -> None:
    kube.kubectl('apply', '-f', '-', stdin=json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': list(objects)}))


def set_ready(kube: KubeApi, name: str, ready: bool = True) -> None:
    """What the kubelet writes: the pod runs, has an address of each family, and is ready or not."""
    kube.request('PATCH', f'/api/v1/namespaces/default/pods/{name}/status', {'status': {
        'phase': 'Running', 'podIP': POD_IPS[0], 'podIPs': [{'ip': ip} for ip in POD_IPS],
        'conditions': [{'type': 'Ready', 'status': str(ready)}]}}, patch='strategic')


def populate(kube: KubeApi, n: int) -> set[str]:
    """Services s0, s1, …, each with a ClusterIP, a load balancer's address, and a ready pod p0, p1, … on this node."""
    apply(kube, [service(f's{i}', type='LoadBalancer', clusterIP=v4(i)) for i in range(n)]
          + [pod(f'p{i}', f's{i}') for i in range(n)])
    for i in range(n):
        kube.set_ingress(f's{i}', [v6(i)])
        set_ready(kube, f'p{i}')
    return prefixes(*range(n))


def slice_of(name: str, service_name: str, ready: bool = True) -> dict[str, Any]:
    """As 1.20 has it: there the node's name is in the topology."""
    return {'metadata': {'name': name, 'labels': {'kubernetes.io/service-name': service_name}}, 'addressType': 'IPv4',
            'endpoints': [{'addresses': ['192.0.2.201'], 'conditions': {'ready': ready},
                           'topology': {'kubernetes.io/hostname': NODE}}], 'ports': []}


def bound(lab: Lab) -> set[str]:
    """Addresses that the node's kernel accepts by local routes of ours."""
    return {r['dst'] for r in lab.node.routes('local') if str(r.get('protocol')) == OUR_PROTOCOL}


def operator_state(lab: Lab) -> Any:
    """What belongs to others: static routes at the ToR and in the node's configuration, addresses on lo."""
    table = lab.tor.table()
    return ({p: table.get(p) for p in OPERATOR_ROUTES}, lab.node.vtysh('show running-config'),
            sorted((a['local'], a['prefixlen']) for a in lab.node.addresses('lo')))
