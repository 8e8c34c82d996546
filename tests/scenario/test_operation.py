"""What an operator does and gets wrong: manifests, the configuration, questions over HTTP, a second daemon, the end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import COMMUNITY, Lab
from sandbox import connect, inside, wait_until

V4, V6 = '10.96.0.10', 'fd00:96::10'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}
DRAIN_TAG, DRAIN_COMMUNITY, DRAIN_SECONDS = 4713, '65001:400', 5


@pytest.fixture(scope='module')
def network() -> Iterator[Lab]:
    """A lab whose operator has a rule for draining as well."""
    with Lab() as made:
        for name in ('SVC', 'SVC6'):
            made.node.configure(f'route-map {name} permit 40', f'match tag {DRAIN_TAG}',
                                f'set community {DRAIN_COMMUNITY} additive')
        yield made


@pytest.fixture
def daemon(network: Lab, cosmolet: Path, tmp_path: Path) -> Iterator[Cosmolet]:
    """Not started, with one service to announce; what it leaves is taken away."""
    made = Cosmolet(network.node, tmp_path, announce={'drain_tag': DRAIN_TAG, 'drain_seconds': DRAIN_SECONDS})
    made.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    yield made
    made.close()
    assert made.command('withdraw', '--config', str(made.config)).returncode == 0
    network.tor.wait_for(set())


def start(daemon: Cosmolet, network: Lab) -> float:
    """Starts it; returns when all is announced, with the time."""
    daemon.start()
    network.tor.wait_for(WEB)
    daemon.wait_states(UP)
    return time.time()


def test_waits_for_kube_proxy(daemon: Cosmolet, network: Lab) -> None:
    """Nothing is announced, nor withdrawn, before kube-proxy is well; afterwards nobody asks it again."""
    start(daemon, network)
    mark = time.time()
    daemon.kill()
    daemon.settings['announce']['wait_for'] = 'http://127.0.0.1:10256/healthz'
    daemon.write_config()
    daemon.manifest('gone', service('gone', ['10.96.0.11']), pod('gone-1', 'gone'))
    daemon.start(ready=False)
    for answer, reason in ((None, 'refused'), ('HTTP/1.0 503 Service Unavailable', 'it answers 503'), ('SSH-2.0-OpenSSH_9.2 Debian',
                           'it does not speak HTTP'), ('HTTP/1.1', 'it hangs up')):
        with healthz(network, answer):
            wait_until(lambda: reason in daemon.get('/readyz')[1], 5, reason, explain=lambda: daemon.get('/readyz')[1])
            assert daemon.get('/readyz')[0] == 503 and reason in daemon.status()['problems'][0]
    assert set(network.tor.services()) == WEB and network.tor.events(mark) == []

    with healthz(network, 'HTTP/1.1 200 OK\r\nContent-Type: application/json'):
        network.tor.wait_for(WEB | {'10.96.0.11/32'})
        daemon.wait_ready()
    daemon.settings['announce']['metric'] = 7
    daemon.settings['http'] = {'listen': '127.0.0.1:9474'}
    daemon.settings['kubernetes']['start_spread_seconds'] = 1  # makes the parts anew
    daemon.write_config()
    daemon.wait_log('room=config', 'changed', 'start_spread_seconds')
    network.tor.wait_for(lambda table: all(route.med == 7 for route in table.values()))
    daemon.wait_ready()
    daemon.manifest('gone')
    network.tor.wait_for(WEB)


def test_drains_while_kube_proxy_is_unwell(daemon: Cosmolet, network: Lab) -> None:
    """Where that is asked for; kube-proxy has no rules for what is new then, and says so."""
    daemon.settings['announce'].update({'wait_for': 'http://127.0.0.1:10256/healthz', 'drain_on': ['wait_for'], 'drain_seconds': 0})
    daemon.write_config()
    with healthz(network, 'HTTP/1.1 200 OK\r\nContent-Type: application/json'):
        start(daemon, network)
    with healthz(network, 'HTTP/1.0 503 Service Unavailable'):
        network.tor.wait_for(set())
        assert 'http://127.0.0.1:10256/healthz: it answers 503 (announce.wait_for)' in daemon.command('why', V4).stdout
        daemon.settings['frr']['stale_seconds'] = 77  # makes the parts anew, which know of it
        daemon.write_config()
        daemon.wait_log('room=config', 'changed', 'stale_seconds')
        daemon.wait_ready()
        assert daemon.status()['drain'] == 'withdrawn' and set(network.tor.services()) == set()
    with healthz(network, 'HTTP/1.1 200 OK\r\nContent-Type: application/json'):
        network.tor.wait_for(WEB)
        daemon.wait_states(UP)


@contextlib.contextmanager
def healthz(network: Lab, answer: str | None) -> Iterator[None]:
    """Somebody on kube-proxy's port who gives every caller this answer; None: nobody."""
    if answer is None:
        yield
        return
    with inside(network.node.namespace):
        server = socket.create_server(('127.0.0.1', 10256))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                caller = server.accept()[0]
                with caller:
                    caller.recv(1000)
                    caller.sendall(f'{answer}\r\n\r\n'.encode() if len(answer) > 10 else answer.encode())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_sysctls(daemon: Cosmolet, network: Lab) -> None:
    """Advice where a setting does harm, once, and no more when it is followed."""
    def conf(**settings: int) -> None:
        for name, value in settings.items():
            where = 'uplink' if name == 'rp_filter' else 'all'
            network.node.run(['sh', '-c', f'echo {value} >/proc/sys/net/ipv4/conf/{where}/{name}'], check=True)

    def look_again() -> None:
        daemon.settings['announce']['metric'] = daemon.settings['announce'].get('metric', 0) + 1
        daemon.write_config()

    network.node.run(['ip', 'address', 'add', '10.96.0.77/24', 'dev', 'uplink'], check=True)
    try:
        start(daemon, network)
        advice = wait_until(lambda: daemon.status()['loopback']['advice'], 5, 'advice')
        assert len(advice) == 1 and f'ARP for {V4} on uplink' in advice[0] and 'arp_ignore=1' in advice[0]
        conf(arp_ignore=1, arp_announce=2, rp_filter=1)
        network.node.run(['ip', 'route', 'add', '203.0.113.0/24', 'via', '192.0.2.2'], check=True)
        look_again()
        daemon.wait_log('room=sysctl', 'reverse path filter of uplink is strict', 'rp_filter=2')
        assert ['reverse path' in line for line in daemon.status()['loopback']['advice']] == [True]
        conf(rp_filter=2)
        look_again()
        wait_until(lambda: daemon.status()['loopback']['advice'] == [], 5, 'no more advice')
        assert len(daemon.log_lines('room=sysctl')) == 2
    finally:
        conf(arp_ignore=0, arp_announce=0, rp_filter=0)
        network.node.run(['ip', 'route', 'delete', '203.0.113.0/24'])
        network.node.run(['ip', 'address', 'delete', '10.96.0.77/24', 'dev', 'uplink'], check=True)


