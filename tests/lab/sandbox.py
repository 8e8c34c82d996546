"""Network namespaces, a private directory, and the certainty that both go away again.

Everything a sandbox makes is removed by its janitor, a process that does nothing but wait for the end of its owner:
the owner closes a pipe, or dies in whatever way (exception, Ctrl-C, SIGTERM, SIGKILL) and the kernel closes it.
So there is one way to clean up, and it does not depend on anybody's goodwill. Parent-death signals would not do:
the kernel clears them when a daemon drops its privileges, as FRR's and ours do.
"""
from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Iterator

PREFIX = 'cosmolet'
NETNS = Path('/run/netns')
PYTHON = '/usr/bin/python3'
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def landlock() -> bool:
    """Whether this kernel has it: landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)."""
    return int(_libc.syscall(444, None, 0, 1)) > 0


class Sandbox:
    """Owns namespaces and a directory, both named cosmolet-<pid>-…, until close()."""

    _count = 0
    _lock = threading.Lock()

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise PermissionError('the lab needs root: it makes network namespaces')
        remove_stale()
        with Sandbox._lock:
            Sandbox._count += 1
            self.name = f'{PREFIX}-{os.getpid()}-{Sandbox._count}'
        self.directory = Path(tempfile.mkdtemp(prefix=f'{self.name}-'))
        self.directory.chmod(0o755)  # FRR's user, and ours, walk through it
        self._children: list[subprocess.Popen[Any]] = []
        self._janitor = subprocess.Popen(
            [PYTHON, __file__, self.name, str(self.directory)], stdin=subprocess.PIPE, start_new_session=True)

    def namespace(self, role: str) -> str:
        """A new network namespace; returns its name."""
        name = f'{self.name}-{role}'
        ip('netns', 'add', name)
        # Nobody else is there whose addresses could be duplicates: make them usable at once.
        execute(name, 'sh', '-c', 'for f in all default; do for k in accept_dad dad_transmits; do'
                                  ' echo 0 >/proc/sys/net/ipv6/conf/$f/$k; done; done; ip link set lo up')
        return name

    def popen(self, namespace: str, argv: list[str], **kw: Any) -> subprocess.Popen[Any]:
        """Starts a process in a namespace. The pid is the program's own: nsenter replaces itself."""
        child = subprocess.Popen(in_namespace(namespace, argv), **kw)
        self._children.append(child)
        return child

    def close(self) -> None:
        if self._janitor.stdin and not self._janitor.stdin.closed:
            self._janitor.stdin.close()
            self._janitor.wait()
            for child in self._children:
                child.wait()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def in_namespace(namespace: str, argv: list[str]) -> list[str]:
    return ['nsenter', f'--net={NETNS / namespace}', '--', *argv]


def execute(namespace: str, *argv: str) -> str:
    """Runs a command in a namespace and returns its output; failure is an exception that says why."""
    return run(in_namespace(namespace, list(argv)))


def ip(*argv: str) -> str:
    return run(['ip', *argv])


def run(argv: list[str]) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f'{" ".join(argv)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}')
    return done.stdout


class NotYet(Exception):
    """There is no answer. Whoever waits for one asks again."""


def wait_until(predicate: Any, timeout: float, what: str, interval: float = 0.02, explain: Any = None) -> Any:
    """Returns the first true value of predicate(); after the timeout an exception says what was waited for.

    The last look begins after the timeout: one that began before may have been kept waiting itself.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() > deadline
        with contextlib.suppress(NotYet):
            value = predicate()
            if value:
                return value
        if late:
            words = ''
            with contextlib.suppress(NotYet):
                words = f'\n{explain()}' if explain else ''
            raise TimeoutError(f'{what}: not within {timeout:g} s{words}')
        time.sleep(interval)


@contextlib.contextmanager
def public_directory() -> Iterator[Path]:
    """A temporary directory into which all users may look, unlike pytest's: a daemon that has become FRR's user, say."""
    with tempfile.TemporaryDirectory(prefix='cosmolet-test-') as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread in a network namespace; a socket opened here stays there."""
    with open('/proc/thread-self/ns/net', 'rb') as home, open(NETNS / namespace, 'rb') as there:
        _setns(there.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def connect(namespace: str, host: str, port: int, timeout: float) -> socket.socket:
    with inside(namespace):
        s = socket.create_connection((host, port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def _setns(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'setns')


def remove_stale() -> None:
    """Clears away what runs left behind whose janitor was killed as well."""
    for path in [*_list(NETNS), *_list(Path(tempfile.gettempdir()))]:
        found = re.match(rf'{PREFIX}-(\d+)-\d+-', path.name)
        if not found or Path('/proc', found[1]).exists():
            continue
        if path.parent == NETNS:
            _remove_namespace(path)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _remove_namespace(path: Path) -> None:
    while members := _members(path):
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    subprocess.run(['ip', 'netns', 'delete', path.name], stderr=subprocess.DEVNULL)


def _members(namespace: Path) -> list[int]:
    """Living processes of a namespace (one that nobody can wait for any more is as good as gone)."""
    with contextlib.suppress(OSError):
        wanted = namespace.stat()
        return [pid for pid in map(int, filter(str.isdigit, os.listdir('/proc'))) if _is_member(pid, wanted)]
    return []


def _is_member(pid: int, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(f'/proc/{pid}/ns/net'), wanted)
    except OSError:
        return False


def _list(directory: Path) -> list[Path]:
    return [p for p in directory.iterdir() if p.name.startswith(f'{PREFIX}-')] if directory.is_dir() else []


def _be_janitor(name: str, directory: str) -> None:
    sys.stdin.buffer.read()
    for path in _list(NETNS):
        if path.name.startswith(f'{name}-'):
            _remove_namespace(path)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == '__main__':
    _be_janitor(*sys.argv[1:])
