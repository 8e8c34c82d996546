"""A client of zebra's that knows four messages: what other programs on the node may do to our routes.

Numbers are those of the release under test, written down here once more and not taken from the daemon's table.
"""
from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct

from lab import Router

HEADER = struct.Struct('!HBBIH')
NO_VRF = 0xffffffff
OLD, NEW = ('7.5', '8.4'), ('10.3', '10.7')


class Zclient:
    """Connected as nobody in particular: zebra asks no one whose the routes are that he deletes."""

    def __init__(self, node: Router) -> None:
        old = node.release in OLD
        assert old or node.release in NEW
        self._add, self._delete, self._hello = (8, 9, 18) if old else (9, 10, 19)
        self._notify = b'\0' if old else b''
        self._types = {'static': 3, 'openfabric': 26} if old else {'static': 4, 'openfabric': 27}
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(str(node.zserv))

    def close(self) -> None:
        """As a synchronous client (HELLO): zebra 10.3 and 10.7 would throw away what others have on its way."""
        with contextlib.suppress(OSError):
            self._send(self._hello, struct.pack('!BHI', 0, 0, 0) + self._notify + b'\1')
            self.barrier()
        self._socket.close()

    def __enter__(self) -> Zclient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, word: str, address: str, tag: int, metric: int = 0, distance: int = 20) -> None:
        """A blackhole route, like ours."""
        nexthop = struct.pack('!HIBBB', 1, 0, 6, 0, 1)
        self._send(self._add, self._route(word, address, 0x0f) + nexthop + struct.pack('!BII', distance, metric, tag))
        self.barrier()

    def delete(self, word: str, address: str, metric: int = 0, distance: int = 20) -> None:
        """Of a static route the distance is part of its key, as it is of staticd's."""
        self._send(self._delete, self._route(word, address, 0x06) + struct.pack('!BI', distance, metric))
        self.barrier()

    def barrier(self) -> None:
        """Until zebra has read everything: it answers a command that does not exist, in a VRF that cannot."""
        self._send(0xffff, b'', NO_VRF)
        while self._receive() != NO_VRF:
            pass

    def _route(self, word: str, address: str, bits: int) -> bytes:
        ip = ipaddress.ip_address(address)
        family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
        return struct.pack('!BHIIBBB', self._types[word], 0, 0, bits, 1, family, ip.max_prefixlen) + ip.packed

    def _send(self, command: int, body: bytes, vrf: int = 0) -> None:
        self._socket.sendall(HEADER.pack(HEADER.size + len(body), 254, 6, vrf, command) + body)

    def _receive(self) -> int:
        """The VRF of the next message."""
        size, _, _, vrf, _ = HEADER.unpack(self._exactly(HEADER.size))
        self._exactly(size - HEADER.size)
        return int(vrf)

    def _exactly(self, size: int) -> bytes:
        data = b''
        while len(data) < size:
            chunk = self._socket.recv(size - len(data))
            if not chunk:
                raise ConnectionError('zebra hung up')
            data += chunk
        return data
