"""Whatever happens on the way: at the end, what we know is what the API server has, object for object.

A probe (the k8s room and the store of the daemon, and nothing else) watches a real kube-apiserver with no rights but those of
the README, while others write to it as fast as they can and something goes wrong: the server dies, or forgets; etcd stops;
packets are lost. The probe is never restarted.
"""
from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator
from urllib.parse import quote

import pytest
from cluster import slice_of
from cosmolet import BINARY, NODE
from kube import ADDRESS, ADDRESS6, PORT, ApiError, KubeApi, ServiceAccount
from sandbox import Sandbox, connect, execute, wait_until
from socks import Socks

AT_ONCE = 3  # requests that a server takes: as many as we send at first
LONG = bool(os.environ.get('COSMOLET_TEST_LONG'))
N_SERVICES, N_PODS, WRITERS = (10_000, 110, 6) if LONG else (300, 30, 3)
CHURN = 20.0 if LONG else 3.0  # seconds of it, before and after a fault
SELECTOR = 'labelSelector=!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name'
SERVICES, PODS = '/api/v1/namespaces/default/services', '/api/v1/namespaces/default/pods'
SLICES = '/apis/discovery.k8s.io/v1beta1/namespaces/default/endpointslices'
AWAY = (OSError, http.client.HTTPException, ApiError)
Objects = set[tuple[str, str, str, str]]


class Probe:
    """The program, in a network namespace that reaches the API server."""

    def __init__(self, kube: KubeApi, kubeconfig: Path, *namespaces: str, servers: Iterable[str] = (), ipv6: bool = False,
                 environment: dict[str, str] | None = None, swallows: int = 0) -> None:
        """swallows: a port that packets do not come back from."""
        self.sandbox = Sandbox()
        self.namespace = self.sandbox.namespace('client')
        kube.attach(self.namespace, ipv6)
        if swallows:
            filtered(self, 'input', 'drop', swallows)
        self.lines: list[tuple[float, str]] = []
        self.process = self.sandbox.popen(
            self.namespace, [str(BINARY.parent / 'tests' / 'e2e' / 'probe'), *(f'--server={url}' for url in servers),
                             str(kubeconfig), NODE, *namespaces],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip('\n')))

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f'{line}\n')
        self.process.stdin.flush()

    def wait_for(self, words: str, timeout: float, since: int = 0) -> float:
        """When the first line with these words came, of those after the since-th."""
        found = wait_until(lambda: [at for at, line in self.lines[since:] if words in line], timeout, words, explain=self.tail)
        return float(found[0])

    def dump(self) -> tuple[Objects, dict[str, str]]:
        """What it knows, and how its streams are."""
        since = len(self.lines)
        self.say('dump')
        wait_until(lambda: any(line == 'end' for _, line in self.lines[since:]), 30, 'a dump', explain=self.tail)
        lines = [line for _, line in self.lines[since:]]
        objects: Objects = {tuple(line.split()[1:]) for line in lines if line.startswith('object ')}  # type: ignore[misc]
        streams = dict(line.removeprefix('stream ').rsplit(', ', 1) for line in lines if line.startswith('stream '))
        return objects, streams

    def lists(self) -> int:
        return sum(int(name.split()[-2]) for name in self.dump()[1])

    def tail(self) -> str:
        return '\n'.join(line for _, line in self.lines[-20:] if not line.startswith(('object', 'pod')))

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        code = self.process.wait(10)
        self._reader.join(10)
        self.sandbox.close()
        assert code == 0


def truth(kube: KubeApi, slices: bool) -> Objects:
    """What the server has, of what the probe watches, read from etcd."""
    paths = {'services': f'/api/v1/services?{SELECTOR}', 'pods': f'/api/v1/pods?fieldSelector=spec.nodeName={NODE}',
             'nodes': f'/api/v1/nodes?fieldSelector=metadata.name={NODE}'}
    if slices:
        paths['endpointslices'] = '/apis/discovery.k8s.io/v1beta1/endpointslices'
    return {(resource, f'{m.get("namespace", "")}/{m["name"]}', '-' if resource == 'services' else m['uid'], m['resourceVersion'])
            for resource, path in paths.items() for m in (item['metadata'] for item in kube.request('GET', path)['items'])}


