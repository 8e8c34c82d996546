"""A SOCKS5 proxy (RFC 1928) that wants a user and a password (RFC 1929), and is the only one to know certain names."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import struct
import threading
from typing import Any

from sandbox import connect, inside


class Socks(socketserver.ThreadingTCPServer):
    """Listens at once, in a network namespace; close() ends it and all that goes through it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, namespace: str, address: str, port: int, names: dict[str, str], user: str, password: str) -> None:
        with inside(namespace):
            super().__init__((address, port), Handler)
        self.namespace, self.names, self.credentials = namespace, names, (user, password)
        self.asked: list[tuple[str, int]] = []  # where to
        self.over = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the client has gone, most likely


class Handler(socketserver.StreamRequestHandler):
    server: Socks

    def handle(self) -> None:
        _, n = self._take('BB')
        assert 2 in self.rfile.read(n)  # a password
        self.wfile.write(b'\5\2')
        self._take('B')
        given = self._text(), self._text()
        self.wfile.write(bytes((1, given != self.server.credentials)))
        if given != self.server.credentials:
            return
        *_, kind = self._take('BBBB')
        host = self._text() if kind == 3 else socket.inet_ntop(*{1: (socket.AF_INET, self.rfile.read(4)),
                                                                4: (socket.AF_INET6, self.rfile.read(16))}[kind])
        port, = self._take('>H')
        self.server.asked.append((host, port))
        with connect(self.server.namespace, self.server.names.get(host, host), port, 5) as far:
            self.wfile.write(b'\5\0\0\1' + bytes(6))
            with contextlib.suppress(OSError):
                self._relay(far)

    def _take(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.rfile.read(struct.calcsize(form)))

    def _text(self) -> str:
        return self.rfile.read(*self._take('B')).decode()

    def _relay(self, far: socket.socket) -> None:
        """Nothing was read ahead: a client waits for the answer before it says more."""
        to = {self.connection: far, far: self.connection}
        while not self.server.over.is_set():
            for each in select.select(list(to), [], [], 0.05)[0]:
                octets = each.recv(65536)
                if not octets:
                    return
                to[each].sendall(octets)