# Manifests

MANIFEST = '''\
apiVersion: v1
kind: Pod
metadata: {{name: web-1, namespace: default, labels: {{app: web}}}}
spec: {{nodeName: node-1}}
status:
  phase: Running
  podIPs: [{{ip: 10.244.0.1}}, {{ip: "fd00:244::1"}}]
  conditions: [{{type: Ready, status: {ready}}}]
'''


@pytest.mark.parametrize('broken, place, what', [
    (MANIFEST.replace('phase: Running', 'phase: "Running'), ':7:36', ''),
    (MANIFEST.replace('  phase', '\tphase'), ':6:1', ''),
    (MANIFEST.replace('spec:', 'metadata:'), ':4:1', 'metadata'),
    ('[' * 5000, '', ''),
], ids=['open quote', 'tab', 'key twice', 'deep'])
def test_manifest_stops_parsing(daemon: Cosmolet, network: Lab, broken: str, place: str, what: str) -> None:
    daemon.manifest('web', service('web', [V4, V6]))
    path = daemon.manifests / 'pod.yaml'
    path.write_text(MANIFEST.format(ready='"True"'))
    mark = start(daemon, network)
    path.write_text(broken.format(ready='"True"'))
    daemon.wait_log('level=warn', f'{path}{place or ":"}', what)
    assert len(daemon.log_lines('level=warn', str(path))) == 1
    stream = daemon.streams()['pod.yaml']
    assert not stream['connected'] and str(path) in stream['error']
    assert daemon.states() == UP

    # The other files still act.
    daemon.manifest('web', service('web', [V4]))
    network.tor.wait_for({f'{V4}/32'})
    assert [(e.kind, e.prefix) for e in network.tor.events(mark)] == [('withdraw', f'{V6}/128')]

    # Mended, it acts again.
    path.write_text(MANIFEST.format(ready='"False"'))
    network.tor.wait_for(set())
    assert daemon.streams()['pod.yaml']['connected']


