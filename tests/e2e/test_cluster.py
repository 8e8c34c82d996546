"""From the API server to the far end of BGP: a real kube-apiserver, cosmolet, real FRR, and what the ToR sees of it.

The first half is the ordinary life of services and pods. The second half takes the API server away, lets it forget
history, refuse the token, or deny a resource: none of that may cost a single announced address.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cluster import (SLICES, apply, bound, changes, leaves_and_returns, only, operator_state, pod, populate, prefixes, service,
                     set_ready, slice_of, v4, v6, wait_connected, wait_rights, whole_way)
from cosmolet import NODE, Cosmolet
from kube import RULES, KubeApi, ServiceAccount
from lab import OPERATOR_COMMUNITY, OPERATOR_ROUTES, Lab
from sandbox import connect, wait_until

N = 100
FOREIGN = '203.0.113.99'
SERVICES, NODES, PODS = '/api/v1/namespaces/default/services', '/api/v1/nodes', '/api/v1/namespaces/default/pods'
Start = Callable[..., tuple[Lab, Cosmolet]]


@pytest.fixture
def start(cosmolet: Path, lab: Callable[..., Lab], kube: KubeApi, tmp_path: Path) -> Iterator[Start]:
    """Makes a lab that reaches an empty cluster with one node, and a cosmolet in it that is not started yet."""
    if 'apiserver' not in kube.pids:
        kube.start('apiserver')
    kube.clean()
    kube.node(NODE)
    made: list[Cosmolet] = []

    def make(release: str = '8.4', kubernetes: dict[str, str] | None = None, **settings: Any) -> tuple[Lab, Cosmolet]:
        there = lab(node=release)
        kube.attach(there.node.namespace)
        account = {'service_account': str(kube.service_account().directory)}
        made.append(Cosmolet(there.node, tmp_path, **settings,
                             kubernetes={'source': 'cluster', **(account if kubernetes is None else kubernetes)}))
        made[-1].environment.update(kube.environment)
        return there, made[-1]

    yield make
    for each in made:
        each.close()


# Ordinary life

def test_the_whole_way(start: Start, kube: KubeApi, frr_release: str) -> None:
    lab, daemon = start(frr_release, services={'allow': ['10.96.0.0/12', '2001:db8:5::/48', 'fd00:96::/108', '198.18.0.0/15']})
    lab.node.run(['ip', 'address', 'add', f'{FOREIGN}/32', 'dev', 'lo'], check=True)
    before = operator_state(lab)
    assert all(OPERATOR_COMMUNITY in before[0][p].communities for p in OPERATOR_ROUTES)

    # In: services of all kinds of addresses, with the community of the operator's route-map.
    populate(kube, N)
    apply(kube, [
        service('dual', clusterIP='10.96.9.1', clusterIPs=['10.96.9.1', 'fd00:96::91'], ipFamilyPolicy='RequireDualStack',
                ipFamilies=['IPv4', 'IPv6']),
        service('external', clusterIP='10.96.9.2', externalIPs=['198.18.9.2', '203.0.113.2']), pod('dual', 'dual'),
        service('elsewhere', clusterIP='10.96.9.3'), pod('external', 'external'), pod('elsewhere', 'elsewhere', 'node-2')])
    for name in ('dual', 'external', 'elsewhere'):
        set_ready(kube, name)
    everything = prefixes(*range(N)) | {'10.96.9.1/32', 'fd00:96::91/128', '10.96.9.2/32', '198.18.9.2/32'}
    whole_way(lab, kube, daemon, everything)
    reasons = {a['address']: a['reason'] for a in daemon.status()['addresses'] if a['state'] != 'announced'}
    assert reasons == {'10.96.0.1': 'api_server', '203.0.113.2': 'not_allowed', '10.96.9.3': 'no_pods'}

    # A pod is deleted; a new one takes its place.
    leaves_and_returns(lab, everything, prefixes(8), lambda: kube.delete('pods', 'p8'),
                       lambda: (apply(kube, [pod('p8-new', 's8')]), set_ready(kube, 'p8-new')))

    # The author of a service does not want it announced.
    annotate = lambda value: kube.request('PATCH', f'{SERVICES}/s9', {  # noqa: E731
        'metadata': {'annotations': {'cosmolet.platformbuilds.io/announce': value}}})
    leaves_and_returns(lab, everything, prefixes(9), lambda: annotate('false'), lambda: annotate(None))

    # The operator does not want this node to serve from outside: ClusterIPs are not concerned.
    label = lambda value: kube.request('PATCH', f'{NODES}/{NODE}', {  # noqa: E731
        'metadata': {'labels': {'node.kubernetes.io/exclude-from-external-load-balancers': value}}})
    leaves_and_returns(lab, everything, {f'{v6(i)}/128' for i in range(N)} | {'198.18.9.2/32'},
                       lambda: label('true'), lambda: label(None))

    # A service without selector: its EndpointSlices decide.
    apply(kube, [service('manual', selector=None, clusterIP='10.96.9.4')])
    endpoints = slice_of('manual-1', 'manual')
    changes(lab, 'announce', everything | {'10.96.9.4/32'}, {'10.96.9.4/32'}, lambda: kube.request('POST', SLICES, endpoints))
    changes(lab, 'withdraw', everything, {'10.96.9.4/32'}, lambda: kube.request('DELETE', f'{SLICES}/manual-1'))

    # A service is deleted: nobody knows its addresses any more.
    changes(lab, 'withdraw', everything - prefixes(5), prefixes(5), lambda: kube.delete('services', 's5'))
    wait_until(lambda: not bound(lab) & {v4(5), v6(5)}, 5, 's5 to be unbound')
    assert daemon.get(f'/why?q={v4(5)}')[0] == 404
    assert operator_state(lab) == before


def by_service_account(kube: KubeApi) -> dict[str, str]:
    return {'service_account': str(kube.service_account().directory)}


def by_token(kube: KubeApi) -> dict[str, str]:
    return {'kubeconfig': str(kube.service_account().kubeconfig)}


def by_certificate(kube: KubeApi) -> dict[str, str]:
    """The administrator's kubeconfig with more contexts, of which the current one leads nowhere."""
    config = json.loads(kube.admin_kubeconfig.read_text())
    config['clusters'].append({'name': 'old', 'cluster': {'server': 'https://127.0.0.1:1'}})
    config['contexts'].append({'name': 'old', 'context': {'cluster': 'old', 'user': 'user'}})
    config['current-context'] = 'old'
    for name in ('crt', 'key'):  # files, where the other kubeconfigs have data; relative to the kubeconfig
        kind = {'crt': 'client-certificate', 'key': 'client-key'}[name]
        del config['users'][0]['user'][f'{kind}-data']
        config['users'][0]['user'][kind] = f'admin.{name}'
    (kube.directory / 'admin.key').chmod(0o644)  # zebra's user, who reads it, has another number in each release
    path = kube.directory / 'several.kubeconfig'
    path.write_text(json.dumps(config))
    return {'kubeconfig': str(path), 'context': 'lab'}


