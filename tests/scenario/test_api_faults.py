"""An API server that answers nonsense, or not at all: what was known stays, it is told, and the right answer mends it.

FRR and the ToR are real, so "stays" means that the ToR hears nothing.
"""

from __future__ import annotations

import json
import random
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import pytest
from cosmolet import NODE, Cosmolet, pod, service
from fake_api import Answer, Certificates, FakeApi, event, status
from lab import Lab
from sandbox import wait_until

EVERYTHING = {'10.96.0.10/32', 'fd00:96::10/128', '10.96.0.11/32', 'fd00:96::11/128'}
OF_P1 = {'10.96.0.11/32', 'fd00:96::11/128'}


@dataclass
class World:
    lab: Lab
    api: FakeApi
    daemon: Cosmolet
    mark: float = 0


@pytest.fixture
def world(network: Lab, certificates: Certificates, cosmolet: Path, tmp_path: Path) -> Iterator[World]:
    """Two services of both families announced, each with a pod; all watches open."""
    api = FakeApi(network.node.namespace, certificates)
    api.put(service('s0', ['10.96.0.10', 'fd00:96::10']), service('s1', ['10.96.0.11', 'fd00:96::11']), pod('p0', 's0'),
            pod('p1', 's1'), {'kind': 'Node', 'metadata': {'name': NODE}})
    daemon = Cosmolet(network.node, tmp_path,
                      kubernetes={'source': 'cluster', 'kubeconfig': str(certificates.kubeconfig(tmp_path / 'kubeconfig'))})
    daemon.start()
    made = World(network, api, daemon)
    network.tor.wait_for(EVERYTHING)
    wait_connected(daemon)
    made.mark = time.time()
    yield made
    daemon.close()
    api.close()


def wait_connected(daemon: Cosmolet) -> None:
    wait_until(lambda: all(s['connected'] for s in daemon.streams().values()), 20, 'all watches', explain=daemon.tail)


def still_works(world: World) -> None:
    """Nothing was withdrawn so far; now a pod fails, and exactly that is seen."""
    assert world.daemon.states() == {p.split('/')[0]: 'announced' for p in EVERYTHING}
    assert world.lab.tor.events(world.mark) == []
    world.api.heal()
    world.api.put(pod('p1', 's1', ready=False))
    world.lab.tor.wait_for(EVERYTHING - OF_P1, timeout=20)
    assert sorted((e.kind, e.prefix) for e in world.lab.tor.events(world.mark)) == sorted(('withdraw', p) for p in OF_P1)
    wait_connected(world.daemon)


def warnings(world: World, *words: str) -> list[str]:
    return world.daemon.log_lines('level=warn', *words)


def test_lists_are_compressed(world: World) -> None:
    """And nothing else: what decompresses a watch might hold events back."""
    assert set(world.api.compressible) == {path for path in world.api.requests if 'watch=1' not in path} != set()


# More than a real API server can bring

def test_thousands_of_changes(world: World) -> None:
    """10,000 services, and 5,000 changes of them as fast as they can be written: a thousand a second take a part of a core at most,
    none is lost, and nothing is listed again. (A kube-apiserver on such a machine writes some hundred a second.)"""
    def one(i: int, address: int) -> dict[str, Any]:
        return service(f'm{i}', [f'10.97.{address >> 8}.{address & 255}'], selector={'app': f'a{i}'})

    def delete(name: str) -> None:
        with world.api.lock:
            world.api.version += 1
            gone = world.api.store['services'].pop(name)
            gone['metadata']['resourceVersion'] = str(world.api.version)
        world.api.send('services', event('DELETED', gone))

    def wanted() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, each in world.api.store['services'].items():
            for ip in each['spec']['clusterIPs']:
                found.setdefault(ip, []).append(f'default/{name}')
        return {ip: sorted(names) for ip, names in found.items()}

    def known() -> dict[str, list[str]]:
        return {a['address']: a['services'] for a in world.daemon.status()['addresses']}

    def spent() -> float:
        assert world.daemon.process
        return int(Path(f'/proc/{world.daemon.process.pid}/schedstat').read_text().split()[0]) / 1e9

    n, changes, choose = 10_000, 5_000, random.Random(4)
    world.api.put(*(one(i, i) for i in range(n)))
    wait_until(lambda: known() == wanted(), 60, 'all services', interval=0.5)
    lists = {name: stream['lists'] for name, stream in world.daemon.streams().items()}
    before, begin = spent(), time.monotonic()
    for _ in range(changes):
        i = choose.randrange(n)
        if choose.random() < 0.2 and f'm{i}' in world.api.store['services']:
            delete(f'm{i}')
        else:
            world.api.put(one(i, choose.randrange(n)))
    written = time.monotonic() - begin
    wait_until(lambda: world.daemon.streams()['services']['events'] == n + changes + 2, 60, 'all changes', interval=0.2)
    each = (spent() - before) / changes
    print(f'{changes / written:.0f} changes/s written, {1e6 * each:.0f} us of the processor each')
    assert each < 0.0005
    assert known() == wanted()
    assert {name: stream['lists'] for name, stream in world.daemon.streams().items()} == lists
    assert {a for a, state in world.daemon.states().items() if state == 'announced'} == {p.split('/')[0] for p in EVERYTHING}
    assert world.lab.tor.events(world.mark) == []


