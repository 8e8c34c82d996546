#!/usr/bin/python3
"""Records what real zebras say to the daemon, as seeds for the fuzz targets of the zapi room.

    tests/fuzz/record.py [DIRECTORY]        (the corpus, unless said otherwise)

In a laboratory of each release and each kind of word, the daemon talks to zebra through a relay while everything happens
that a connection can hear of: routes of others in the feed, adds and deletes, a better route, staticd restarting, another
client leaving, interfaces and addresses coming and going, a restart of the daemon, its last withdrawal. Each connection
becomes a seed of zapi_stream, twice: as it is, and in small pieces. Of each kind of message, and of each length that it
came in, the first becomes a seed of zapi_route. Those that cover nothing new may go: fuzz_zapi_stream -merge=1 tells.
"""
from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / 'lab'), str(TESTS / 'bench')]
from common import Client  # noqa: E402
from cosmolet import Cosmolet, pod, service  # noqa: E402
from lab import RELEASES, Lab  # noqa: E402
from sandbox import execute, wait_until  # noqa: E402

V4, V6 = '10.9.9.9', 'fd00::9'  # the owner's in fuzz_zapi_stream.c

# The lead octets of the targets: words as in zapi.h, sizes of pieces as in fuzz_zapi_stream.c, columns as in release.h.
WORDS = {'static': 0, 'openfabric': 1}
PIECES = {'whole': 255, 'bits': 4}
COLUMNS = {'7.5': 0, '8.4': 3, '10.3': 6, '10.7': 7}

# Numbers of the messages that have a decoder (lib/zclient.h of each release).
NUMBERS = {
    '7.5': {33: 'feed', 34: 'feed', 10: 'notify', 112: 'error'},
    '8.4': {30: 'feed', 31: 'feed', 10: 'notify', 118: 'error', 125: 'close'},
    '10.3': {31: 'feed', 32: 'feed', 11: 'notify', 120: 'error', 127: 'close'},
    '10.7': {31: 'feed', 32: 'feed', 11: 'notify', 120: 'error', 127: 'close'},
}
SAME_EVERYWHERE = ('error', 'close')


class Relay:
    """A socket in front of zebra's, which keeps what zebra says on each connection."""

    def __init__(self, path: Path, zserv: Path) -> None:
        self.path, self.zserv = path, zserv
        self.said: list[bytearray] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            zebra = socket.socket(socket.AF_UNIX)
            zebra.connect(str(self.zserv))
            self.said.append(bytearray())
            threading.Thread(target=copy, args=(client, zebra, bytearray()), daemon=True).start()
            threading.Thread(target=copy, args=(zebra, client, self.said[-1]), daemon=True).start()


def copy(source: socket.socket, to: socket.socket, kept: bytearray) -> None:
    try:
        while data := source.recv(65536):
            kept += data
            to.sendall(data)
    except OSError:
        pass  # the other side hung up
    for end in (source, to):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def session(release: str, word: str) -> list[bytes]:
    """What zebra said on each connection of a daemon's two lives and of its end."""
    with Lab(release, word=word) as lab:
        relay = Relay(lab.directory / 'zserv.api', lab.node.zserv)
        daemon = Cosmolet(lab.node, lab.directory / 'cosmolet', word, frr={'socket_path': str(relay.path)})
        daemon.manifest('service', service('web', [V4, V6]))
        daemon.manifest('pod', pod('web-1', 'web'))
        try:
            live(lab, daemon, word)
        finally:
            daemon.close()
        daemon.command('withdraw', '--config', str(daemon.config))
        lab.tor.wait_for(set())
        return [bytes(said) for said in relay.said]


def live(lab: Lab, daemon: Cosmolet, word: str) -> None:
    both = {f'{V4}/32', f'{V6}/128'}
    daemon.start()
    lab.tor.wait_for(both)
    for ready, wanted in ((False, set()), (True, both)):
        daemon.manifest('pod', pod('web-1', 'web', ready))
        lab.tor.wait_for(wanted)
    be_restless(lab)
    be_beaten(lab, daemon)
    if word == 'static':
        lab.node.stop('staticd')
        lab.node.start('staticd')
    be_joined(lab)
    lab.tor.wait_for(both)
    daemon.stop(signal.SIGTERM)
    time.sleep(1)
    daemon.start()
    lab.tor.wait_for(both)
    daemon.stop(signal.SIGTERM)


def be_restless(lab: Lab) -> None:
    """An interface comes, gets an address, changes, and goes."""
    def link(*argv: str) -> None:
        execute(lab.node.namespace, 'ip', *argv)
        time.sleep(0.1)

    link('link', 'add', 'flap', 'type', 'veth', 'peer', 'name', 'flap-peer')
    link('link', 'set', 'flap', 'up')
    link('address', 'add', '192.0.2.129/30', 'dev', 'flap')
    link('link', 'set', 'flap', 'mtu', '1400')
    link('link', 'set', 'flap', 'down')
    link('link', 'delete', 'flap')


def be_beaten(lab: Lab, daemon: Cosmolet) -> None:
    """The kernel has a better route for a while."""
    def state() -> str:
        return daemon.states().get(V4, '')

    for verb, wanted in (('add', 'rejected'), ('delete', 'announced')):
        execute(lab.node.namespace, 'ip', 'route', verb, 'blackhole', f'{V4}/32', 'metric', '7')
        wait_until(lambda: state() == wanted, 20, f'{V4} {wanted}', explain=daemon.tail)


def be_joined(lab: Lab) -> None:
    """Another client of the own type comes and goes, and zebra takes all routes of the type along with it."""
    other = Client(lab.node, 'raw', 'openfabric')
    other.begin('add 0 2')
    time.sleep(0.5)
    other.process.kill()  # it would wait for notifications, which zebra sends to the first of the type
    other.process.wait()
    time.sleep(0.5)


def messages(stream: bytes) -> list[tuple[int, bytes]]:
    """Number and body of each message."""
    found = []
    while len(stream) >= 10:
        size = int.from_bytes(stream[:2], 'big')
        found.append((int.from_bytes(stream[8:10], 'big'), stream[10:size]))
        stream = stream[size:]
    return found


def shape(stream: bytes) -> tuple[tuple[int, int], ...]:
    return tuple((number, len(body)) for number, body in messages(stream))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('directory', type=Path, nargs='?', default=Path(__file__).with_name('corpus'),
                        help='that holds zapi_stream and zapi_route (default: %(default)s)')
    directory = parser.parse_args().directory
    for target in ('zapi_stream', 'zapi_route'):
        (directory / target).mkdir(parents=True, exist_ok=True)
    for release in RELEASES:
        bodies: dict[tuple[str, int], bytes] = {}
        for word in WORDS:
            shapes = set()
            for n, stream in enumerate(session(release, word), 1):
                if shape(stream) in shapes:
                    continue
                shapes.add(shape(stream))
                for name, pieces in PIECES.items():
                    seed = bytes((WORDS[word], pieces)) + stream
                    (directory / 'zapi_stream' / f'{release}-{word}-{n}-{name}').write_bytes(seed)
                for number, body in messages(stream):
                    if number in NUMBERS[release]:
                        bodies.setdefault((NUMBERS[release][number], len(body)), body)
                print(f'{release} {word}, connection {n}: {len(stream)} octets, {len(messages(stream))} messages', flush=True)
        for (kind, size), body in bodies.items():
            name = kind if kind in SAME_EVERYWHERE else f'{kind}-{release}-{size}'
            (directory / 'zapi_route' / name).write_bytes(bytes((COLUMNS[release],)) + body)


if __name__ == '__main__':
    main()