@pytest.mark.parametrize('way', [by_service_account, by_token, by_certificate])
def test_smoke(start: Start, kube: KubeApi, way: Callable[[KubeApi], dict[str, str]]) -> None:
    lab, daemon = start(kubernetes=way(kube))
    everything = populate(kube, 2)
    daemon.start()
    lab.tor.wait_for(everything)
    set_ready(kube, 'p1', False)
    lab.tor.wait_for(prefixes(0))
    wait_connected(daemon)


def test_only_the_rights_it_asks_for(start: Start, kube: KubeApi) -> None:
    """List and watch are enough; get is not used."""
    lab, daemon = start()
    kube.service_account('frugal', rules=[{**rule, 'verbs': ['list', 'watch']} for rule in RULES])
    everything = populate(kube, 2)
    daemon.settings['kubernetes']['service_account'] = str(kube.directory / 'accounts' / 'cosmolet-frugal')
    daemon.write_config()
    daemon.start()
    lab.tor.wait_for(everything)
    assert not daemon.log_lines('level=warn')


def test_namespaces_by_their_labels(start: Start, kube: KubeApi) -> None:
    """Services of those that the selector selects: labels change, namespaces go, and so do selectors."""
    kube.service_account('chooser')
    account = {'service_account': str(kube.directory / 'accounts' / 'cosmolet-chooser')}
    lab, daemon = start(kubernetes=account, services={'namespace_selector': 'team in (shop,web),!private'})
    label = lambda name, **labels: kube.request('PATCH', f'/api/v1/namespaces/{name}', {'metadata': {'labels': labels}})  # noqa: E731
    addresses = {'default': '10.96.9.5/32', 'blue': '10.96.9.6/32', 'brief': '10.96.9.7/32'}
    for name, address in addresses.items():
        kube.namespace(name)
        kube.service('one', {'app': 'one'}, name, clusterIP=address.split('/')[0])
        kube.pod('one', NODE, {'app': 'one'}, name)
    label('default', team='shop')
    label('brief', team='web')

    # Namespaces are nothing that cosmolet may read, until this is asked for.
    daemon.start(ready=False)
    daemon.wait_log('level=warn', 'stream=namespaces', '403')
    wait_error(daemon, 'namespaces', '403', 'namespaces')
    assert 'namespaces: ' in daemon.get('/readyz')[1]
    rule = {'apiGroups': [''], 'resources': ['namespaces'], 'verbs': ['list', 'watch']}
    kube.request('PATCH', '/apis/rbac.authorization.k8s.io/v1/clusterroles/chooser', {'rules': [*RULES, rule]})
    lab.tor.wait_for({addresses['default'], addresses['brief']}, timeout=60)
    assert daemon.streams()['namespaces']['plan'] == \
        'namespaces with labels team in (shop,web),!private (only services of such namespaces are wanted)'
    status = daemon.status()
    assert status['kubernetes']['namespaces'] == 2
    assert {a['address']: a['reason'] for a in status['addresses'] if a['state'] == 'down'} == \
        {'10.96.9.6': 'namespace_selector', '10.96.0.1': 'api_server'}
    assert 'services.namespace_selector of the configuration (team in (shop,web),!private) does not select its namespace' \
        in daemon.get('/why?q=blue/one')[1]

    # Labels move it in and out, and nothing else is even updated.
    everything = {addresses['default'], addresses['brief']}
    one = {addresses['default']}
    leaves_and_returns(lab, everything, one, lambda: label('default', team=None), lambda: label('default', team='web'))
    leaves_and_returns(lab, everything, one, lambda: label('default', private='x'), lambda: label('default', private=None))
    changes(lab, 'announce', set(addresses.values()), {addresses['blue']}, lambda: label('blue', team='shop'))

    # The namespace goes; its service would have gone before, had there been a controller.
    kube.request('DELETE', '/api/v1/namespaces/brief')
    end = {'metadata': {'name': 'brief'}, 'spec': {'finalizers': []}}
    changes(lab, 'withdraw', {addresses['default'], addresses['blue']}, {addresses['brief']},
            lambda: kube.request('PUT', '/api/v1/namespaces/brief/finalize', end))

    # Another selector, one that is none, and none at all.
    mark = time.time()
    daemon.settings['services'] = {'namespace_selector': 'team=shop'}
    daemon.write_config()
    lab.tor.wait_for({addresses['blue']})
    daemon.settings['services'] = {'namespace_selector': 'team=shop,'}
    daemon.write_config()
    daemon.wait_log('level=error', 'services.namespace_selector', 'at character 11')
    daemon.settings['services'] = {}
    daemon.write_config()
    lab.tor.wait_for(set(addresses.values()))
    assert 'namespaces' not in daemon.streams()
    assert sorted((e.kind, e.prefix) for e in lab.tor.events(mark)) == [
        ('announce', addresses['default']), ('announce', addresses['brief']), ('withdraw', addresses['default'])]
    for name in ('default', 'blue'):
        label(name, team=None)