# Within an open watch

def broken_pod(**changes: Any) -> dict[str, Any]:
    return {**pod('p1', 's1'), **changes}


SPOILED_EVENTS: dict[str, bytes] = {
    'no fields': event('MODIFIED', {'kind': 'Pod', 'apiVersion': 'v1'}),
    'fields of other types': event('MODIFIED', {'kind': 'Pod', 'metadata': [], 'spec': 7, 'status': 'Running'}),
    'no name': event('DELETED', broken_pod(metadata={'labels': {'app': 's1'}})),
    'no object': b'{"type":"DELETED"}\n',
    'null object': b'{"type":"DELETED","object":null}\n',
    'unknown type': event('EXPLODED', broken_pod()),
    'no type': b'{"object":{"kind":"Pod"}}\n',
    'no JSON within its brackets': b'{"type":"MODIFIED","object":{"kind":nonsense}}\n',
    'invalid UTF-8': b'{"type":"MODIFIED","object":{"kind":"Pod","metadata":{"name":"\xff\xfe"}}}\n',
    '17 MiB': event('MODIFIED', broken_pod(metadata={'name': 'p1', 'annotations': {'a': 'x' * (17 << 20)}})),
}


@pytest.mark.parametrize('line', SPOILED_EVENTS.values(), ids=SPOILED_EVENTS.keys())
def test_event_is_passed_over(world: World, line: bytes) -> None:
    world.api.send('pods', line, remember=False)
    wait_until(lambda: world.daemon.streams()['pods']['problems'] == 1, 10, 'a problem to be counted',
               explain=world.daemon.tail)
    assert 'cosmolet_watch_problems_total{resource="pods",namespace=""} 1\n' in world.daemon.get('/metrics')[1]
    assert len(warnings(world, 'stream=pods')) == 1
    assert world.daemon.streams()['pods']['connected']
    still_works(world)


BROKEN_STREAMS: dict[str, bytes] = {
    'garbage': b'\x00\x01}}}]]<<< not JSON at all\n',
    'half an object': b'{"type":"DELETED","object":{"kind":"Pod","metadata":{"name":"p1"',
    'HTML': b'<html><body>Your session has expired</body></html>',
}


@pytest.mark.parametrize('octets', BROKEN_STREAMS.values(), ids=BROKEN_STREAMS.keys())
def test_watch_breaks(world: World, octets: bytes) -> None:
    """It goes on from where it was, without a new list."""
    lists = world.api.count('list')
    world.api.send('pods', octets, remember=False)
    world.api.end_watches(cleanly=False)
    world.daemon.wait_log('level=warn', 'stream=pods')
    assert len(warnings(world, 'stream=pods')) == 1
    still_works(world)
    assert world.api.count('list') == lists


def test_large_object(world: World) -> None:
    """10 MiB are a nuisance, but an object as any other."""
    large = pod('p1', 's1', ready=False)
    large['metadata']['annotations'] = {'a': 'x' * (10 << 20)}
    world.api.put(large)
    world.lab.tor.wait_for(EVERYTHING - OF_P1)
    assert not warnings(world)


def test_history_forgotten_within_the_watch(world: World) -> None:
    """HTTP 200, and then an ERROR event with 410; the server may even leave the watch open."""
    lists = world.daemon.streams()['pods']['lists']
    world.api.send('pods', event('ERROR', json.loads(status(410, 'Expired', 'too old resource version'))), remember=False)
    wait_until(lambda: world.daemon.streams()['pods']['lists'] == lists + 1, 10, 'a new list', explain=world.daemon.tail)
    still_works(world)


def test_flood_of_nonsense(world: World) -> None:
    """Counted each, told now and then: a peer must not be able to fill the disk."""
    world.api.send('pods', SPOILED_EVENTS['no fields'] * 1000, remember=False)
    wait_until(lambda: world.daemon.streams()['pods']['problems'] == 1000, 20, '1000 problems', explain=world.daemon.tail)
    assert 1 <= len(warnings(world)) <= 15
    still_works(world)