def converges(kube: KubeApi, probe: Probe, slices: bool = False, timeout: float = 60) -> None:
    wanted = truth(kube, slices)
    assert len(wanted) > N_SERVICES // 2

    def difference() -> Objects:
        return probe.dump()[0] ^ wanted

    wait_until(lambda: not difference(), timeout, 'the same view as the server', interval=0.2,
               explain=lambda: f'{sorted(difference())[:20]}\n{probe.tail()}')


def service(i: int, **metadata: Any) -> dict[str, Any]:
    return {'metadata': {'name': f's{i}', **metadata}, 'spec': {'selector': {'app': f'a{i}'}, 'ports': [{'port': 80}]}}


def pod(i: int, node: str = NODE) -> dict[str, Any]:
    return {'metadata': {'name': f'p{i}', 'labels': {'app': f'a{i}'}},
            'spec': {'nodeName': node, 'terminationGracePeriodSeconds': 0, 'containers': [{'name': 'c', 'image': 'none'}]}}


def fill(kube: KubeApi) -> None:
    kube.node(NODE)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: kube.ensure(SERVICES, service(i)), range(N_SERVICES)))
        list(pool.map(lambda i: kube.ensure(PODS, pod(i, NODE if i % 2 else 'elsewhere')), range(2 * N_PODS)))
    kube.ensure(SLICES, slice_of('manual-1', 's1'))


def change(kube: KubeApi, choice: random.Random) -> None:
    """Something that authors and controllers do."""
    i = choice.randrange(N_SERVICES)
    what = choice.randrange(10)
    if what < 5:
        kube.request('PATCH', f'{SERVICES}/s{i}', {'metadata': {'labels': {'at': str(time.time_ns())}}})
    elif what < 6:  # deleted and made anew: another uid under the same name
        kube.delete('services', f's{i}')
        kube.request('POST', SERVICES, service(i))
    elif what < 7:  # it leaves what we watch, or comes back
        proxy = choice.choice(['other', None])
        kube.request('PATCH', f'{SERVICES}/s{i}', {'metadata': {'labels': {'service.kubernetes.io/service-proxy-name': proxy}}})
    elif what < 9:
        kube.set_ready(f'p{choice.randrange(2 * N_PODS)}', choice.random() < 0.5)
    else:
        i = choice.randrange(2 * N_PODS)
        kube.delete('pods', f'p{i}')
        kube.request('POST', PODS, pod(i, choice.choice([NODE, 'elsewhere'])))


@contextlib.contextmanager
def churn(kube: KubeApi, pause: float = 0) -> Iterator[list[int]]:
    """Changes by several writers at once, until the end of the block; an API server that is away is waited for."""
    end, counts = threading.Event(), [0] * WRITERS

    def write(number: int) -> None:
        choice = random.Random(number)
        while not end.is_set():
            if kube.starting:  # an API server checks all service addresses first, and ends if one is taken or given back meanwhile
                time.sleep(0.02)
                continue
            try:
                change(kube, choice)
                counts[number] += 1
                time.sleep(pause)
            except AWAY:
                time.sleep(0.02)

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        end.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)


@pytest.fixture(scope='module')
def server() -> Iterator[KubeApi]:
    """One of our own, which may be mistreated."""
    with KubeApi() as kube:
        fill(kube)
        yield kube


@pytest.fixture
def probe(server: KubeApi) -> Iterator[Probe]:
    made = Probe(server, server.service_account().kubeconfig)
    made.wait_for('synced', 30)
    made.say('slices default/s1')
    made.wait_for('up endpointslices', 10)
    yield made
    made.close()


# What goes wrong. Each comes back when it is mended.

def nothing(kube: KubeApi, probe: Probe) -> None:
    pass


def server_killed(kube: KubeApi, probe: Probe) -> None:
    kube.kill('apiserver')
    probe.wait_for('down services', 20)
    kube.start('apiserver')