# Life with the API server

def wait_error(daemon: Cosmolet, stream: str, *words: str, timeout: float = 20) -> None:
    """Until /status tells of a watch that it is not open, and why."""
    def told() -> bool:
        found = daemon.streams()[stream]
        return not found['connected'] and all(word in found.get('error', '') for word in words)

    wait_until(told, timeout, f'/status to tell {words} of {stream}', explain=lambda: f'{daemon.streams()}\n{daemon.tail()}')


def test_api_server_away(start: Start, kube: KubeApi) -> None:
    lab, daemon = start()
    everything = populate(kube, 10)
    daemon.start()
    lab.tor.wait_for(everything)
    wait_connected(daemon)
    mark = time.time()
    kube.kill('apiserver')
    for stream in daemon.streams():
        wait_error(daemon, stream, 'cannot connect')
    assert daemon.get('/readyz')[0] == 200  # it still does its work
    assert sorted(daemon.states().values()) == ['announced'] * 20 + ['down']  # the down one is the API server's own
    assert lab.tor.events(mark) == []

    # One line for the loss of each watch and its reason, not one for each attempt.
    reasons = [line.partition('stream=')[2] for line in daemon.log_lines('level=warn')]
    assert reasons and len(reasons) == len(set(reasons)), daemon.tail()

    # Most likely written before a watch is open again, and in any case seen.
    kube.start('apiserver')
    set_ready(kube, 'p3', False)
    lab.tor.wait_for(everything - prefixes(3), timeout=60)
    wait_connected(daemon)
    assert only(lab, mark, 'withdraw', prefixes(3))


