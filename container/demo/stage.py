"""What the demo plays with: a node and its ToR from the tests' laboratory, cosmolet on the node, manifests to edit;
and a record of every change together with what the ToR heard of it.
"""
from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests import RUN

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / 'tests' / 'lab'))
from lab import OPERATOR_ROUTES, RELEASES, Event, Lab, ReleaseMissing, Route  # noqa: E402, F401
from sandbox import connect, wait_until  # noqa: E402

HTTP = ('127.0.0.1', 9474)
SUFFIXES = ('.yaml', '.yml', '.json')
SETTLED = 1.5  # seconds: what the ToR has not heard by then, it will not hear
RELATED = 10   # seconds: later than that, an update has another reason


@dataclass
class Change:
    """Something that was done, and what the ToR heard of it."""
    at: float  # as time.time()
    what: str
    events: list[Event] = field(default_factory=list)
    starting: bool = False  # cosmolet, and it is not ready yet
    last: float = 0         # when something came of it

    def settled(self) -> bool:
        return not self.starting and time.time() - max(self.at, self.last) > SETTLED

    def effect(self) -> str:
        """In a few words, with the time from the change to the ToR."""
        if not self.events:
            return '0 updates at the ToR' if self.settled() else '...'
        if len(self.events) <= 2:
            return '   '.join(self.describe(event) for event in self.events)
        counts = [f'{sign} {n} prefixes' for sign, kind in (('-', 'withdraw'), ('+', 'announce'))
                  if (n := sum(e.kind == kind for e in self.events))]
        return f'{" ".join(counts) or len(self.events)}, the last after {self.ms(self.events[-1])}'

    def describe(self, event: Event) -> str:
        sign = {'announce': '+', 'withdraw': '-'}.get(event.kind, f'BGP session {event.kind}')
        return f'{sign} {address(event.prefix)} {self.ms(event)}'

    def ms(self, event: Event) -> str:
        return f'{(event.time - self.at) * 1000:.1f} ms'


class Stage:
    """All of it in one directory, which RUN leads to; as a context manager, gone afterwards."""

    def __init__(self, release: str, binary: str) -> None:
        self.binary = binary
        self.process: subprocess.Popen[Any] | None = None
        self.changes: list[Change] = []
        self.lab = Lab(release, release)
        try:
            self.node, self.tor = self.lab.node, self.lab.tor
            self.directory = self.lab.directory
            self.manifests = self.directory / 'manifests'
            self.config = self.directory / 'cosmolet.yaml'
            self.log = self.directory / 'cosmolet.log'
            self.frr = self.tor.vty('bgpd', 'show version').split()[1]
            self._copy_files()
            self._stamps = self._look()
            self._heard = len(self.tor.events())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if RUN.is_symlink() and RUN.readlink() == self.lab.directory:
            RUN.unlink()
        self.lab.close()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _copy_files(self) -> None:
        """Copies to play with, which cosmolet can read as whatever user it becomes."""
        shutil.copytree(HERE / 'manifests', self.manifests)
        shutil.copy(HERE / 'cosmolet.yaml', self.config)
        self.manifests.chmod(0o755)
        for file in (self.config, *self.manifests.iterdir()):
            file.chmod(0o644)
        link = RUN.with_name(f'{RUN.name}.new')
        link.unlink(missing_ok=True)
        link.symlink_to(self.directory)
        link.rename(RUN)

    # cosmolet

    def start(self, change: Change | None = None) -> Change:
        change = change or self._change('cosmolet started')
        change.starting = True
        environment = {**os.environ, 'DEMO_MANIFESTS': str(self.manifests), 'DEMO_SOCKET': str(self.node.zserv)}
        with self.log.open('ab') as log:
            self.process = self.node.popen([self.binary, 'run', '--config', str(self.config)], env=environment,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        return change

    def restart(self, away: float = 0) -> Change:
        """As after a crash: it can neither say nor save anything."""
        change = self._change('SIGKILL, restart')
        self.stop(signal.SIGKILL)
        time.sleep(away)
        return self.start(change)

    def stop(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(30)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_ready(self) -> None:
        wait_until(lambda: self.get('/readyz'), 10, 'cosmolet to be ready', explain=self.tail)

    def get(self, path: str) -> str:
        """cosmolet's answer over HTTP; '' if there is none, or not a good one."""
        client = http.client.HTTPConnection(*HTTP)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(client):
            client.sock = connect(self.node.namespace, *HTTP, timeout=2)
            client.request('GET', path)
            answer = client.getresponse()
            return answer.read().decode() if answer.status == 200 else ''
        return ''

    def addresses(self) -> list[dict[str, Any]]:
        """cosmolet's own view, address by address."""
        found: list[dict[str, Any]] = json.loads(self.get('/status') or '{}').get('addresses', [])
        return found

    def why(self, subject: str) -> str:
        done = self.node.run([self.binary, 'why', subject, '--http', '{}:{}'.format(*HTTP)], check=False)
        return done.stdout or done.stderr

    def tail(self, lines: int = 10) -> str:
        return '\n'.join(self.log.read_text(errors='replace').splitlines()[-lines:])

    # What happens

    def observe(self) -> list[Event]:
        """Takes in what happened since the last time; returns the updates.

        They are read before the manifests are looked at: so whatever edit is behind them is found.
        """
        events = self.tor.events()[self._heard:]
        self._heard += len(events)
        before, self._stamps = self._stamps, self._look()
        for name in sorted(before.keys() | self._stamps.keys()):
            if name not in self._stamps:
                self._change(f'{name} removed', self.manifests.stat().st_mtime)
            elif self._stamps[name] != before.get(name):
                self._change(f'{name} {"edited" if name in before else "added"}', self._stamps[name])
        for event in events:
            change = self._cause(event)
            change.events.append(event)
            change.last = event.time
        for change in self.changes:
            if change.starting and self.get('/readyz'):
                change.starting, change.last = False, time.time()
        return events

    def _change(self, what: str, at: float | None = None) -> Change:
        change = Change(min(at or time.time(), time.time()), what)
        self.changes.append(change)
        self.changes.sort(key=lambda c: c.at)
        return change

    def _cause(self, event: Event) -> Change:
        for change in reversed(self.changes):
            if change.at <= event.time < change.at + RELATED:
                return change
        return self._change('of itself', event.time)

    def _look(self) -> dict[str, float]:
        """When each file was changed last: written, or put in place."""
        stamps = {}
        for file in (self.config, *self.manifests.iterdir()):
            if file.suffix in SUFFIXES and not file.name.startswith('.'):
                with contextlib.suppress(FileNotFoundError):
                    stat = file.stat()
                    stamps[file.name] = max(stat.st_mtime_ns, stat.st_ctime_ns) / 1e9
        return stamps


def address(prefix: str) -> str:
    """Without the length, where that says no more than the address."""
    return prefix.removesuffix('/128' if ':' in prefix else '/32')


def clock(at: float, digits: int = 0) -> str:
    text = time.strftime('%H:%M:%S', time.localtime(at))
    return text + f'.{int(at % 1 * 10 ** digits):0{digits}}' if digits else text