def server_stopped(kube: KubeApi, probe: Probe) -> None:
    """In good order: it keeps open watches for a minute, but takes no new requests."""
    kube.restart('apiserver')


def history_forgotten(kube: KubeApi, probe: Probe) -> None:
    """etcd is compacted while the server is away: it cannot know our versions any more."""
    lists = probe.lists()
    kube.kill('apiserver')
    compact(kube)
    kube.start('apiserver')
    wait_until(lambda: probe.lists() > lists, 60, 'a new list', explain=probe.tail)


def compact(kube: KubeApi) -> None:
    def ask(path: str, body: dict[str, Any]) -> Any:
        text = json.dumps(body)
        with connect(kube.namespace_name, '127.0.0.1', 2379, 5) as s:
            s.sendall(f'POST {path} HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n{text}'.encode())
            return json.loads(s.makefile('rb').read().split(b'\r\n\r\n', 1)[1])

    revision = ask('/v3/kv/range', {'key': 'AA=='})['header']['revision']
    assert 'header' in ask('/v3/kv/compaction', {'revision': revision, 'physical': True})


def reader_stopped(kube: KubeApi, probe: Probe) -> None:
    """We ourselves get no processor for a while."""
    probe.process.send_signal(signal.SIGSTOP)
    time.sleep(12)
    probe.process.send_signal(signal.SIGCONT)


def etcd_frozen(kube: KubeApi, probe: Probe) -> None:
    kube.signal('etcd', signal.SIGSTOP)
    time.sleep(5)
    kube.signal('etcd', signal.SIGCONT)


def etcd_killed(kube: KubeApi, probe: Probe) -> None:
    kube.kill('etcd')
    time.sleep(1)
    kube.start('etcd')


def filtered(probe: Probe, way: str, action: str, number: int = PORT) -> None:
    port = {'input': 'sport', 'output': 'dport'}[way]
    execute(probe.namespace, 'nft', f'add table inet t; add chain inet t {way} {{ type filter hook {way} priority 0; }};'
                                    f'add rule inet t {way} tcp {port} {number} {action}')


def unfiltered(probe: Probe) -> None:
    execute(probe.namespace, 'nft', 'delete table inet t')


def packets_dropped(kube: KubeApi, probe: Probe) -> None:
    """A half-open connection: nothing comes any more, not even its end."""
    since, begin = len(probe.lines), time.monotonic()
    filtered(probe, 'input', 'drop')
    assert probe.wait_for('down services', 40, since) - begin < 30
    unfiltered(probe)
    probe.wait_for('up services', 60, since)


def packets_rejected(kube: KubeApi, probe: Probe) -> None:
    since = len(probe.lines)
    filtered(probe, 'output', 'reject with tcp reset')
    probe.wait_for('down services', 10, since)
    unfiltered(probe)
    probe.wait_for('up services', 60, since)


def network_slow(kube: KubeApi, probe: Probe) -> None:
    """1 Mbit/s, and a packet of twenty lost each way. (Not by netem, which not every kernel has.)"""
    execute(probe.namespace, 'tc', 'qdisc', 'add', 'dev', 'kube', 'root', 'tbf', 'rate', '1mbit', 'burst', '32kbit', 'latency',
            '200ms')
    execute(probe.namespace, 'nft', 'add table inet t; ' + '; '.join(
        f'add chain inet t {way} {{ type filter hook {way} priority 0; }}; '
        f'add rule inet t {way} tcp {port} {PORT} numgen random mod 20 == 0 drop'
        for way, port in (('input', 'sport'), ('output', 'dport'))))
    time.sleep(5)
    execute(probe.namespace, 'tc', 'qdisc', 'delete', 'dev', 'kube', 'root')
    unfiltered(probe)


def link_down(kube: KubeApi, probe: Probe) -> None:
    execute(probe.namespace, 'ip', 'link', 'set', 'kube', 'down')
    time.sleep(3)
    execute(probe.namespace, 'ip', 'link', 'set', 'kube', 'up')
    near = execute(probe.namespace, 'ip', '-4', '-brief', 'address', 'show', 'kube').split()[2].split('/')[0]
    host = near.rsplit('.', 1)
    execute(probe.namespace, 'ip', 'route', 'replace', f'{ADDRESS}/32', 'via', f'{host[0]}.{int(host[1]) - 1}')