def test_killed_while_the_api_server_is_away(start: Start, kube: KubeApi) -> None:
    """Nothing is known then, and nothing is withdrawn out of ignorance."""
    lab, daemon = start()
    everything = populate(kube, 3)
    daemon.start()
    lab.tor.wait_for(everything)
    mark = time.time()
    kube.kill('apiserver')
    daemon.kill()
    daemon.start(ready=False)
    wait_until(lambda: daemon.get('/readyz')[0] == 503, 10, 'not ready')
    assert kube.server in daemon.get('/readyz')[1]
    wait_until(lambda: daemon.status()['zebra']['leftovers'] == len(everything), 10, 'the routes of the former life')
    wait_error(daemon, 'services', 'cannot connect')
    kube.start('apiserver')
    daemon.wait_ready(60)
    daemon.wait_states({**{address(i): 'announced' for i in range(3) for address in (v4, v6)}, '10.96.0.1': 'down'})
    assert lab.tor.events(mark) == []


def test_history_forgotten(start: Start, kube: KubeApi) -> None:
    """etcd is compacted while the API server is away: 410, and a new list that costs no withdrawal."""
    lab, daemon = start()
    everything = populate(kube, 10)
    daemon.start()
    lab.tor.wait_for(everything)
    wait_connected(daemon)
    lists = {name: stream['lists'] for name, stream in daemon.streams().items()}
    for _ in range(3):
        kube.ensure('/api/v1/namespaces/default/configmaps', {'metadata': {'name': f'unrelated-{time.time_ns()}'}})
    mark = time.time()
    kube.kill('apiserver')
    compact(kube)
    kube.start('apiserver')
    set_ready(kube, 'p4', False)
    kube.delete('services', 's5')
    lab.tor.wait_for(everything - prefixes(4, 5), timeout=60)
    wait_connected(daemon)
    assert only(lab, mark, 'withdraw', prefixes(4, 5))
    assert any(stream['lists'] > lists[name] for name, stream in daemon.streams().items())


def compact(kube: KubeApi) -> None:
    """Makes etcd forget all of its history but the present."""
    def ask(path: str, body: dict[str, Any]) -> Any:
        text = json.dumps(body)
        with connect(kube.namespace_name, '127.0.0.1', 2379, 5) as s:
            s.sendall(f'POST {path} HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n{text}'.encode())
            return json.loads(s.makefile('rb').read().split(b'\r\n\r\n', 1)[1])

    revision = ask('/v3/kv/range', {'key': 'AA=='})['header']['revision']
    assert 'header' in ask('/v3/kv/compaction', {'revision': revision, 'physical': True})