def test_manifest_broken_at_the_start(daemon: Cosmolet, network: Lab) -> None:
    """Nobody knows what it would say: what a former life announced for it stays."""
    mark = start(daemon, network)
    daemon.kill()
    (daemon.manifests / 'web.json').write_text('{"kind": "List", "items": [')
    daemon.start(ready=False)
    daemon.wait_log('level=warn', 'web.json:')
    wait_until(lambda: daemon.status()['zebra']['connected'], 10, 'zebra')
    time.sleep(1)  # for what must not come
    assert network.tor.events(mark) == []
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    daemon.wait_ready()
    daemon.wait_states(UP)
    assert network.tor.events(mark) == []


def test_trouble_is_seen_among_hundreds(daemon: Cosmolet) -> None:
    """Metrics and status show 256 manifests; which ones, does not depend on their names."""
    for i in range(300):
        daemon.manifest(f's{i}', service(f's{i}'))
    daemon.manifest('zz')
    daemon.start()
    (daemon.manifests / 'zz.json').write_text('{"kind": "List", "items": [')
    daemon.wait_log('level=warn', 'zz.json:')
    assert not daemon.streams()['zz.json']['connected'] and len(daemon.streams()) == 256
    assert daemon.metric('watch_connected{resource="zz.json",namespace=""}') == 0
    daemon.kill()
    daemon.start(ready=False)
    wait_until(lambda: '; zz.json: ' in daemon.get('/readyz')[1], 10, 'the reason', explain=lambda: daemon.get('/readyz'))


# The configuration

BAD_CONFIGURATIONS = [
    ('node: a\nannounce:\n  tagg: 7\n', ':3:3', 'announce.tagg'),
    ('node: a\nannounce:\n  tag: many\n', ':3:8', 'announce.tag'),
    ('node: a\nannounce:\n  tag: 0\n', ':3:8', 'write a number from 1 to 4294967295'),
    ('node: a\nnode: b\n', ':2:1', 'node'),
    ('node: a\nlogging: {level: loud}\n', ':2:18', 'error, warn, info or debug'),
    ('node: a\nservices: {allow: [10.0.0.0/40]}\n', ':2:20', '10.0.0.0/40'),
    ('node: a\nannounce: {redistribute: rip}\n', ':2:26', 'static, openfabric'),
    ('node: a\nloopback: {mode: address}\n', ':2:18', 'exclude each other'),
    ('node: a\nkubernetes: {source: files}\n', '', 'kubernetes.path'),
    ('node: [a\n', ':2:1', ''),
    ('- node\n', ':1:1', ''),
    ('node: ${NO_SUCH_VARIABLE}\n', ':1:7', 'NO_SUCH_VARIABLE'),
]