def server_frozen(kube: KubeApi, probe: Probe) -> None:
    """Its kernel still acknowledges; only that no bookmark comes tells."""
    time.sleep(70)  # until there was one
    since = len(probe.lines)
    kube.signal('apiserver', signal.SIGSTOP)
    probe.wait_for('down services', 240, since)
    kube.signal('apiserver', signal.SIGCONT)
    probe.wait_for('up services', 60, since)


NETWORK: list[Callable[[KubeApi, Probe], None]] = [packets_dropped, packets_rejected, network_slow, link_down]
FAULTS = [nothing, server_killed, history_forgotten, etcd_frozen, etcd_killed, *NETWORK,
          *([reader_stopped, server_stopped, server_frozen] if LONG else [])]


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.__name__)
def test_same_view(server: KubeApi, probe: Probe, fault: Callable[[KubeApi, Probe], None]) -> None:
    begin = time.monotonic()
    # Of a reader that is blocked while much is written, a server of 1.20 may lose track: its watch stays open, and nothing
    # comes. That is noticed after 90 s, which only the long form has time for.
    slowly = fault in NETWORK and not LONG
    with churn(server, 0.2 if slowly else 0) as counts:
        time.sleep(CHURN)
        fault(server, probe)
        time.sleep(CHURN)
        wait_until(lambda: sum(counts) > 50, 60, 'enough changes', explain=lambda: f'{counts}')
        seconds = time.monotonic() - begin
    print(f'{sum(counts)} changes, {sum(counts) / seconds:.0f} per second')
    converges(server, probe, slices=True, timeout=120)
    # And it goes on watching, without being asked for anything.
    server.request('PATCH', f'{SERVICES}/s0', {'metadata': {'labels': {'after': fault.__name__}}})
    converges(server, probe, slices=True, timeout=5)


def with_cluster(account: ServiceAccount, **changes: Any) -> Path:
    """A kubeconfig that leads there by another way."""
    config = account.directory / 'with-cluster.kubeconfig'
    text = json.loads(account.kubeconfig.read_text())
    text['clusters'][0]['cluster'].update(changes)
    config.write_text(json.dumps(text))
    return config


def with_token_file(account: ServiceAccount) -> Path:
    """A kubeconfig that names the file of the token."""
    config = account.directory / 'with-file.kubeconfig'
    text = json.loads(account.kubeconfig.read_text())
    text['users'][0]['user'] = {'tokenFile': 'token'}
    config.write_text(json.dumps(text))
    return config


def test_token_expires(server: KubeApi) -> None:
    """The account is gone and comes back with another token in the same file, as the kubelet would write it."""
    account = server.service_account('brief')
    probe = Probe(server, with_token_file(account))
    probe.wait_for('synced', 30)
    server.request('DELETE', '/api/v1/namespaces/cosmolet/serviceaccounts/brief')
    server.kill('apiserver')
    server.start('apiserver')
    probe.wait_for('HTTP 401', 60)
    server.service_account('brief')
    server.request('PATCH', f'{SERVICES}/s0', {'metadata': {'labels': {'after': 'token'}}})
    converges(server, probe)
    probe.close()


def test_token_ends_by_time(server: KubeApi) -> None:
    """Nothing ends but the token; open watches outlive it, and what is asked afterwards is refused until there is another."""
    account = server.service_account('clockwork')
    server.brief_token(8, 'clockwork')
    probe = Probe(server, with_token_file(account))
    probe.wait_for('synced', 8)
    time.sleep(8 + 10)  # for so long a server remembers that a token was good
    assert not any('down' in line for _, line in probe.lines)
    filtered(probe, 'output', 'reject with tcp reset')
    server.request('PATCH', f'{SERVICES}/s0', {'metadata': {'labels': {'before': 'time'}}})
    probe.wait_for('down services', 40)  # at the latest as a half-open connection is found
    unfiltered(probe)
    probe.wait_for('HTTP 401', 20)
    server.renew_token('clockwork')
    server.request('PATCH', f'{SERVICES}/s0', {'metadata': {'labels': {'after': 'time'}}})
    converges(server, probe)
    probe.close()


