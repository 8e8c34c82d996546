"""HTTP/2 as the network may deliver it: much for one request, read while it was the turn of another.

A real API server does that now and then, by chance. libcurl 7.88.1 lost the end of it if the request's buffer was full; it came
with whatever came next on the connection, in a quiet cluster after a minute.
"""
from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import urlsplit

import pytest
from cosmolet import NODE, Cosmolet, pod, service
from fake_api import ADDRESS, PORT, Certificates, event
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from lab import Lab
from sandbox import inside, public_directory, wait_until

FRAME, BUFFER = 4096, 16384  # kube-apiserver's frames, and what libcurl buffers if it is not told otherwise
N_OBJECTS = 40


class Http2Api:
    """One connection, on which lists are answered at once and watches left open; what is kept back goes out in one piece."""

    def __init__(self, namespace: str, certificates: Certificates, keep: str = '') -> None:
        self.keep, self.kept, self.lock = keep, 0, threading.Lock()
        self.watches: dict[str, int] = {}
        self.objects: dict[str, list[dict[str, Any]]] = {
            'services': [numbered(i) for i in range(N_OBJECTS)], 'pods': [],
            'nodes': [{'metadata': {'name': NODE, 'uid': 'u', 'resourceVersion': '7'}}]}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificates.paths('server'))
        self.context.set_alpn_protocols(['h2'])
        with inside(namespace):
            self.listener = socket.create_server((ADDRESS, PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.listener.close()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        self.connection = self.context.wrap_socket(connection, server_side=True)
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding='utf-8'))
        with self.lock:
            self.h2.initiate_connection()
            self._flush()
        try:
            while (octets := self.connection.recv(65536)):
                with self.lock:
                    for each in self.h2.receive_data(octets):
                        if isinstance(each, RequestReceived):
                            self._answer(dict(each.headers)[':path'], each.stream_id)
                    self._flush()
        except OSError:
            pass  # the client has gone

    def _flush(self) -> None:
        self.connection.sendall(self.h2.data_to_send())

    def _head(self, stream: int, status: str = '200') -> None:
        self.h2.send_headers(stream, [(':status', status), ('content-type', 'application/json')])

    def _body(self, stream: int, octets: bytes, end: bool = False) -> None:
        """In one write of the connection, with the next flush."""
        for at in range(0, len(octets), FRAME):
            self.h2.send_data(stream, octets[at:at + FRAME], end_stream=end and at + FRAME >= len(octets))

    def _list(self, resource: str, stream: int) -> None:
        octets = json.dumps({'kind': 'List', 'metadata': {'resourceVersion': '1000'}, 'items': self.objects[resource]}).encode()
        if resource == self.keep:  # a little more than the buffer holds: its last frame is what does not fit
            assert len(octets) < BUFFER
            octets += b' ' * (BUFFER + FRAME // 2 - len(octets))
        self._head(stream)
        self._body(stream, octets, end=True)

    def _answer(self, path: str, stream: int) -> None:
        resource = urlsplit(path).path.rsplit('/', 1)[-1]
        if resource not in self.objects:
            self._head(stream, '404')
            self._body(stream, b'{}', end=True)
        elif 'watch=1' in path:
            self.watches[resource] = stream
            self._head(stream)
        elif resource == self.keep:
            self.kept = stream
        else:
            self._list(resource, stream)

    def give(self) -> None:
        """The list that was kept back."""
        with self.lock:
            self._list(self.keep, self.kept)
            self._flush()

    def send(self, resource: str, *objects: dict[str, Any]) -> None:
        """Changes of all of them."""
        with self.lock:
            self._body(self.watches[resource], b''.join(event('MODIFIED', each) for each in objects))
            self._flush()


def numbered(i: int, label: str = '') -> dict[str, Any]:
    made = service(f's{i}', [f'10.96.0.{i}'])
    made['metadata'].update(resourceVersion=str(2000 + i), labels={'is': label})
    return made


def numbered_pod(i: int, label: str) -> dict[str, Any]:
    made = pod(f'p{i}', f's{i}', ips=[f'10.244.0.{i}'])
    made['metadata'].update(resourceVersion=str(2000 + i), uid=f'p{i}', annotations={'is': label})
    return made


@pytest.fixture(scope='module')
def network() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope='module')
def certificates() -> Iterator[Certificates]:
    with public_directory() as directory:
        yield Certificates(directory)


@pytest.fixture
def start(network: Lab, certificates: Certificates, cosmolet: Path, tmp_path: Path) -> Iterator[Callable[[str], tuple[Http2Api, Cosmolet]]]:
    """The server, which keeps one list back, and a daemon that has all others."""
    with contextlib.ExitStack() as stack:
        def go(keep: str) -> tuple[Http2Api, Cosmolet]:
            api = stack.enter_context(contextlib.closing(Http2Api(network.node.namespace, certificates, keep)))
            daemon = Cosmolet(network.node, tmp_path, kubernetes={
                'source': 'cluster', 'kubeconfig': str(certificates.kubeconfig(tmp_path / 'kubeconfig'))})
            stack.callback(daemon.close)
            daemon.start(ready=False)
            wait_until(lambda: len(api.watches) == (2 if keep else 3), 10, 'the watches', explain=daemon.tail)
            return api, daemon

        yield go


@pytest.mark.parametrize('late', ['services', 'pods', 'nodes'])
def test_the_end_of_a_list(start: Callable[[str], tuple[Http2Api, Cosmolet]], late: str) -> None:
    api, daemon = start(late)
    api.give()
    wait_until(lambda: late in api.watches, 5, 'the watch after the list', explain=daemon.tail)
    daemon.wait_ready(5)
    assert len(daemon.status()['addresses']) == N_OBJECTS


@pytest.mark.parametrize('resource', ['services', 'pods'])
def test_many_changes_at_once(start: Callable[[str], tuple[Http2Api, Cosmolet]], resource: str) -> None:
    """Whatever their size, and so wherever a frame ends that fills the buffer."""
    api, daemon = start('')
    make = {'services': numbered, 'pods': numbered_pod}[resource]
    for n in range(14, N_OBJECTS):
        before = daemon.streams()[resource]['events']
        api.send(resource, *(make(i, 'x' * 600) for i in range(n)))
        wait_until(lambda: daemon.streams()[resource]['events'] == before + n, 2, f'all of {n} changes', explain=daemon.tail)
