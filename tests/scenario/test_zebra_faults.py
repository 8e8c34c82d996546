"""A zebra that is not there, or not what it should be: it is said once, tried again, and never sent a route.

A route that another release takes for something else would be worse than none, hence the look at every message sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from fake_zebra import HELLOS, PROBE, FakeZebra, Host, error, message
from sandbox import Sandbox, public_directory, wait_until


def cosmolet_without_frr(stack: contextlib.ExitStack, directory: Path) -> Cosmolet:
    """Not started, with one service to announce; it goes away with the stack."""
    made = Cosmolet(Host(stack.enter_context(Sandbox())), directory)
    stack.callback(made.close)
    made.manifest('web', service('web', ['10.96.0.10', 'fd00:96::10']), pod('web-1', 'web'))
    return made


def assert_waits(daemon: Cosmolet) -> None:
    """It lives, is not ready, and says for what it waits."""
    ready, text = daemon.get('/readyz')
    assert ready == 503 and str(daemon.node.zserv) in text
    assert daemon.get('/livez')[0] == 200
    status = daemon.status()
    assert not status['zebra']['connected'] and status['kubernetes']['synced']
    assert set(daemon.states().values()) == {'pending'}
    assert 'cosmolet_zapi_connected 0\n' in daemon.get('/metrics')[1]
    assert 'there is no connection to it' in daemon.command('why', '10.96.0.10', '--http', '127.0.0.1:9474').stdout


def told(daemon: Cosmolet) -> list[str]:
    """What it said of zebra, without the time."""
    return [line.split(' ', 1)[1] for line in daemon.log_lines('room=zapi')]


@pytest.fixture
def daemon(cosmolet: Path, tmp_path: Path) -> Iterator[Cosmolet]:
    with contextlib.ExitStack() as stack:
        yield cosmolet_without_frr(stack, tmp_path)


def test_absent_then_refusing(daemon: Cosmolet) -> None:
    daemon.start(ready=False)
    daemon.wait_log('room=zapi', 'No such file or directory')
    later = time.monotonic() + 2.5  # at least one more attempt; three seconds after the start it looks whose the socket is
    time.sleep(1)
    assert_waits(daemon)
    time.sleep(max(0, later - time.monotonic()))
    assert len(told(daemon)) == 1

    # Its socket is there, but nobody listens: another cause, another line.
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(daemon.node.zserv))
        daemon.wait_log('room=zapi', 'Connection refused')
        assert len(told(daemon)) == 2
        assert_waits(daemon)
    os.unlink(daemon.node.zserv)
    assert daemon.stop() == 0


ERROR_84 = 118

BEHAVIOURS: dict[str, tuple[Callable[[socket.socket, bytes], Any], str]] = {
    'accepts and closes': (lambda c, first: None, ''),
    'closes in the middle of a message': (lambda c, first: c.sendall(error(ERROR_84, 1)[:7]), ''),
    'answers garbage': (lambda c, first: c.sendall(os.urandom(4096)), ''),
    'answers zeroes': (lambda c, first: c.sendall(bytes(4096)), ''),
    'speaks another version': (lambda c, first: c.sendall(message(ERROR_84, b'\1\0\0\0', 0xffffffff, version=7)), ''),
    'says it is longer than any': (lambda c, first: c.sendall(b'\xff\xff' + error(ERROR_84, 1)[2:] + bytes(70000)), ''),
    'is of a release that is not known': (lambda c, first: c.sendall(error(999, 1)), 'ERROR is message 999'),
    'knows no HELLO': (lambda c, first: (c.sendall(error(ERROR_84, 1)), c.recv(100), c.sendall(error(ERROR_84, 2, vrf=0)),
                                         c.recv(100), c.sendall(error(ERROR_84, 2, vrf=0))), 'not known: ERROR is message 118'),
    'has capabilities of no release': (lambda c, first: (c.sendall(error(ERROR_84, 1)), c.recv(100),
                                                         c.sendall(message(19, bytes(77)))), 'CAPABILITIES has 77 octets'),
    'never answers': (lambda c, first: c.recv(1), 'did not answer the probe'),
    'contradicts itself': (lambda c, first: (c.sendall(error(ERROR_84, 1)), c.recv(100), c.sendall(message(19, bytes(10))),
                                             c.sendall(message(34, bytes(76)))), 'VRF_ADD is 34'),
    'tells its VRFs by another number': (
        lambda c, first: (c.sendall(error(ERROR_84, 1)), c.recv(100), c.sendall(message(19, bytes(10))),
                          c.sendall(message(35, bytes(76))), c.recv(1)), 'CAPABILITIES has 10 octets'),
}
# Each time that one of these was met is counted.
UNKNOWN = {'is of a release that is not known', 'knows no HELLO', 'has capabilities of no release', 'contradicts itself',
           'tells its VRFs by another number'}


@pytest.fixture(scope='module')
def encounters(cosmolet: Path) -> Iterator[dict[str, tuple[Cosmolet, FakeZebra]]]:
    """All of them at once, each with a daemon of its own: most of what follows is waiting."""
    with contextlib.ExitStack() as stack:
        made = {}
        for name, (behave, _) in BEHAVIOURS.items():
            daemon = cosmolet_without_frr(stack, stack.enter_context(public_directory()))
            zebra = FakeZebra(daemon.node.zserv, behave)
            stack.callback(zebra.close)
            made[name] = daemon.start(ready=False), zebra
        yield made


@pytest.mark.parametrize('name', BEHAVIOURS)
def test_strange_zebra(encounters: dict[str, tuple[Cosmolet, FakeZebra]], name: str) -> None:
    daemon, zebra = encounters[name]
    wait_until(lambda: len(zebra.received) >= 2, 20, 'a second attempt', explain=daemon.tail)
    daemon.wait_log('room=zapi', 'level=warn', BEHAVIOURS[name][1])
    assert len(told(daemon)) == 1, daemon.tail()
    assert_waits(daemon)
    assert zebra.commands()[0] == PROBE
    assert set(zebra.commands()) <= {PROBE, *HELLOS}
    counted = daemon.metric('zapi_unknown_releases_total')
    assert counted >= 1 if name in UNKNOWN else counted == 0
    assert daemon.stop() == 0
