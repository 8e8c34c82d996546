"""Zebras that nobody should have to deal with, and a record of every octet that a client dared to send to them."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable

from sandbox import Sandbox, in_namespace

HEADER = struct.Struct('!HBBIH')  # length, marker, version, VRF, command
MARKER, VERSION = 0xfe, 6
NO_VRF, PROBE = 0xffffffff, 0xffff
HELLOS = {18, 19}  # up to FRR 9, from FRR 10


def message(command: int, body: bytes = b'', vrf: int = 0, version: int = VERSION) -> bytes:
    return HEADER.pack(HEADER.size + len(body), MARKER, version, vrf, command) + body


def error(command: int, code: int, vrf: int = NO_VRF) -> bytes:
    """The number of ERROR depends on zebra's release; 1: no such VRF, 2: no such command. In the host's order, as zebra."""
    return message(command, struct.pack('=I', code), vrf)


class Host:
    """A machine without FRR: a network namespace, and the place where zebra's socket would be."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.namespace = sandbox.namespace('host')
        self.zserv = sandbox.directory / 'zserv.api'

    def run(self, argv: list[str], **kw: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(in_namespace(self.namespace, argv), **{'text': True, 'capture_output': True, **kw})

    def popen(self, argv: list[str], **kw: Any) -> subprocess.Popen[Any]:
        return self.sandbox.popen(self.namespace, argv, **kw)


class FakeZebra:
    """Accepts clients one after the other; behave(connection, first) gets each with the first octets that it sent."""

    def __init__(self, path: Path, behave: Callable[[socket.socket, bytes], Any]) -> None:
        self.path, self.behave = path, behave
        self.received: list[bytes] = []  # of each connection
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        os.unlink(self.path)

    def commands(self) -> list[int]:
        """Of all messages that came, on all connections; anything that is no message is a failure."""
        found = []
        for octets in self.received:
            while octets:
                length, marker, version, _, command = HEADER.unpack_from(octets)
                assert (marker, version) == (MARKER, VERSION) and HEADER.size <= length <= len(octets), octets
                found.append(command)
                octets = octets[length:]
        return found

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                self._serve_one(self._listener.accept()[0])

    def _serve_one(self, connection: socket.socket) -> None:
        n = len(self.received)
        self.received.append(b'')
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            self.received[n] = connection.recv(65536)
            self.behave(connection, self.received[n])
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                self.received[n] += more