# Instead of a watch

REFUSALS: dict[str, tuple[Answer, str]] = {
    'no JSON': (Answer(200, b'It works!'), 'pods'),
    'JSON of another kind': (Answer(200, b'[1, 2, 3]'), 'pods'),
    'too many requests, as text': (Answer(429, b'Too many requests, please try again later.\n',
                                          {'Content-Type': 'text/plain', 'Retry-After': '2'}), 'HTTP 429: Too many requests'),
    'a page of the balancer': (Answer(503, b'<html><body><h1>503 Service Unavailable</h1>\nNo server is available',
                                      {'Content-Type': 'text/html'}), 'HTTP 503'),
    'server error': (Answer(500, b'<html>Internal Server Error</html>', {'Content-Type': 'text/html'}), 'HTTP 500'),
    'redirect': (Answer(302, b'', {'Location': '/api/v1/stolen'}), 'HTTP 302'),
    'empty': (Answer(500, b''), 'HTTP 500'),
}


@pytest.mark.parametrize('answer, words', REFUSALS.values(), ids=REFUSALS.keys())
def test_watch_refused(world: World, answer: Answer, words: str) -> None:
    world.api.answer('pods', 'watch', answer)
    begin = world.api.count('watch', 'pods')
    world.api.end_watches()
    wait_until(lambda: world.api.count('watch', 'pods') > begin + 1, 30, 'two attempts', explain=world.daemon.tail)
    first, second = world.api.times('watch', 'pods')[begin:begin + 2]
    assert second - first > int(answer.headers.get('Retry-After', 0)) - 0.1
    world.daemon.wait_log('level=warn', 'stream=pods', words)
    assert len(warnings(world, 'stream=pods')) == 1
    assert words in world.daemon.streams()['pods']['error']
    assert 'cosmolet_watch_connected{resource="pods",namespace=""} 0\n' in world.daemon.get('/metrics')[1]
    assert not any('stolen' in path for path in world.api.requests), 'it followed the redirect, with the token'
    still_works(world)


def test_history_forgotten(world: World) -> None:
    """410 as HTTP status: a new list, at once, and what it lacks is gone."""
    world.api.answer('pods', 'watch', Answer(410, status(410, 'Expired'), once=True))
    relists = 'watch_relists_total{resource="pods",namespace=""}'
    assert world.daemon.metric(relists) == 0
    world.api.end_watches()
    wait_until(lambda: world.daemon.metric(relists) == 1, 10, 'a new list', explain=world.daemon.tail)
    assert world.daemon.total('watch_relists_total') == 1
    still_works(world)


def test_list_in_pages(world: World) -> None:
    """We do not ask for that; a server may do it all the same. What is on a later page is not gone after the first."""
    world.api.put(pod('p2', 's0'))
    wait_until(lambda: world.daemon.streams()['pods']['events'] == 3, 10, 'the pod', explain=world.daemon.tail)
    world.api.page = 1
    lists = world.daemon.streams()['pods']['lists']
    again(world)
    wait_until(lambda: world.daemon.streams()['pods']['lists'] > lists, 10, 'a new list', explain=world.daemon.tail)
    assert [path.partition('continue=')[2] for path in world.api.requests if 'continue=' in path] == ['1', '2']
    assert not warnings(world, 'cannot list')
    still_works(world)


def test_pages_expire(world: World) -> None:
    """All begins anew, and in the end slowly; until it is whole, nothing is believed to be gone, and nothing lost that is."""
    world.api.page = 1
    world.api.answer('pods', 'page', Answer(410, status(410, 'Expired', 'The provided continue parameter is too old')))
    lists, begin = world.api.count('list', 'pods'), time.monotonic()
    again(world)
    world.daemon.wait_log('level=warn', 'stream=pods', 'cannot list', 'HTTP 410: The provided continue parameter is too old')
    time.sleep(1)
    assert world.api.count('list', 'pods') - lists <= 4 + 4 * (time.monotonic() - begin)
    assert not any('limit=' in path for path in world.api.requests)
    with world.api.lock:
        del world.api.store['pods']['p0']
    assert world.daemon.states() == {p.split('/')[0]: 'announced' for p in EVERYTHING} and not world.lab.tor.events(world.mark)
    world.api.heal()
    world.lab.tor.wait_for(OF_P1)
    assert all(e.kind == 'withdraw' and e.prefix not in OF_P1 for e in world.lab.tor.events(world.mark))


