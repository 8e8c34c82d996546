"""HTTP/2 as the network may deliver it: much for one request, read while it was the turn of another.

A real API server does that now and then, by chance. libcurl 7.88.1 lost the end of it if the request's buffer was full; it came
with whatever came next on the connection, in a quiet cluster after a minute.
"""
from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import urlsplit

import pytest
from cosmolet import NODE, Cosmolet, pod, service
from fake_api import ADDRESS, PORT, Certificates, event
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hyperframe.frame import GoAwayFrame
from lab import Lab
from sandbox import inside, wait_until

FRAME, BUFFER = 4096, 16384  # kube-apiserver's frames, and what libcurl buffers if it is not told otherwise
OURS = 1 << 20  # what libcurl buffers as it is told
N_OBJECTS = 40


class Http2Api:
    """Lists are answered at once and watches left open; what is kept back goes out in one piece."""

    def __init__(self, namespace: str, certificates: Certificates, keep: str = '', padded_to: int = 0) -> None:
        """padded_to: so many octets has the list that is kept back."""
        self.keep, self.padded_to, self.kept, self.lock = keep, padded_to, 0, threading.Lock()
        self.watches: dict[str, tuple[Connection, int]] = {}
        self.paths: list[str] = []
        self.objects: dict[str, list[dict[str, Any]]] = {
            'services': [numbered(i) for i in range(N_OBJECTS)], 'pods': [],
            'nodes': [{'metadata': {'name': NODE, 'uid': 'u', 'resourceVersion': '7'}}]}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificates.paths('server'))
        self.context.set_alpn_protocols(['h2'])
        self.connections: list[Connection] = []
        with inside(namespace):
            self.listener = socket.create_server((ADDRESS, PORT))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in self.connections:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                self.connections.append(Connection(self, self.context.wrap_socket(plain, server_side=True)))
                self.connections[-1].serve()

    def list_of(self, resource: str) -> bytes:
        octets = json.dumps({'kind': 'List', 'metadata': {'resourceVersion': '1000'}, 'items': self.objects[resource]}).encode()
        assert len(octets) < BUFFER
        return octets.ljust(self.padded_to) if resource == self.keep else octets

    def give(self) -> None:
        """The list that was kept back."""
        with self.lock:
            self.connections[0].body(self.kept, self.list_of(self.keep), end=True)
            self.connections[0].flush()

    def send(self, resource: str, *objects: dict[str, Any], end: bool = False) -> None:
        """Changes of all of them; or the end of the watch."""
        with self.lock:
            connection, stream = self.watches[resource]
            if end:
                del self.watches[resource]
            connection.body(stream, b''.join(event('MODIFIED', each) for each in objects), end)
            connection.flush()


