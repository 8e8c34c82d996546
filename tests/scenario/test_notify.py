"""What a service manager hears of the daemon over its socket (sd_notify(3)); the manager is played, on a host without FRR."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
from pathlib import Path
from typing import Any, Iterator

import pytest
from cosmolet import Cosmolet
from fake_zebra import Host
from sandbox import Sandbox, inside

SO_TIMESTAMP = 29  # Linux, asm-generic; Python does not name it


class Manager:
    """Its end of the socket."""

    def __init__(self, daemon: Cosmolet, address: str, watchdog: float = 0) -> None:
        with inside(daemon.node.namespace):  # abstract addresses belong to one
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace('@', '\0', 1))
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        daemon.environment['NOTIFY_SOCKET'] = address
        if watchdog:
            daemon.environment['WATCHDOG_USEC'] = str(int(watchdog * 1e6))

    def hear(self, key: str) -> str:
        """The value of the next news with that key."""
        while True:
            told = dict(line.split('=', 1) for line in self.socket.recv(4096).decode().split('\n') if line)
            if key in told:
                return told[key]

    def hear_when(self, key: str) -> float:
        """When the next news with that key was sent, by the kernel's word."""
        while True:
            told, [(_, _, stamp)], _, _ = self.socket.recvmsg(4096, 64)
            if f'{key}='.encode() in told:
                seconds, microseconds = struct.unpack('qq', stamp)
                return seconds + microseconds / 1e6

    def is_silent(self, seconds: float) -> bool:
        return not select.select([self.socket], [], [], seconds)[0]


@pytest.fixture
def daemon(cosmolet: Path, tmp_path: Path) -> Iterator[Cosmolet]:
    with contextlib.ExitStack() as stack:
        made = Cosmolet(Host(stack.enter_context(Sandbox())), tmp_path)
        stack.callback(made.close)
        made.environment = {key: value for key, value in made.environment.items() if key not in ('NOTIFY_SOCKET', 'WATCHDOG_USEC')}
        yield made


def configure(daemon: Cosmolet, **settings: Any) -> None:
    daemon.settings.update(settings)
    daemon.write_config()


def test_from_start_to_end(daemon: Cosmolet, tmp_path: Path) -> None:
    """It is ready when it runs, not when the cluster is known: a node may come up long before its API server."""
    manager = Manager(daemon, str(tmp_path / 'notify'))
    configure(daemon, announce={'on_stop': 'drain', 'drain_seconds': 600})
    daemon.start(ready=False)
    assert manager.hear('READY') == '1'
    assert f'0 addresses announced; waiting for zebra at {daemon.node.zserv}' in manager.hear('STATUS')
    assert manager.is_silent(3), 'nobody asked for signs of life, and nothing has changed'
    assert daemon.process
    daemon.process.send_signal(signal.SIGTERM)
    # A manager that gave up after its usual 90 s would cut the drain short.
    assert int(manager.hear('EXTEND_TIMEOUT_USEC')) == (600 + 20) * 1_000_000
    assert daemon.stop() == 1  # at once, by a second signal


def test_abstract_address(daemon: Cosmolet) -> None:
    manager = Manager(daemon, f'@cosmolet-test-{os.getpid()}')
    daemon.start(ready=False)
    assert manager.hear('READY') == '1'


def test_watchdog(daemon: Cosmolet, tmp_path: Path) -> None:
    """Twice in the time it is given, as long as the event loop turns; through a change that builds all anew, too."""
    manager = Manager(daemon, str(tmp_path / 'notify'), watchdog=1)
    daemon.start(ready=False)
    assert manager.hear('READY') == '1'
    heard = []
    for turn in range(6):
        if turn == 3:
            configure(daemon, http={'listen': ''})
        heard.append(manager.hear_when('WATCHDOG'))
    assert max(late - early for early, late in zip(heard, heard[1:])) < 1
    assert daemon.process
    daemon.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED)  # it may be amid a sign of life
    while not manager.is_silent(0):
        manager.socket.recv(4096)
    assert manager.is_silent(1.2)


def test_refused(daemon: Cosmolet, tmp_path: Path) -> None:
    """Without a start that succeeded nobody is told that it did; a change that is refused shows in the status."""
    manager = Manager(daemon, str(tmp_path / 'notify'), watchdog=1)
    configure(daemon, loopback={'interface': 'eth77'})
    daemon.start(ready=False)
    assert daemon.process and daemon.process.wait(10) == 1 and manager.is_silent(0)
    configure(daemon, loopback={'interface': 'lo'})
    daemon.start(ready=False)
    assert manager.hear('READY') == '1'
    daemon.config.write_text('no such key: 1\n')
    while 'the configuration is refused: ' not in (status := manager.hear('STATUS')):
        pass
    assert str(daemon.config) in status


@pytest.mark.parametrize('address', ['', '/', 'relative', '/' + 'long' * 40, '/nobody/listens'])
def test_no_manager(daemon: Cosmolet, address: str) -> None:
    """What is no address, or nobody's, troubles nobody."""
    daemon.environment['NOTIFY_SOCKET'] = address
    daemon.start(ready=False)
    daemon.wait_log('room=zapi', 'No such file or directory')
    assert daemon.get('/livez')[0] == 200 and daemon.stop() == 0
