"""An API server that misbehaves when told to, and otherwise lists and watches as Kubernetes does.

Real ones do not send half an object, or the certificate of somebody else, just because a test would like to see it.
"""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
import queue
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox import inside, run

ADDRESS, PORT = '127.0.0.1', 6443
END, CLOSE = b'', None
RESOURCES = {'Service': 'services', 'Pod': 'pods', 'Node': 'nodes', 'EndpointSlice': 'endpointslices'}


@dataclass
class Answer:
    """Instead of what was asked for. With cut, the connection ends before the promised last octets; once: then all is well."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    once: bool = False


def status(code: int, reason: str, message: str = 'scripted') -> bytes:
    return json.dumps({'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Failure', 'message': message,
                       'reason': reason, 'code': code}).encode()


class FakeApi(ThreadingHTTPServer):
    """Listens at once, in a network namespace; close() ends it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, namespace: str, certificates: Certificates, handler: type[Handler] | None = None) -> None:
        with inside(namespace):
            super().__init__((ADDRESS, PORT), handler or Handler)
        self.certificates = certificates
        self.present('server')
        self.lock = threading.Lock()
        self.version = 1000
        self.store: dict[str, dict[str, dict[str, Any]]] = {resource: {} for resource in RESOURCES.values()}
        self.history: list[tuple[int, str, bytes]] = []
        self.watchers: dict[str, list[queue.Queue[bytes | None]]] = {resource: [] for resource in RESOURCES.values()}
        self.faults: dict[tuple[str, str], Answer] = {}
        self.page = 0  # so many objects of a list come at once; 0: all
        self.asked: list[tuple[float, str]] = []  # when, and for what
        self.compressible: list[str] = []  # those of which the answer may be compressed
        self.connections = 0
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.end_watches()

    # What it knows

    def put(self, *objects: dict[str, Any]) -> None:
        """Creates objects or changes them, and tells those who watch."""
        for each in objects:
            each = copy.deepcopy(each)
            resource, name = RESOURCES[each['kind']], each['metadata']['name']
            with self.lock:
                self.version += 1
                each['metadata'].update(resourceVersion=str(self.version), uid=f'uid-{name}')
                kind = 'MODIFIED' if name in self.store[resource] else 'ADDED'
                self.store[resource][name] = each
            self.send(resource, event(kind, each))

    @property
    def requests(self) -> list[str]:
        return [path for _, path in self.asked]

    def times(self, verb: str, resource: str = '') -> list[float]:
        """When it was asked so."""
        return [when for when, path in self.asked if ('watch=1' in path) == (verb == 'watch') and f'/{resource}' in path]

    def count(self, verb: str, resource: str = '') -> int:
        return len(self.times(verb, resource))

    # How it misbehaves

    def send(self, resource: str, line: bytes, remember: bool = True) -> None:
        """An event, or anything else, to all who watch."""
        with self.lock:
            if remember:
                self.history.append((self.version, resource, line))
            for watcher in self.watchers[resource]:
                watcher.put(line)

    def end_watches(self, cleanly: bool = True) -> None:
        """In good order, as after their time; or by closing their connections in the middle."""
        with self.lock:
            for watcher in (w for watchers in self.watchers.values() for w in watchers):
                watcher.put(END if cleanly else CLOSE)

    def answer(self, resource: str, verb: str, answer: Answer) -> None:
        """From now on, to every such request; verb: list, page (any but the first), watch."""
        self.faults[resource, verb] = answer

    def present(self, certificate: str, latest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        """From now on, to every new connection; latest: the version of TLS that it knows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificates.paths(certificate))
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, latest
        context.set_ciphers('DEFAULT@SECLEVEL=0')
        self.context = context

    def heal(self) -> None:
        self.faults.clear()
        self.present('server')

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a handshake that the client ended, most likely


def event(kind: str, of: dict[str, Any]) -> bytes:
    return json.dumps({'type': kind, 'object': of}).encode() + b'\n'


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server: FakeApi

    def setup(self) -> None:
        self.server.connections += 1
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        resource, query = url.path.rsplit('/', 1)[-1], parse_qs(url.query)
        if resource == 'announcementpolicies':  # it knows none, and is asked for them now and then, whatever else goes on
            self.say(Answer(404, status(404, 'NotFound'), {'Connection': 'close'}))
            self.close_connection = True
            return
        self.server.asked.append((time.monotonic(), self.path))
        if 'gzip' in self.headers.get('Accept-Encoding', ''):
            self.server.compressible.append(self.path)
        verb = 'watch' if 'watch' in query else 'page' if 'continue' in query else 'list'
        fault = self.server.faults.get((resource, verb))
        if fault:
            if fault.once:
                del self.server.faults[resource, verb]
            self.say(fault)
        elif resource not in self.server.store:
            self.say(Answer(404, status(404, 'NotFound')))
        elif verb in ('list', 'page'):
            self._list(resource, int(query.get('continue', '0')[0]))
        else:
            self._watch(resource, int(query['resourceVersion'][0]))

    def say(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {'Content-Type': 'application/json', **answer.headers}.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(answer.body) + (100 if answer.cut else 0)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = answer.cut

    def _list(self, resource: str, start: int) -> None:
        with self.server.lock:
            items = list(self.server.store[resource].values())
            end = start + self.server.page if self.server.page else len(items)
            more = {'continue': str(end)} if end < len(items) else {}
            body = json.dumps({'kind': 'List', 'apiVersion': 'v1', 'items': items[start:end],
                               'metadata': {'resourceVersion': str(self.server.version), **more}}).encode()
        if self.path in self.server.compressible:
            self.say(Answer(200, gzip.compress(body, 1), {'Content-Encoding': 'gzip'}))
        else:
            self.say(Answer(200, body))

    def _watch(self, resource: str, since: int) -> None:
        mine: queue.Queue[bytes | None] = queue.Queue()
        with self.server.lock:
            for version, whose, line in self.server.history:
                if whose == resource and version > since:
                    mine.put(line)
            self.server.watchers[resource].append(mine)
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        with contextlib.suppress(OSError):
            while (line := mine.get()) is not CLOSE:
                self.wfile.write(b'%x\r\n%b\r\n' % (len(line), line))
                if line == END:
                    break
        with self.server.lock:
            self.server.watchers[resource].remove(mine)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


class Certificates:
    """An authority, and a second one that nobody knows; certificates of the server, good and bad."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / 'openssl.cnf').write_text('[req]\ndistinguished_name = dn\n[dn]\n')
        for authority in ('ca', 'strangers-ca'):
            run(['openssl', 'req', '-x509', *self._key(authority), '-days', '2',
                 '-addext', 'basicConstraints=critical,CA:TRUE'])
        self._issue('server', f'IP:{ADDRESS}')
        self._issue('expired', f'IP:{ADDRESS}', days=-1)
        self._issue('of-another-name', 'DNS:somebody.else.example')
        self._issue('of-a-stranger', f'IP:{ADDRESS}', authority='strangers-ca')

    def paths(self, name: str) -> tuple[Path, Path]:
        return self.directory / f'{name}.crt', self.directory / f'{name}.key'

    def kubeconfig(self, path: Path, **cluster: Any) -> Path:
        known = {'certificate-authority': str(self.directory / 'ca.crt')}
        path.write_text(json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'fake',
            'clusters': [{'name': 'fake', 'cluster': {'server': f'https://{ADDRESS}:{PORT}', **(cluster or known)}}],
            'users': [{'name': 'user', 'user': {'token': 'secret'}}],
            'contexts': [{'name': 'fake', 'context': {'cluster': 'fake', 'user': 'user'}}]}))
        return path

    def _key(self, name: str) -> list[str]:
        certificate, key = self.paths(name)
        return ['-config', str(self.directory / 'openssl.cnf'), '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                '-nodes', '-subj', f'/CN={name}', '-keyout', str(key), '-out', str(certificate)]

    def _issue(self, name: str, alternative: str, authority: str = 'ca', days: int = 2) -> None:
        certificate, request = self.directory / f'{name}.crt', self.directory / f'{name}.csr'
        run(['openssl', 'req', '-new', *self._key(name)])
        certificate.rename(request)
        (self.directory / 'extensions').write_text(f'subjectAltName={alternative}\nextendedKeyUsage=serverAuth\n')
        run(['openssl', 'x509', '-req', '-in', str(request), '-CA', str(self.directory / f'{authority}.crt'), '-CAkey',
             str(self.directory / f'{authority}.key'), '-set_serial', '2', '-days', str(days), '-extfile',
             str(self.directory / 'extensions'), '-out', str(certificate)])