class Connection:
    """One of them; it runs until its client closes it."""

    def __init__(self, api: Http2Api, tls: ssl.SSLSocket) -> None:
        self.api, self.tls = api, tls
        self.over = threading.Event()
        self.going_away = False  # what is asked for from now on is not answered, but sent away
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding='utf-8'))
        self.h2.initiate_connection()
        self.flush()

    def serve(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            while (octets := self.tls.recv(65536)):
                with self.api.lock:
                    for each in self.h2.receive_data(octets):
                        if isinstance(each, RequestReceived):
                            self._answer(dict(each.headers)[':path'], each.stream_id)
                    self.flush()
        self.over.set()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.tls.shutdown(socket.SHUT_RDWR)

    def flush(self) -> None:
        self.tls.sendall(self.h2.data_to_send())

    def go_away(self, last: int = 2**31 - 1) -> None:
        """It is said in a frame of its own: the h2 module would take it for the end of everything."""
        self.tls.sendall(GoAwayFrame(last_stream_id=last).serialize())

    def _head(self, stream: int, status: str = '200') -> None:
        self.h2.send_headers(stream, [(':status', status), ('content-type', 'application/json')])

    def body(self, stream: int, octets: bytes, end: bool = False) -> None:
        """In one write of the connection, with the next flush."""
        for at in range(0, max(len(octets), 1), FRAME):
            self.h2.send_data(stream, octets[at:at + FRAME], end_stream=end and at + FRAME >= len(octets))

    def _answer(self, path: str, stream: int) -> None:
        resource = urlsplit(path).path.rsplit('/', 1)[-1]
        if resource != 'announcementpolicies':  # it knows none, and is asked for them now and then
            self.api.paths.append(path)
        if self.going_away:
            self.go_away(stream - 2)
        elif resource not in self.api.objects:
            self._head(stream, '404')
            self.body(stream, b'{}', end=True)
        elif 'watch=1' in path:
            self._head(stream)
            self.api.watches[resource] = (self, stream)
        else:
            self._head(stream)
            if resource == self.api.keep:
                self.api.kept = stream
            else:
                self.body(stream, self.api.list_of(resource), end=True)


def numbered(i: int, label: str = '') -> dict[str, Any]:
    made = service(f's{i}', [f'10.96.0.{i}'])
    made['metadata'].update(resourceVersion=str(2000 + i), labels={'is': label})
    return made


def numbered_pod(i: int, label: str) -> dict[str, Any]:
    made = pod(f'p{i}', f's{i}', ips=[f'10.244.0.{i}'])
    made['metadata'].update(resourceVersion=str(2000 + i), uid=f'p{i}', annotations={'is': label})
    return made


Start = Callable[..., tuple[Http2Api, Cosmolet]]


@pytest.fixture
def start(network: Lab, certificates: Certificates, cosmolet: Path, tmp_path: Path) -> Iterator[Start]:
    """The server, which keeps one list back, and a daemon that has all others."""
    with contextlib.ExitStack() as stack:
        def go(keep: str = '', padded_to: int = 0, quiet: bool = False) -> tuple[Http2Api, Cosmolet]:
            """quiet: nothing more is asked for, as kinds are that it does not know."""
            api = stack.enter_context(contextlib.closing(Http2Api(network.node.namespace, certificates, keep, padded_to)))
            if quiet:
                api.objects['announcementpolicies'] = []
            daemon = Cosmolet(network.node, tmp_path, kubernetes={
                'source': 'cluster', 'kubeconfig': str(certificates.kubeconfig(tmp_path / 'kubeconfig'))})
            stack.callback(daemon.close)
            daemon.start(ready=False)
            wait_until(lambda: len(api.watches) == (2 if keep else 3) + quiet, 10, 'the watches', explain=daemon.tail)
            return api, daemon

        yield go


@pytest.mark.parametrize('late', ['services', 'pods', 'nodes'])
def test_the_end_of_a_list(start: Start, late: str) -> None:
    """Its last frame is what does not fit into a buffer of the usual size."""
    api, daemon = start(late, BUFFER + FRAME // 2)
    helped = api.paths.count('/livez')
    api.give()
    wait_until(lambda: late in api.watches, 10, 'the watch after the list', explain=daemon.tail)
    assert api.paths.count('/livez') == helped, 'it came by itself'
    daemon.wait_ready(5)
    assert len(daemon.status()['addresses']) == N_OBJECTS


def test_many_changes_at_once(start: Start) -> None:
    """Whatever their size, and so wherever a frame ends that fills the buffer."""
    api, daemon = start()
    make = {'services': numbered, 'pods': numbered_pod}
    for resource in make:
        for n in range(14, N_OBJECTS):
            before = daemon.streams()[resource]['events']
            api.send(resource, *(make[resource](i, 'x' * 600) for i in range(n)))
            wait_until(lambda: daemon.streams()[resource]['events'] == before + n, 10, f'all of {n} changes', explain=daemon.tail)
    assert not any('livez' in path for path in api.paths)


def test_more_than_any_buffer(start: Start, network: Lab) -> None:
    """While it was stopped, more came for a list than our own buffers hold: it is helped on before anybody gives it up.

    That nobody needs to is chance: whose turn it is first, of those that share the connection.
    """
    network.node.run(['sysctl', '-q', '-w', 'net.ipv4.tcp_rmem=4096 4194304 6291456'])
    api, daemon = start('nodes', (1 << 20) + FRAME // 2)
    assert daemon.process
    daemon.process.send_signal(signal.SIGSTOP)
    giving = threading.Thread(target=api.give)
    giving.start()
    time.sleep(0.3)
    daemon.process.send_signal(signal.SIGCONT)
    giving.join(10)
    wait_until(lambda: 'nodes' in api.watches, 5, 'the watch after the list', explain=daemon.tail)
    assert sum(path == '/livez' for path in api.paths) <= 1
    daemon.wait_ready(5)


@pytest.mark.parametrize('ends', [[], [OURS, OURS + FRAME]], ids=['within an event', 'between two'])
def test_more_changes_than_any_buffer(start: Start, network: Lab, ends: list[int]) -> None:
    """The same of watches, of which something is left behind the buffer, or behind one more frame, which did not fit any more.

    It stops there if another one had its turn, which is true of one of these two at least.
    """
    network.node.run(['sysctl', '-q', '-w', 'net.ipv4.tcp_rmem=4096 4194304 6291456'])
    api, daemon = start(quiet=True)
    assert daemon.process
    for resource, make in {'services': numbered, 'pods': numbered_pod}.items():
        before = daemon.streams()[resource]['events']
        changed = [make(i, 'x' * 26000) for i in range(N_OBJECTS - len(ends) - 1)]
        for i, end in enumerate([*ends, OURS + FRAME + FRAME // 2]):  # of the last of them
            changed.append(make(i, 'x' * (end - sum(len(event('MODIFIED', each)) for each in [*changed, make(i, '')]))))
        daemon.process.send_signal(signal.SIGSTOP)
        giving = threading.Thread(target=api.send, args=(resource, *changed))
        giving.start()
        time.sleep(0.3)
        daemon.process.send_signal(signal.SIGCONT)
        giving.join(10)
        wait_until(lambda: daemon.streams()[resource]['events'] == before + N_OBJECTS, 20, 'all changes', explain=daemon.tail)
    assert 1 <= sum(path == '/livez' for path in api.paths) <= 2


def test_sent_away(start: Start) -> None:
    """What is open goes on; what ends is asked for anew over another connection, from where it was."""
    api, daemon = start()
    first = api.connections[0]
    with api.lock:
        first.go_away()
    api.send('services', numbered(1, 'changed'))
    wait_until(lambda: daemon.streams()['services']['events'] == N_OBJECTS + 1, 10, 'the change', explain=daemon.tail)
    asked = len(api.paths)
    for resource in ('services', 'pods', 'nodes'):
        assert not first.over.is_set()
        api.send(resource, end=True)
        wait_until(lambda: resource in api.watches, 5, 'the next watch', explain=daemon.tail)
        assert api.watches[resource][0] is api.connections[1]
    assert first.over.wait(10) and len(api.connections) == 2
    assert all('watch=1' in path for path in api.paths[asked:]) and 'resourceVersion=2001' in api.paths[asked]
    assert not daemon.log_lines('level=warn')


@pytest.mark.parametrize('at_once', [False, True])
def test_sent_away_unheard(start: Start, at_once: bool) -> None:
    """A request crosses with the server's going away: it is sent again, elsewhere. Even if the connection ends with that."""
    api, daemon = start()
    first, asked = api.connections[0], len(api.paths)
    first.going_away = True
    api.send('services', end=True)
    if at_once:
        wait_until(lambda: len(api.paths) > asked, 5, 'the request')
        with api.lock:  # it is sent away before
            first.close()
    for resource in ('services', 'pods', 'nodes') if at_once else ('services',):
        wait_until(lambda: resource in api.watches and api.watches[resource][0] is not first, 5, f'{resource} elsewhere',
                   explain=daemon.tail)
    assert all('watch=1' in path for path in api.paths[asked:])
    assert at_once or not daemon.log_lines('level=warn')
    api.send('services', numbered(1, 'changed'))
    wait_until(lambda: daemon.streams()['services']['events'] == N_OBJECTS + 1, 10, 'the change', explain=daemon.tail)