@pytest.mark.parametrize('text, place, what', BAD_CONFIGURATIONS)
def test_bad_configuration(network: Lab, cosmolet: Path, tmp_path: Path, text: str, place: str, what: str) -> None:
    path = tmp_path / 'bad.yaml'
    path.write_text(text)
    for arguments in (['check', str(path)], ['run', '--config', str(path)], ['withdraw', '--config', str(path)]):
        done = network.node.run([str(cosmolet), *arguments], check=False, timeout=10)
        assert done.returncode == 3
        assert done.stdout == ''
        assert done.stderr.count('\n') == 1 and f'{path}{place}: ' in done.stderr and what in done.stderr, done.stderr


def test_good_configuration(daemon: Cosmolet, cosmolet: Path) -> None:
    """What check prints is itself a configuration, of the same effect."""
    done = daemon.command('check', str(daemon.config))
    assert (done.returncode, done.stderr) == (0, '')
    again = daemon.directory / 'again.yaml'
    again.write_text(done.stdout)
    assert daemon.command('check', str(again)).stdout == done.stdout


# Questions over HTTP

def exchange(daemon: Cosmolet, octets: bytes) -> bytes:
    """What comes back before the daemon hangs up."""
    answer = b''
    with connect(daemon.node.namespace, '127.0.0.1', 9474, 10) as s, contextlib.suppress(ConnectionError):
        s.sendall(octets)
        while more := s.recv(65536):
            answer += more
    return answer


def test_http(daemon: Cosmolet, network: Lab) -> None:
    start(daemon, network)
    expected = {
        '/metrics': 200, '/status': 200, '/livez': 200, '/healthz': 200, '/readyz': 200,
        f'/why?q={V4}': 200, '/why?q=default/web': 200,
        '/why?q=10.96.0.99': 404, '/why?q=default/nobody': 404, '/why?q=%00%ff': 400, '/why?q=': 400, '/why': 400,
        '/nothing': 404, '/status/more': 404, '/metrics/': 404, '/etc/passwd': 404, '/%2e%2e/%2e%2e/etc/passwd': 404}
    for path, status in expected.items():
        got, body = daemon.get(path)
        assert got == status, f'{path}: {got} {body}'
        assert body and 'Index of' not in body and 'root:' not in body
        assert daemon.get(path, 'HEAD') == (status, '')
    for method in ('POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'):
        assert daemon.get('/status', method)[0] == 405, method

    # HEAD tells the length of what GET would bring, and brings nothing.
    head, _, body = exchange(daemon, b'HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n').partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 200 ') and b'Content-Length: 3' in head and body == b''
    for nonsense in (b'GET /\x01\x02 HTTP/1.1\r\n\r\n', b'GET ' + b'/x' * 20000 + b' HTTP/1.1\r\n\r\n',
                     b'GET ../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n', b'\x16\x03\x01 this is no HTTP\r\n\r\n'):
        assert re.match(rb'HTTP/1.[01] 4|$', answer := exchange(daemon, nonsense)), answer[:200]
    assert daemon.get('/livez') == (200, 'ok\n')


# A second one

def test_second_cosmolet_on_the_same_zebra(daemon: Cosmolet, network: Lab, tmp_path: Path) -> None:
    mark = start(daemon, network)
    second = Cosmolet(network.node, tmp_path / 'second', http={'listen': '127.0.0.1:9475'})
    second.start(ready=False)
    assert second.process and second.process.wait(10) == 1
    assert len(second.log_lines('level=error', 'another cosmolet', str(network.node.zserv))) == 1
    done = daemon.command('withdraw', '--config', str(daemon.config))
    assert done.returncode == 1 and 'another cosmolet' in done.stderr
    assert network.tor.events(mark) == [] and daemon.states() == UP

    # The first one's end, whatever it is, makes room.
    daemon.kill()
    second.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    second.start(ready=False)
    second.wait_log('the cluster is known')
    second.stop()
    assert network.tor.events(mark) == []


