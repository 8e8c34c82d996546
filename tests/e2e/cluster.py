"""The cluster of these tests: what authors of services, controllers and the kubelet of a node would write, and what follows."""

from __future__ import annotations

import json
import signal
import time
from typing import Any, Callable, Iterable

from cosmolet import NODE, Cosmolet
from kube import KubeApi
from lab import COMMUNITY, OPERATOR_ROUTES, Lab
from sandbox import wait_until

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


def wait_connected(daemon: Cosmolet, timeout: float = 60) -> None:
    wait_until(lambda: all(s['connected'] for s in daemon.streams().values()), timeout, 'all watches to be open',
               explain=lambda: f'{daemon.streams()}\n{daemon.tail()}')


def wait_rights(kube: KubeApi, account: str, rules: Iterable[dict[str, Any]], wanted: Callable[[str, str], bool]) -> None:
    """Until the API server allows an account, of what the rules say, just what is wanted (by verb and resource)."""
    def may(verb: str, resource: str, group: str) -> bool:
        answer = kube.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {'spec': {
            'user': f'system:serviceaccount:cosmolet:{account}',
            'resourceAttributes': {'verb': verb, 'resource': resource, 'group': group}}})
        return bool(answer['status']['allowed'])

    each = [(verb, resource, rule['apiGroups'][0]) for rule in rules for resource in rule['resources'] for verb in rule['verbs']]
    wait_until(lambda: all(may(verb, resource, group) == wanted(verb, resource) for verb, resource, group in each), 10,
               f'the rights of {account}')


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


def changes(lab: Lab, kind: str, then: set[str], difference: set[str], act: Callable[[], Any]) -> None:
    """The action leads to that table at the ToR, and to not one update more than the difference takes."""
    mark = time.time()
    act()
    lab.tor.wait_for(then)
    assert only(lab, mark, kind, difference), lab.tor.events(mark)


def only(lab: Lab, mark: float, kind: str, some: set[str]) -> bool:
    """Whether that is all that the ToR heard since."""
    return sorted((e.kind, e.prefix) for e in lab.tor.events(mark)) == sorted((kind, p) for p in some)


def leaves_and_returns(lab: Lab, everything: set[str], some: set[str], down: Callable[[], Any], up: Callable[[], Any]) -> None:
    changes(lab, 'withdraw', everything - some, some, down)
    wait_until(lambda: not bound(lab) & {p.split('/')[0] for p in some}, 5, f'{sorted(some)[:4]} to be unbound')
    changes(lab, 'announce', everything, some, up)


def whole_way(lab: Lab, kube: KubeApi, daemon: Cosmolet, everything: set[str]) -> None:
    """From the API server to the far end of BGP, of what populate() has made: the same for the binary and for the image.

    Announced, asked, withdrawn and announced again, killed and stopped without anybody noticing; at the end it runs.
    """
    one = prefixes(1) & everything
    address = sorted(one)[0].split('/')[0]
    daemon.start()
    table = lab.tor.wait_for(everything)
    assert {route.communities for route in table.values()} == {frozenset({COMMUNITY})}
    assert bound(lab) == {prefix.split('/')[0] for prefix in everything}

    settled = lambda: daemon.status()['states']['announced'] == len(everything)  # noqa: E731
    wait_until(settled, 5, 'zebra to confirm them', explain=daemon.tail)

    # What it says of itself, over HTTP and by the commands of its operator.
    status = json.loads(daemon.ask('status', '-o', 'json').stdout)
    assert (status['node'], status['problems'], status['states']['announced']) == (NODE, [], len(everything))
    assert (status['zebra']['connected'], status['kubernetes']['synced']) == (True, True)
    assert f'\n{address} ' in daemon.ask('status').stdout
    done = daemon.ask('why', address)
    assert done.returncode == 0 and f'{address} is announced' in done.stdout, done
    assert daemon.ask('why', '192.0.2.123').returncode == 1, 'unknown'
    counts = {**dict.fromkeys(('vips{state="announced"}', 'routes_redistributed', 'addresses_bound'), len(everything)),
              'zapi_connected': 1, 'synced': 1}
    assert {name: daemon.metric(name) for name in counts} == counts

    # One pod fails: exactly its addresses leave, and nothing else is even updated.
    changes(lab, 'withdraw', everything - one, one, lambda: set_ready(kube, 'p1', False))
    wait_until(lambda: not bound(lab) & {prefix.split('/')[0] for prefix in one}, 5, f'{one} to be unbound')
    assert f'{address} is down' in (text := daemon.ask('why', address).stdout) and 'p1: not Ready' in text, text
    assert daemon.metric('vips{state="announced"}') == len(everything - one)
    changes(lab, 'announce', everything, one, lambda: set_ready(kube, 'p1', True))

    wait_until(settled, 5, 'zebra to confirm it', explain=daemon.tail)

    # Killed, or stopped, and started again: the ToR notices nothing.
    states = daemon.states()
    mark = time.time()
    for number in (signal.SIGKILL, signal.SIGTERM):
        assert (daemon.stop(number) == 0) == (number == signal.SIGTERM)
        daemon.start()
        daemon.wait_states(states)
    time.sleep(1)  # for what must not come
    assert lab.tor.events(mark) == []
    assert bound(lab) == {prefix.split('/')[0] for prefix in everything}
