"""gobgpd on the node, beside FRR's bgpd and with a session of its own to the ToR."""
from __future__ import annotations

import os
import struct
import subprocess
import time
from ipaddress import IPv4Address
from pathlib import Path

from common import address, session, wait_received
from lab import NODE_AS, TOR_AS, Lab
from sandbox import ip, wait_until

OURS, PEER = '192.0.2.5', '192.0.2.6'

CONFIG = f'''\
[global.config]
  as = {NODE_AS}
  router-id = "{OURS}"
  port = -1
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{PEER}"
    peer-as = {TOR_AS}
  [neighbors.transport.config]
    local-address = "{OURS}"
  [neighbors.timers.config]
    connect-retry = 1
'''


class Gobgp:
    """As a context manager, gone afterwards; the ToR then has lost its routes."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.directory = lab, directory
        for router, link, own in ((lab.node, 'uplink', OURS), (lab.tor, 'downlink', PEER)):
            ip('-n', router.namespace, 'address', 'replace', f'{own}/30', 'dev', link)
        lab.tor.configure(f'router bgp {TOR_AS}', f'neighbor {OURS} remote-as {NODE_AS}', f'neighbor {OURS} passive',
                          'address-family ipv4 unicast', f'neighbor {OURS} activate')
        config = directory / 'gobgpd.toml'
        config.write_text(CONFIG)
        self.log = directory / 'gobgpd.log'
        with self.log.open('wb') as log:
            self.process = lab.node.popen(['gobgpd', '-f', str(config), '--api-hosts', '127.0.0.1:50051'], stdout=log, stderr=log)
        wait_until(lambda: session(lab, OURS)['state'] == 'Established', 60, 'gobgpd: the session', explain=self.log.read_text)

    def add_each(self, n: int) -> float:
        """A call of its CLI for each route. The seconds until the ToR has them."""
        script = ''.join(f'gobgp global rib add {address(i)}/32\n' for i in range(n))
        begun = time.time()
        self.lab.node.run(['sh', '-e'], input=script, check=True)
        wait_received(self.lab, n, OURS)
        return time.time() - begun

    def add_all(self, n: int) -> float:
        """One call, and one stream of its gRPC; the routes come from a table dump (RFC 6396).

        At the end of the dump the CLI leaves, and what gobgpd has not taken by then is lost: so the end comes last.
        """
        pipe, dump = self.directory / 'dump', table_dump(n)
        os.mkfifo(pipe)
        begun = time.time()
        cli = self.lab.node.popen(['gobgp', 'mrt', 'inject', 'global', str(pipe)])
        with pipe.open('wb') as end:
            end.write(dump)
            end.flush()
            wait_received(self.lab, n, OURS)
            took = time.time() - begun
        cli.wait(20)
        pipe.unlink()
        return took

    def delete_all(self) -> None:
        self.lab.node.run(['gobgp', 'global', 'rib', 'del', 'all'], check=True)

    def __enter__(self) -> Gobgp:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.lab.tor.configure(f'router bgp {TOR_AS}', f'no neighbor {OURS}')


def table_dump(n: int) -> bytes:
    """TABLE_DUMP_V2: the index of one peer, then a record of IPv4 unicast for each route, with one path."""
    def record(subtype: int, body: bytes) -> bytes:
        return struct.pack('!IHHI', 0, 13, subtype, len(body)) + body

    own = IPv4Address(OURS).packed
    peers = own + struct.pack('!HH', 0, 1) + b'\2' + own + own + struct.pack('!I', NODE_AS)
    attributes = b'\x40\1\1\0' + b'\x40\2\0' + b'\x40\3\4' + own  # ORIGIN, an empty AS_PATH, NEXT_HOP
    path = struct.pack('!HHIH', 1, 0, 0, len(attributes)) + attributes
    return record(1, peers) + b''.join(
        record(2, struct.pack('!IB', i, 32) + IPv4Address(address(i)).packed + path) for i in range(n))