def again(world: World) -> None:
    """Pods are listed once more."""
    world.api.send('pods', event('ERROR', json.loads(status(410, 'Expired'))), remember=False)


HALF_LISTS: dict[str, Answer] = {
    'half a list': Answer(200, b'{"kind":"List","metadata":{"resourceVersion":"2000"},"items":[', cut=True),
    'complete as HTTP, but half a list': Answer(200, b'{"kind":"List","metadata":{"resourceVersion":"2000"},"items":['),
    'no items at all': Answer(200, b'{"kind":"List","metadata":{"resourceVersion":"2000"}}'),
    'no list': Answer(200, b'{"kind":"Status","status":"Success"}'),
    'no version': Answer(200, b'{"kind":"List","metadata":{},"items":[]}'),
    'nothing': Answer(200, b''),
    'items that are none': Answer(200, b'{"metadata":{"resourceVersion":"2000"},"items":"many"}'),
}


@pytest.mark.parametrize('answer', HALF_LISTS.values(), ids=HALF_LISTS.keys())
def test_list_is_not_believed(world: World, answer: Answer) -> None:
    """A list that is not whole must not take away what it does not name."""
    world.api.answer('pods', 'watch', Answer(410, status(410, 'Expired')))
    world.api.answer('pods', 'list', answer)
    lists = world.daemon.streams()['pods']['lists']
    world.api.end_watches()
    world.daemon.wait_log('level=warn', 'stream=pods', 'cannot list')
    assert world.daemon.streams()['pods']['lists'] == lists
    still_works(world)


# Before any answer

@pytest.mark.parametrize('certificate, words', [('expired', 'certificate has expired'), ('of-a-stranger', 'issuer certificate'),
                                                ('of-another-name', 'alternative certificate subject name')])
def test_certificate_refused(world: World, certificate: str, words: str) -> None:
    world.api.present(certificate)
    requests, connections = len(world.api.requests), world.api.connections
    world.api.end_watches()
    wait_until(lambda: world.api.connections >= connections + 6, 20, 'two attempts of three watches', explain=world.daemon.tail)
    assert len(world.api.requests) == requests, 'it sent a request, with the token, to a server that it cannot know'
    assert len(warnings(world, 'stream=pods', words)) == 1, world.daemon.tail()
    still_works(world)


def test_certificate_refused_at_the_start(world: World) -> None:
    world.daemon.kill()
    world.api.present('of-a-stranger')
    world.daemon.start(ready=False)
    world.daemon.wait_log('level=warn', 'certificate')
    ready, text = world.daemon.get('/readyz')
    assert ready == 503 and 'https://127.0.0.1:6443' in text
    assert world.daemon.get('/livez')[0] == 200  # a restart would not help
    world.api.heal()
    world.daemon.wait_ready()
    still_works(world)


def restart(world: World, certificates: Certificates, **cluster: Any) -> None:
    """With another kubeconfig."""
    world.daemon.kill()
    certificates.kubeconfig(world.daemon.directory / 'kubeconfig', **cluster)
    world.daemon.start(ready=False)


def test_name_in_the_certificate(world: World, certificates: Certificates) -> None:
    """It is to have that of tls-server-name, wherever the server is; even if it has that of its address."""
    world.api.present('of-another-name')
    restart(world, certificates, **{'tls-server-name': 'somebody.else.example', 'certificate-authority': str(certificates.paths('ca')[0])})
    world.daemon.wait_ready()
    wait_connected(world.daemon)
    world.api.present('server')
    world.api.end_watches(cleanly=False)
    world.daemon.wait_log('level=warn', 'alternative certificate subject name')
    world.api.present('of-another-name')
    wait_connected(world.daemon)


def test_certificate_not_verified(world: World, certificates: Certificates) -> None:
    """Whoever it is from, if the kubeconfig wants that; which is told each time."""
    world.api.present('of-a-stranger')
    restart(world, certificates, **{'insecure-skip-tls-verify': True})
    world.daemon.wait_ready()
    wait_connected(world.daemon)
    assert len(warnings(world, 'insecure-skip-tls-verify')) == 1
    still_works(world)


@pytest.mark.filterwarnings('ignore:.*TLSv1_1 is deprecated')
def test_tls_of_the_past(world: World, certificates: Certificates) -> None:
    """1.1 is refused even where OpenSSL is made to allow it."""
    settings = certificates.directory / 'past.cnf'
    settings.write_text('openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = lax\n'
                        '[lax]\nMinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0\n')
    world.daemon.environment['OPENSSL_CONF'] = str(settings)
    world.api.present('server', ssl.TLSVersion.TLSv1_1)
    requests = len(world.api.requests)
    restart(world, certificates)
    world.daemon.wait_log('level=warn', 'nothing is known yet', 'protocol version')
    assert len(world.api.requests) == requests
    world.api.present('server', ssl.TLSVersion.TLSv1_2)
    world.daemon.wait_ready()
    still_works(world)