def test_one_of_two_servers_dies(server: KubeApi) -> None:
    """The watches go on at the other one, from where they were."""
    first, second = server.server, server.server.replace(str(PORT), str(PORT + 1))
    server.start('apiserver2')
    probe = Probe(server, server.service_account().kubeconfig, servers=[second, first])
    probe.wait_for('synced', 30)
    converges(server, probe)
    lists = probe.lists()
    for dies in ('apiserver2', 'apiserver'):
        since = len(probe.lines)
        server.kill(dies)
        for stream in ('services', 'pods', 'nodes'):
            probe.wait_for(f'up {stream}', 30, since)
        # Of versions from before its start a server knows nothing, and says so: then it is a list.
        assert probe.lists() == lists or dies == 'apiserver'
        server.start(dies)
        server.request('PATCH', f'{SERVICES}/s0', {'metadata': {'labels': {'after': dies}}})
        converges(server, probe)
    probe.close()
    server.kill('apiserver2')


# Servers and ways to them that not everybody has

@pytest.fixture(scope='module')
def lost(server: KubeApi) -> Iterator[Probe]:
    """Of its two servers the first never answers. That takes 10 s to find out, so the test of it comes last."""
    before = time.monotonic()
    probe = Probe(server, server.service_account().kubeconfig, servers=[f'https://{ADDRESS}:{PORT + 2}', server.server],
                  swallows=PORT + 2)
    probe.lines += [(before, 'not begun'), (time.monotonic(), 'started')]  # between these two it begins
    yield probe
    probe.close()


@pytest.fixture(scope='module')
def strict(server: KubeApi, lost: Probe) -> Iterator[str]:
    """Another server: it listens on IPv6, too, takes few requests at once, and sends one client of fifty away. Its URL."""
    server.start('apiserver2', '--bind-address=::', f'--max-requests-inflight={AT_ONCE}', '--enable-priority-and-fairness=false',
                 '--goaway-chance=0.02')
    yield server.server.replace(str(PORT), str(PORT + 1))
    server.kill('apiserver2')


def test_sent_away(server: KubeApi, strict: str) -> None:
    """By HTTP/2's GOAWAY: what is open stays, what comes next goes over another connection, and nothing is lost or asked twice."""
    probe = Probe(server, server.service_account().kubeconfig, servers=[strict])
    for stream in ('services', 'pods', 'nodes'):
        probe.wait_for(f'up {stream}', 30)
    time.sleep(2)  # a connection that has been sent away and carries nothing ends after one second
    begin, before = len(probe.lines), set(established(probe))
    for i in range(600):  # a list and a watch each
        since = len(probe.lines)
        probe.say(f'slices default/s{i % 2 + 1}')
        probe.wait_for('up endpointslices', 5, since)
        if i % 10 == 9 and set(established(probe)) - before:
            break
    wait_until(lambda: connections(probe) == len(before) + 1, 10, 'one more connection')
    assert before < set(established(probe))
    probe.say('slices default/s1')
    server.request('PATCH', f'{SERVICES}/s0', {'metadata': {'labels': {'after': 'goaway'}}})
    converges(server, probe, slices=True, timeout=5)
    assert not [line for _, line in probe.lines[begin:] if line.startswith(('down', 'problem'))]
    assert {'services 1 lists', 'pods 1 lists', 'nodes 1 lists'} < set(probe.dump()[1])
    probe.close()