def test_a_reload_makes_no_room_for_a_second_one(daemon: Cosmolet, network: Lab) -> None:
    """Whatever is built anew: who tries all the time would come between."""
    directory = os.open(network.node.zserv.parent, os.O_RDONLY)
    over = threading.Event()
    taken = []

    def grab() -> None:
        while not over.is_set() and not taken:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken.append(time.time())

    start(daemon, network)
    thread = threading.Thread(target=grab)
    thread.start()
    try:
        for listen in ('127.0.0.1:9475', '127.0.0.1:9474'):
            daemon.settings['http'] = {'listen': listen}
            daemon.write_config()
            daemon.wait_log('msg=changed', f'-> \\"{listen}')
            time.sleep(1)
    finally:
        over.set()
        thread.join()
        os.close(directory)
    assert not taken
    daemon.wait_states(UP)


# The end

def bound(network: Lab) -> set[str]:
    return {r['dst'] for r in network.node.routes('local') if str(r.get('protocol')) == '237'}


def stop_by(daemon: Cosmolet, way: str) -> None:
    daemon.settings['announce']['on_stop'] = way
    daemon.write_config()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT], ids=['SIGTERM', 'SIGINT'])
def test_stop_and_keep(daemon: Cosmolet, network: Lab, number: int) -> None:
    mark = start(daemon, network)
    assert daemon.stop(number) == 0
    time.sleep(1)  # for what must not come
    assert network.tor.events(mark) == []
    assert bound(network) == {V4, V6}, 'what is announced must be served'


def test_stop_and_withdraw(daemon: Cosmolet, network: Lab) -> None:
    stop_by(daemon, 'withdraw')
    mark = start(daemon, network)
    assert daemon.stop() == 0
    network.tor.wait_for(set())
    assert sorted((e.kind, e.prefix) for e in network.tor.events(mark)) == sorted(('withdraw', p) for p in WEB)
    assert bound(network) == set()
    assert daemon.log_lines('everything is withdrawn')


def test_stop_and_drain(daemon: Cosmolet, network: Lab) -> None:
    stop_by(daemon, 'drain')
    mark = start(daemon, network)
    assert {route.communities for route in network.tor.services().values()} == {frozenset({COMMUNITY})}
    assert daemon.process
    signalled = time.time()
    daemon.process.send_signal(signal.SIGTERM)
    table = network.tor.wait_for(lambda t: {c for route in t.values() for c in route.communities} == {DRAIN_COMMUNITY})
    assert set(table) == WEB and bound(network) == {V4, V6}
    assert daemon.status()['draining'] and daemon.get('/readyz')[0] == 503
    assert {a['tag'] for a in daemon.status()['addresses']} == {DRAIN_TAG}
    assert daemon.process.wait(10) == 0
    network.tor.wait_for(set())
    events = network.tor.events(mark)
    for prefix in WEB:
        kinds = [(e.kind, e.time) for e in events if e.prefix == prefix]
        assert [kind for kind, _ in kinds] == ['announce', 'withdraw']
        assert kinds[1][1] - signalled > DRAIN_SECONDS - 0.01
    assert bound(network) == set()


def test_what_is_ill_goes_while_it_drains(daemon: Cosmolet, network: Lab) -> None:
    """Nothing that happens before the routes are withdrawn is missed."""
    stop_by(daemon, 'drain')
    start(daemon, network)
    assert daemon.process
    daemon.process.send_signal(signal.SIGTERM)
    network.tor.wait_for(lambda t: {c for route in t.values() for c in route.communities} == {DRAIN_COMMUNITY})
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web', ready=False))
    network.tor.wait_for(set())
    assert daemon.process.poll() is None
    assert daemon.process.wait(10) == 0 and bound(network) == set()


def test_second_signal_does_not_wait(daemon: Cosmolet, network: Lab) -> None:
    daemon.settings['announce'].update(on_stop='drain', drain_seconds=600)
    daemon.write_config()
    start(daemon, network)
    assert daemon.process
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_log('msg=stopping')
    assert daemon.stop(signal.SIGTERM) == 1