def test_authority_replaced(world: World, certificates: Certificates) -> None:
    """As an operator does it: both authorities for a while, then servers with certificates of the new one."""
    known, new = certificates.paths('ca')[0], certificates.paths('strangers-ca')[0]
    before = known.read_text()
    try:
        swap(known, before + new.read_text())
        world.api.present('of-a-stranger')
        watches = world.api.count('watch')  # another connection asks now and then for what it does not know
        world.api.end_watches()
        wait_until(lambda: world.api.count('watch') >= watches + 3, 20, 'new watches', explain=world.daemon.tail)
        wait_connected(world.daemon)
    finally:
        swap(known, before)
    assert not warnings(world), world.daemon.tail()
    still_works(world)


def swap(path: Path, text: str) -> None:
    """In one move, as the kubelet does."""
    other = path.with_suffix('.new')
    other.write_text(text)
    other.rename(path)


# Nothing known at all

@pytest.mark.parametrize('policy', ['tag', 'drain'])
def test_started_while_it_is_away(world: World, policy: str) -> None:
    """fail_static holds for what a former process left, too, since the start of this one; a reload amid does not prolong it."""
    lab, api, daemon = world.lab, world.api, world.daemon
    for name in ('SVC', 'SVC6'):
        lab.node.configure(f'route-map {name} permit 40', 'match tag 4713', 'set community 65001:400 additive')
    daemon.settings['announce'].update(drain_tag=4713, drain_seconds=5 if policy == 'drain' else 2)
    daemon.settings['fail_static'] = {'limit_seconds': 4, 'policy': policy}
    daemon.write_config()
    daemon.wait_log('msg=changed', 'fail_static.limit_seconds')
    daemon.wait_ready()
    daemon.kill()
    for resource in ('services', 'pods', 'nodes'):
        api.answer(resource, 'list', Answer(503, b''))
    connects = len(daemon.log_lines('msg=connected', 'room=zapi'))
    world.mark = time.time()
    daemon.start(ready=False)
    daemon.wait_log('msg=connected', 'room=zapi', more_than=connects)
    time.sleep(2)
    reloaded = time.time()
    daemon.settings['frr']['stale_seconds'] = 77
    daemon.write_config()
    daemon.wait_log('msg=connected', 'room=zapi', more_than=connects + 1)
    table = lab.tor.wait_for(lambda t: {c for route in t.values() for c in route.communities} == {'65001:400'})
    first = lab.tor.events(world.mark)[0]
    assert set(table) == EVERYTHING and first.kind == 'announce'
    assert first.time - world.mark > 3.5 and first.time - reloaded < 3.5
    assert daemon.status()['drain'] == 'tagged'
    assert 'the API server is away' in daemon.status()['problems'][0]
    if policy == 'drain':
        lab.tor.wait_for(set())
        wait_until(lambda: not lab.node.run(['ip', 'route', 'show', 'table', 'local', 'proto', '237']).stdout.strip(), 10, 'nothing to be bound')
    else:
        time.sleep(3)
        assert set(lab.tor.services()) == EVERYTHING
    # Another policy takes it back, though nothing is known yet.
    daemon.settings['fail_static']['policy'] = 'keep'
    daemon.write_config()
    lab.tor.wait_for(lambda t: set(t) == EVERYTHING and '65001:400' not in {c for r in t.values() for c in r.communities})
    assert daemon.status()['drain'] == 'none' and 'the API server is away' in daemon.status()['problems'][0]

    api.heal()
    api.put(pod('p1', 's1', ready=False))  # changed meanwhile
    lab.tor.wait_for(lambda t: set(t) == EVERYTHING - OF_P1 and '65001:400' not in {c for r in t.values() for c in r.communities},
                     timeout=30)
    daemon.wait_ready()
    assert daemon.status()['drain'] == 'none' and daemon.status()['problems'] == []

    # Parts that are made anew in the midst of it know nothing yet, but what they are to know is no older than they are.
    api.answer('services', 'list', Answer(503, b''))
    connects = len(daemon.log_lines('msg=connected', 'room=zapi'))
    daemon.settings['frr']['stale_seconds'] = 78
    daemon.write_config()
    daemon.wait_log('msg=connected', 'room=zapi', more_than=connects)
    assert not daemon.metric('synced') and 0 < daemon.metric('stale_seconds') < 3