def test_too_many_requests(server: KubeApi, strict: str) -> None:
    """It is told why nothing comes, and nobody asks again before the second is over that the server wants."""
    def curl(*arguments: str) -> list[str]:
        return ['curl', '--silent', '--show-error', '--cacert', f'{server.directory}/ca.crt', *arguments]

    def refused() -> int:
        admin = ('--cert', f'{server.directory}/admin.crt', '--key', f'{server.directory}/admin.key')
        metrics = execute(server.namespace_name, *curl(*admin, f'{strict}/metrics')).splitlines()
        return sum(int(line.split()[-1]) for line in metrics if line.startswith('apiserver_request_terminations_total{code="429"')
                   and any(f'resource="{of}"' in line for of in ('pods', 'nodes')))

    account = server.service_account()
    bearer = ('--header', f'Authorization: Bearer {account.token}')
    future = f'{strict}{SERVICES}?resourceVersion={10 ** 9}'  # it waits 3 s for that
    now = curl(*bearer, '--output', '/dev/null', '--write-out', '%{http_code}', strict + SERVICES)
    holders: list[subprocess.Popen[Any]] = []

    def busy() -> bool:
        holders.append(server.sandbox.popen(server.namespace_name, curl(*bearer, *[future] * 3), stdout=subprocess.DEVNULL))
        return execute(server.namespace_name, *now) == '429'

    wait_until(busy, 8, 'the server to be busy')
    before, begin = refused(), time.monotonic()
    probe = Probe(server, account.kubeconfig, servers=[strict])
    probe.wait_for(': HTTP 429: Too many requests, please try again later.', 4)
    for holder in holders:
        holder.kill()
        holder.wait(10)
    probe.wait_for('synced', 10)
    assert refused() - before <= 2 * (1 + time.monotonic() - begin)
    converges(server, probe)
    probe.close()


@pytest.mark.parametrize('kind', ['kubeconfig', 'name in the certificate', 'pod'])
def test_over_ipv6(server: KubeApi, strict: str, kind: str) -> None:
    account = server.service_account()
    config, environment = account.directory, {'KUBERNETES_SERVICE_HOST': ADDRESS6, 'KUBERNETES_SERVICE_PORT': str(PORT + 1)}
    if kind != 'pod':
        name = {'tls-server-name': 'kubernetes.default.svc'} if kind != 'kubeconfig' else {}
        config, environment = with_cluster(account, server=f'https://[{ADDRESS6}]:{PORT + 1}', **name), {}
    probe = Probe(server, config, ipv6=True, environment=environment)
    probe.wait_for('synced', 10)
    converges(server, probe)
    assert set(peers(probe)) == {f'[{ADDRESS6}]:{PORT + 1}'}
    probe.close()


def test_through_socks(server: KubeApi) -> None:
    """It looks up the server's name, and wants a password, which nobody gets to see."""
    name, account, words = 'kubernetes.default.svc', server.service_account(), 'pass:word'
    proxy = Socks(server.namespace_name, ADDRESS, 1080, {name: ADDRESS}, 'user', words)
    probes = []
    for password in (words, 'wrong'):
        url = f'socks5://user:{quote(password)}@{ADDRESS}:1080'
        probes.append(Probe(server, with_cluster(account, **{'server': f'https://{name}:{PORT}', 'proxy-url': url})))
        probes[-1].wait_for('synced' if password == words else 'down services: cannot list services: User was rejected by', 10)
    probe = probes[0]
    converges(server, probe)
    assert set(proxy.asked) == {(name, PORT)} and set(peers(probe)) == {f'{ADDRESS}:1080'}

    def start() -> None:
        nonlocal proxy
        proxy = Socks(server.namespace_name, ADDRESS, 1080, {name: ADDRESS}, 'user', words)

    goes_and_comes_back(server, probe, lambda: proxy.close(), start)
    for each in probes:
        each.close()
        assert not [line for _, line in each.lines if 'word' in line or 'wrong' in line]
    proxy.close()


def test_server_that_swallows(server: KubeApi, lost: Probe) -> None:
    """After the time that a connection may take, the other server is tried."""
    before, begin = lost.wait_for('not begun', 0), lost.wait_for('started', 0)
    told = lost.wait_for('down services: cannot list services: cannot connect: no answer for 10 s', 15)
    assert told - before > 9.8 and told - begin < 13
    assert lost.wait_for('synced', 10) - told < 4
    converges(server, lost)