def test_token_refused_and_renewed(start: Start, kube: KubeApi) -> None:
    account: ServiceAccount = kube.service_account('fleeting')
    lab, daemon = start(kubernetes={'service_account': str(account.directory)})
    everything = populate(kube, 3)
    daemon.start()
    lab.tor.wait_for(everything)
    mark = time.time()

    # An open watch outlives its token; the next request is refused.
    kube.request('DELETE', '/api/v1/namespaces/cosmolet/serviceaccounts/fleeting')
    kube.kill('apiserver')
    kube.start('apiserver')
    wait_error(daemon, 'pods', 'HTTP 401', timeout=30)
    assert daemon.log_lines('level=warn', 'HTTP 401')
    assert lab.tor.events(mark) == []

    kube.service_account('fleeting')
    set_ready(kube, 'p1', False)
    lab.tor.wait_for(everything - prefixes(1), timeout=60)
    wait_connected(daemon)
    assert only(lab, mark, 'withdraw', prefixes(1))


def test_one_resource_denied(start: Start, kube: KubeApi) -> None:
    """What only some services need is missing only to them."""
    lab, daemon = start(kubernetes={'service_account': str(kube.service_account('partly', rules=RULES[:1]).directory)})
    everything = populate(kube, 3)
    apply(kube, [service('manual', selector=None, clusterIP='10.96.9.4')])
    kube.request('POST', SLICES, slice_of('manual-2', 'manual'))
    daemon.start()
    lab.tor.wait_for(everything)
    wait_error(daemon, 'endpointslices', '403', 'endpointslices')
    assert len(daemon.log_lines('level=warn', 'stream=endpointslices', '403')) == 1
    set_ready(kube, 'p1', False)
    lab.tor.wait_for(everything - prefixes(1))
    assert {name for name, s in daemon.streams().items() if s['connected']} == {'services', 'pods', 'nodes'}

    rules = {'metadata': {'name': 'partly'}, 'rules': list(RULES)}
    kube.request('PATCH', '/apis/rbac.authorization.k8s.io/v1/clusterroles/partly', rules)
    lab.tor.wait_for(everything - prefixes(1) | {'10.96.9.4/32'}, timeout=60)

    # Denied again: what cannot be known is no reason to withdraw, not even for a new life.
    kube.request('PATCH', '/apis/rbac.authorization.k8s.io/v1/clusterroles/partly', rules | {'rules': list(RULES[:1])})
    wait_rights(kube, 'partly', RULES, lambda verb, resource: resource in RULES[0]['resources'])
    mark = time.time()
    daemon.kill()
    daemon.start()
    wait_error(daemon, 'endpointslices', '403', 'endpointslices')
    assert 'its EndpointSlices are not known yet' in daemon.get('/why?q=10.96.9.4')[1]
    time.sleep(2)
    assert lab.tor.events(mark) == []
    assert daemon.states()['10.96.9.4'] == 'announced'
    kube.request('PATCH', '/apis/rbac.authorization.k8s.io/v1/clusterroles/partly', rules)
    wait_connected(daemon)
    kube.request('DELETE', f'{SLICES}/manual-2')
    lab.tor.wait_for(everything - prefixes(1))


def test_node_denied_from_the_start(start: Start, kube: KubeApi) -> None:
    """What every service needs is missing to all: nothing is decided, and it says what is missing."""
    rules = [{'apiGroups': [''], 'resources': ['services', 'pods'], 'verbs': ['list', 'watch']}]
    lab, daemon = start(kubernetes={'service_account': str(kube.service_account('nodeless', rules=rules).directory)})
    populate(kube, 2)
    daemon.start(ready=False)
    daemon.wait_log('level=warn', 'stream=nodes', '403')
    wait_error(daemon, 'nodes', '403', 'nodes')
    streams = daemon.streams()
    assert streams['services']['synced'] and streams['pods']['synced'] and not streams['nodes']['synced']
    assert daemon.get('/readyz')[0] == 503
    assert lab.tor.services() == {}
