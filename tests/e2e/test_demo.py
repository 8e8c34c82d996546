"""The demo is the first thing that anybody runs: it must work alone and under a person's hands, and leave nothing."""
from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Iterator

import pytest

DEMO = Path(__file__).resolve().parents[2] / 'container' / 'demo'
RUN = Path('/run/cosmolet-demo')


@pytest.fixture(autouse=True)
def tree_untouched() -> Iterator[None]:
    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in DEMO.rglob('*') if path.is_file()}

    before = contents()
    yield
    assert contents() == before


@pytest.fixture
def environment(cosmolet: Path) -> dict[str, str]:
    return {**os.environ, 'COSMOLET': str(cosmolet), 'NO_COLOR': '1', 'TERM': 'xterm'}


def leftovers(pid: int) -> list[str]:
    """What is still there of a demo that ran with this pid: everything of it has that in its name."""
    name = f'cosmolet-{pid}-'
    found = [str(path) for directory in ('/run/netns', '/tmp') for path in Path(directory).glob(f'{name}*')]
    if RUN.is_symlink() and name in str(RUN.readlink()):
        found.append(str(RUN))
    for process in Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if any(name in (process / file).read_text(errors='replace') for file in ('cmdline', 'mountinfo')):
                found.append(f'{process}: {(process / "cmdline").read_text()!r}')
    return found


def test_story(environment: dict[str, str]) -> None:
    with subprocess.Popen([DEMO / 'run', '--yes'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          env=environment) as demo:
        told = demo.communicate(timeout=120)[0]
    assert demo.returncode == 0, told
    assert '\033' not in told
    for line in (r'10\.96\.0\.10/32 +65001:100 +0 +192\.0\.2\.1',
                 r'withdraw +10\.96\.0\.53/32 +\d+\.\d ms after', r'withdraw +fd00:96::53/128 +\d+\.\d ms after',
                 r'announce +10\.96\.0\.53/32 +\d+\.\d ms after', r'announce +fd00:96::53/128 +\d+\.\d ms after',
                 r'0 updates at the ToR', r'10\.96\.0\.53 is announced since', r'10\.96\.0\.77 is down',
                 r'Every step was seen'):
        assert re.search(line, told), f'{line} in:\n{told}'
    assert leftovers(demo.pid) == []


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize('step', ['FRR', '2. dns-1', '4. cosmolet'])
def test_interrupted(environment: dict[str, str], number: signal.Signals, step: str) -> None:
    with subprocess.Popen([DEMO / 'run', '--yes'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          env=environment) as demo:
        assert demo.stdout
        assert any(line.startswith(step) for line in demo.stdout)
        assert leftovers(demo.pid) != []
        demo.send_signal(number)
        assert demo.wait(20) == 128 + number
    assert leftovers(demo.pid) == []


class Person:
    """Sits at a terminal of 80 columns and 24 lines. What was drawn is all that is remembered, not where."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(DEMO / 'run', ['run'], environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        self.seen = ''

    def press(self, key: str) -> None:
        self.seen = ''
        os.write(self.terminal, key.encode())

    def wait_for(self, pattern: str, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, f'{pattern!r} was not drawn, but:\n{self.seen}'
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.seen += os.read(self.terminal, 65536).decode()

    def wait_end(self, timeout: float = 30) -> int:
        deadline = time.monotonic() + timeout
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                if select.select([self.terminal], [], [], 0.1)[0] and not os.read(self.terminal, 65536):
                    break
        os.close(self.terminal)  # which ends it, if nothing else has
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def pod(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DEMO / 'pod', *arguments], capture_output=True, text=True)


def test_by_hand(environment: dict[str, str]) -> None:
    person = Person(environment)
    person.wait_for(r'10\.96\.0\.53/32 +65001:100 .*kube-system/dns')
    person.wait_for(r'cosmolet started .* 5 prefixes')
    person.press('f')
    person.wait_for(r'- (10\.96\.0\.53|fd00:96::53) \d+\.\d ms')
    person.press('w')
    person.wait_for(r'dns-1: Running, not Ready')
    person.press('w')
    person.wait_for(r'CHANGES')
    person.press('r')
    person.wait_for(r'SIGKILL, restart +0 updates at the ToR')
    person.seen = ''
    assert pod('heal', 'dns-1').returncode == 0
    person.wait_for(r'\+ (10\.96\.0\.53|fd00:96::53) \d+\.\d ms')
    assert 'no pod nobody' in pod('fail', 'nobody').stderr
    person.press('q')
    assert person.wait_end() == 0
    assert leftovers(person.pid) == []
    assert 'no demo is running' in pod('fail', 'dns-1').stderr


def test_interrupted_by_hand(environment: dict[str, str]) -> None:
    person = Person(environment)
    person.wait_for(r'kube-system/dns')
    person.press('\x03')
    assert person.wait_end() == 130
    assert leftovers(person.pid) == []


def test_usage() -> None:
    assert '--frr' in subprocess.run([DEMO / 'run', '--help'], capture_output=True, text=True, check=True).stdout
    assert subprocess.run([DEMO / 'run', '--frr', '1.0'], capture_output=True).returncode == 2
    assert subprocess.run([DEMO / 'pod'], capture_output=True).returncode == 1