def goes_and_comes_back(server: KubeApi, probe: Probe, end: Callable[[], None], start: Callable[[], Any]) -> Any:
    """What stands between the two: the watches go on from where they were. Returns what was started."""
    since, lists = len(probe.lines), probe.lists()
    end()
    probe.wait_for('down services', 10, since)
    server.request('PATCH', f'{SERVICES}/s0', {'metadata': {'labels': {'after': str(time.time_ns())}}})
    started = start()
    converges(server, probe)
    assert probe.lists() == lists
    return started


def test_through_a_proxy(server: KubeApi) -> None:
    """A real HTTP proxy, which goes away and comes back."""
    account = server.service_account()
    config = with_cluster(account, **{'proxy-url': f'http://{ADDRESS}:8888'})
    log, settings = account.directory / 'tinyproxy.log', account.directory / 'tinyproxy.conf'
    settings.write_text(f'Port 8888\nListen {ADDRESS}\nConnectPort {PORT}\nLogFile "{log}"\nLogLevel Connect\n')

    def start() -> subprocess.Popen[Any]:
        return server.sandbox.popen(server.namespace_name, ['tinyproxy', '-d', '-c', str(settings)], stdout=subprocess.DEVNULL)

    def end(proxy: subprocess.Popen[Any]) -> None:
        proxy.kill()
        proxy.wait(10)

    proxy = start()
    probe = Probe(server, config)
    probe.wait_for('synced', 30)
    converges(server, probe)
    assert f'CONNECT {ADDRESS}:{PORT}' in log.read_text()
    proxy = goes_and_comes_back(server, probe, lambda: end(proxy), start)
    probe.close()
    end(proxy)


def connections(probe: Probe) -> int:
    return len(established(probe))


def established(probe: Probe) -> list[tuple[str, str]]:
    """Its connections: from where, and where they lead."""
    lines = execute(probe.namespace, 'ss', '--no-header', '--tcp', '--numeric', 'state', 'established').splitlines()
    return [(local, peer) for _, _, local, peer, *_ in map(str.split, lines)]


def peers(probe: Probe) -> list[str]:
    return [peer for _, peer in established(probe)]


def test_over_http_1(server: KubeApi) -> None:
    """Something in front of the server ends TLS, and knows nothing of HTTP/2: a connection for each watch instead of one for all."""
    account, directory, port = server.service_account(), server.directory, PORT + 1000
    config = with_cluster(account, server=f'https://{ADDRESS}:{port}')
    keys = f'cert={directory}/server.crt,key={directory}/server.key,verify=0'
    argv = ['socat', f'OPENSSL-LISTEN:{port},pf=ip4,bind={ADDRESS},reuseaddr,fork,{keys}',
            f'OPENSSL:{ADDRESS}:{PORT},cafile={directory}/ca.crt,commonname=localhost']

    def start() -> subprocess.Popen[Any]:
        return server.sandbox.popen(server.namespace_name, argv, process_group=0)

    def end(relay: subprocess.Popen[Any]) -> None:
        os.killpg(relay.pid, signal.SIGKILL)  # it has a child for each connection
        relay.wait(10)

    relay = start()
    probe = Probe(server, config)
    probe.wait_for('synced', 30)
    converges(server, probe)
    direct = Probe(server, account.kubeconfig)
    direct.wait_for('synced', 30)
    assert connections(direct) == 1 < len(probe.dump()[1]) == connections(probe)
    direct.close()
    relay = goes_and_comes_back(server, probe, lambda: end(relay), start)
    probe.close()
    end(relay)


def test_namespaces(server: KubeApi) -> None:
    """Some exist, one does not (yet), and nothing else is known of."""
    for name in ('blue', 'green'):
        server.namespace(name)
        server.ensure(f'/api/v1/namespaces/{name}/services', service(1))
    probe = Probe(server, server.service_account().kubeconfig, 'blue', 'not-there-yet')
    probe.wait_for('synced', 30)
    assert {name for resource, name, *_ in probe.dump()[0] if resource == 'services'} == {'blue/s1'}
    server.namespace('not-there-yet')
    server.ensure('/api/v1/namespaces/not-there-yet/services', service(2))
    wait_until(lambda: any(name == 'not-there-yet/s2' for _, name, *_ in probe.dump()[0]), 10, 'the new one', explain=probe.tail)
    probe.close()
