"""Those who ask over HTTP, and those who only want to do harm: the announcer does not notice any of it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import connect, inside, wait_until

V4 = '10.96.0.10'
TOKEN = 'some-token-0123456789'


@pytest.fixture
def daemon(network: Lab, cosmolet: Path, tmp_path: Path) -> Iterator[Cosmolet]:
    """Not started, with one service to announce; what it leaves is taken away."""
    made = Cosmolet(network.node, tmp_path)
    made.manifest('web', service('web', [V4]), pod('web-1', 'web'))
    yield made
    made.close()
    assert made.command('withdraw', '--config', str(made.config)).returncode == 0
    network.tor.wait_for(set())


# Who may ask

def ask(daemon: Cosmolet, path: str, authorization: str | None = None) -> tuple[int, str]:
    with inside(daemon.node.namespace):
        connection = http.client.HTTPConnection('127.0.0.1', 9474, timeout=10)
        connection.connect()
    with contextlib.closing(connection):
        connection.request('GET', path, headers={'Authorization': authorization} if authorization else {})
        answer = connection.getresponse()
        assert (answer.headers['WWW-Authenticate'] == 'Bearer') == (answer.status == 401)
        return answer.status, answer.read().decode()


def test_token(daemon: Cosmolet) -> None:
    token = daemon.directory / 'token'
    token.write_text(f'{TOKEN}\n')
    daemon.settings['http'] = {'listen': '127.0.0.1:9474', 'token_file': str(token)}
    daemon.settings['logging'] = {'level': 'debug'}
    daemon.write_config()
    daemon.start()
    for path in ('/metrics', '/status', f'/why?q={V4}', '/nothing'):
        wanted = 404 if path == '/nothing' else 200
        assert ask(daemon, path, f'Bearer {TOKEN}')[0] == wanted
        assert ask(daemon, path, f'bearer {TOKEN}')[0] == wanted  # RFC 9110: schemes know no case
        for wrong in (None, 'Bearer', 'Bearer ', f'Bearer {TOKEN}0', f'Bearer {TOKEN[:-1]}', f'Basic {TOKEN}', TOKEN,
                      f'Bearer {"x" * 4000}'):
            status, body = ask(daemon, path, wrong)
            assert status == 401 and TOKEN not in body and V4 not in body, wrong
    for path in ('/livez', '/readyz', '/healthz', '/version', '/'):
        status, body = ask(daemon, path)
        assert status == 200 and V4 not in body

    # The commands take it from the configuration.
    done = daemon.command('status', '--config', str(daemon.config))
    assert done.returncode == 0 and V4 in done.stdout
    assert V4 in daemon.command('why', V4, '--config', str(daemon.config)).stdout
    done = daemon.command('status', '--http', '127.0.0.1:9474')
    assert (done.returncode, done.stderr) == (1, 'cosmolet: 127.0.0.1:9474 answers: this needs the token of http.token_file\n')
    assert V4 in daemon.command('status', '--http', '127.0.0.1:9474', '--config', str(daemon.config)).stdout

    # Another one counts at once; none means nobody.
    token.write_text('another')
    assert [ask(daemon, '/metrics', f'Bearer {t}')[0] for t in (TOKEN, 'another')] == [401, 200]
    token.write_text('')
    assert ask(daemon, '/metrics', 'Bearer ')[0] == 503
    token.write_text(TOKEN)
    assert TOKEN not in daemon.log.read_text() and TOKEN not in ask(daemon, '/status', f'Bearer {TOKEN}')[1]


@pytest.mark.parametrize('text, what', [(None, 'No such file'), ('', 'holds no token'), ('two words', 'holds no token')])
def test_bad_token_file(daemon: Cosmolet, text: str | None, what: str) -> None:
    token = daemon.directory / 'token'
    if text is not None:
        token.write_text(text)
    daemon.settings['http'] = {'token_file': str(token)}
    daemon.write_config()
    done = daemon.command('check', str(daemon.config))
    assert done.returncode == 3 and done.stderr.count('\n') == 1
    assert 'http.token_file' in done.stderr and what in done.stderr
    del daemon.settings['http']
    daemon.write_config()


# Harm

class Attack:
    """So many connections, each of which sends the same octets again and again; as a context manager, gone afterwards."""

    def __init__(self, daemon: Cosmolet, connections: int, octets: bytes, pause: float) -> None:
        self.daemon, self.connections, self.octets, self.pause = daemon, connections, octets, pause
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(4)]

    def _open(self) -> socket.socket:
        with inside(self.daemon.node.namespace):
            s = socket.socket()
        s.setblocking(False)
        s.connect_ex(('127.0.0.1', 9474))
        return s

    def _run(self) -> None:
        sockets = [self._open() for _ in range(self.connections // 4)]
        while not self.over.wait(self.pause):
            for i, s in enumerate(sockets):
                try:
                    if self.octets:
                        s.send(self.octets)
                except BlockingIOError:
                    pass
                except OSError:
                    s.close()
                    sockets[i] = self._open()
        for s in sockets:
            s.close()

    def __enter__(self) -> Attack:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


ATTACKS = {
    'silent': (1000, b'', 0.5),
    'slow-loris': (200, b'X-a: b\r\n', 0.5),
    'garbage': (100, os.urandom(2000), 0.05),
    'huge headers': (100, b'GET / HTTP/1.1\r\nX: ' + b'x' * 20000, 0.05),
    'requests': (1000, b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n', 0.5),
}


class Probes:
    """What kubelet does, ten times a second; as a context manager."""

    def __init__(self, daemon: Cosmolet) -> None:
        self.daemon = daemon
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.answers: list[int] = []  # the status of each, 0 without one

    def _run(self) -> None:
        while not self.over.wait(0.1):
            self.answers.append(self.daemon.get('/livez')[0])

    def more(self, n: int) -> None:
        """Waits for so many further answers."""
        before = len(self.answers)
        wait_until(lambda: len(self.answers) >= before + n, 30, 'probes to be answered', explain=self.daemon.tail)

    def __enter__(self) -> Probes:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def turns(text: str) -> int:
    """Of the loop, until these metrics were written."""
    return next(int(n) for n in re.findall(r'^cosmolet_loop_turn_duration_seconds_count (\d+)$', text, re.M))


@pytest.mark.parametrize(('listen', 'host'), [('[::1]:9474', '::1'), ('::1:9474', '::1'), ('[::]:9474', '::1')])
def test_an_ipv6_address(daemon: Cosmolet, listen: str, host: str) -> None:
    daemon.settings['http'] = {'listen': listen}
    daemon.address = host
    daemon.write_config()
    daemon.start()
    daemon.wait_states({V4: 'announced'})
    assert daemon.metric('vips{state="announced"}') == 1
    for where in (['--config', str(daemon.config)], ['--http', listen]):
        done = daemon.command('status', *where)
        assert done.returncode == 0 and V4 in done.stdout, done.stderr
    with pytest.raises(ConnectionRefusedError):
        connect(daemon.node.namespace, '127.0.0.1', 9474, 5)


@pytest.mark.parametrize('kind', ATTACKS)
def test_the_announcer_does_not_notice(daemon: Cosmolet, network: Lab, kind: str) -> None:
    """Nor does kubelet: each of its probes is answered. (tests/unit/test_door.c counts who has to wait for whom.)"""
    daemon.start()
    network.tor.wait_for({f'{V4}/32'})
    probes = Probes(daemon)
    with Attack(daemon, *ATTACKS[kind]), probes:
        time.sleep(1)
        for _ in range(3):
            for wanted in ([], [pod('web-1', 'web')]):
                daemon.manifest('web', service('web', [V4]), *wanted)
                network.tor.wait_for({f'{V4}/32'} if wanted else set(), 20)
        probes.more(5)
    assert set(probes.answers) == {200}, probes.answers
    assert daemon.process and daemon.process.poll() is None


def test_nobody_passes_the_door(daemon: Cosmolet) -> None:
    """The server behind it talks to it alone, and gives strangers of the node no thread."""
    daemon.start()
    assert daemon.process
    sockets = daemon.node.run(['ss', '--listening', '--tcp', '--numeric', '--processes', '--no-header'], check=True).stdout
    ports = {int(port) for port in re.findall(rf'127\.0\.0\.1:(\d+) .*pid={daemon.process.pid},', sockets)}
    assert len(ports) == 2 and 9474 in ports
    (inner,) = ports - {9474}
    held = []
    for octets in (b'', b'GET /status HTTP/1.1\r\nHost: x\r\n\r\n') * 20:
        with inside(daemon.node.namespace):
            held.append(socket.create_connection(('127.0.0.1', inner), 5))
        held[-1].settimeout(10)
        with contextlib.suppress(OSError):
            held[-1].sendall(octets)
    for s in held:
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100) == b''
        s.close()
    assert daemon.get('/livez')[0] == 200


def test_a_look_at_a_large_cluster(daemon: Cosmolet, network: Lab) -> None:
    """/status of 10,000 services, each of which might select any of 5,000 pods here, is put together in many short turns."""
    def spent() -> tuple[float, float]:
        assert daemon.process
        schedule = Path(f'/proc/{daemon.process.pid}/schedstat').read_text()
        return daemon.metric('loop_turn_duration_seconds_count'), int(schedule.split()[0]) / 1e9

    n = 10_000
    daemon.manifest('many', *(service(f's{i}-{"x" * 50}', [f'10.97.{i >> 8}.{i & 255}'], selector={'app': f'a{i}'})
                              for i in range(n)),
                    *(pod(f'p{i}-{"x" * 200}', f'a{i}', ready=False) for i in range(n // 2)))
    daemon.start()
    turns, seconds = spent()
    found = daemon.status()['addresses']
    more_turns, more_seconds = (after - before for after, before in zip(spent(), (turns, seconds)))
    print(f'{more_turns:.0f} turns, {1000 * more_seconds:.0f} ms of the processor')
    assert [a['address'] for a in found] == [V4, *(f'10.97.{i >> 8}.{i & 255}' for i in range(n))]
    assert sum(a['why'].startswith('0 of 1 pods on this node') for a in found) == n // 2
    assert more_turns > 8 and more_seconds < 2  # each service with each pod would take many
    slow_readers(daemon, network, len(daemon.get('/status')[1]))


def slow_readers(daemon: Cosmolet, network: Lab, size: int) -> None:
    """Sixteen ask for as much, and read nothing: no more than 32 MiB waits for them, and no descriptor outlives them."""
    limit = 32 << 20
    assert 14 * size > limit + 3 * size
    before, memory = daemon.descriptors(), daemon.resident()
    with contextlib.ExitStack() as held:
        for _ in range(16):
            with inside(daemon.node.namespace):
                s = held.enter_context(socket.socket())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.settimeout(20)
            s.connect(('127.0.0.1', 9474))
            s.sendall(b'GET /status HTTP/1.1\r\nHost: x\r\n\r\n')
            assert s.recv(1, socket.MSG_PEEK)  # one by one: a queue on a slow machine would be sent away
        for wanted in ([], [pod('web-1', 'web')]):
            assert daemon.get('/livez')[0] == 200
            daemon.manifest('web', service('web', [V4]), *wanted)
            network.tor.wait_for({f'{V4}/32'} if wanted else set(), 20)
        wait_until(lambda: daemon.descriptors() - before <= limit // size + 1, 20, 'those who came first to give way',
                   explain=lambda: f'{daemon.descriptors()}, at first {before}')
        assert daemon.descriptors() - before > limit // size // 2
        assert daemon.resident() - memory < 3 * limit  # each answer that is made is there up to three times
    wait_until(lambda: daemon.descriptors() <= before, 5, 'the descriptors',
               explain=lambda: f'{daemon.descriptors()}, at first {before}')


def test_a_scrape_of_thousands_of_addresses(daemon: Cosmolet) -> None:
    """/metrics of 20,000 addresses is written in many short turns. (Without a zebra that would have to take them.)"""
    n = 20_000
    before = daemon.config.read_text()
    daemon.settings['loopback'] = {'mode': 'none'}
    daemon.settings['frr'] = {'socket_path': str(daemon.directory / 'none.api')}
    daemon.write_config()
    daemon.manifest('web', *(service(f's{i}', [f'10.97.{i}.{j}' for j in range(250)], selector={'app': 'web'})
                             for i in range(n // 250)), pod('web-1', 'web'))
    try:
        daemon.start(ready=False)
        wait_until(lambda: daemon.get('/metrics')[1].count('state="pending"') > n, 20, 'all addresses', explain=daemon.tail)
        found = [turns(daemon.get('/metrics')[1]) for _ in range(6)]
    finally:
        daemon.kill()
        daemon.config.write_text(before)
    scrapes = [after - before for before, after in zip(found, found[1:])]
    # No more than 512 addresses in a turn, and four families have each of them.
    assert all(scrape >= 4 * (n // 512) for scrape in scrapes), scrapes
