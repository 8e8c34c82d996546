"""Completion in a real bash: commands, options and values as --help has them, addresses and services of a running daemon."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from fake_zebra import Host
from fixtures import REPOSITORY
from sandbox import Sandbox, in_namespace

SCRIPT = REPOSITORY / 'container' / 'host' / 'cosmolet.bash'
ALL = 'source "$0"; COMP_LINE=$1 COMP_POINT=${#1}; _cosmolet cosmolet; printf "%s\\n" "${COMPREPLY[@]}"'


@pytest.fixture(scope='module')
def daemon(cosmolet: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cosmolet]:
    with contextlib.ExitStack() as stack:
        made = Cosmolet(Host(stack.enter_context(Sandbox())), tmp_path_factory.mktemp('completion'))
        stack.callback(made.close)
        made.manifest('web', service('web', ['10.96.0.10', 'fd00:96::10'], namespace='shop'), service('web.2', ['10.96.0.10'], namespace='shop'),
                      pod('web-1', 'web', namespace='shop'))
        (made.directory / 'bin').mkdir()
        (made.directory / 'bin' / 'cosmolet').symlink_to(cosmolet.resolve())
        made.environment['PATH'] = f'{made.directory}/bin:{os.environ["PATH"]}'
        made.start(ready=False)
        made.wait_log('room=zapi', 'No such file')
        yield made


def complete(daemon: Cosmolet, line: str) -> set[str]:
    done = daemon.node.run(['bash', '-c', ALL, str(SCRIPT), line], env=daemon.environment, cwd=daemon.directory)
    assert done.stderr == ''
    return set(done.stdout.split())


def type_keys(daemon: Cosmolet, keys: str) -> str:
    """What bash makes of a line that somebody types; it is printed, not run."""
    shell = ['bash', '--norc', '--noprofile', '-i']
    near, far = pty.openpty()
    environment = {**daemon.environment, 'PS1': '$ ', 'TERM': 'dumb', 'INPUTRC': '/dev/null'}
    process = subprocess.Popen(in_namespace(daemon.node.namespace, shell), stdin=far, stdout=far, stderr=far, env=environment,
                               cwd=daemon.directory, start_new_session=True)
    os.close(far)
    said, deadline = '', time.monotonic() + 20
    try:
        # The beginning and the end of the line come last, so that all of it is shown.
        os.write(near, f'source {SCRIPT}\n{keys}\t\x01echo "<\x05>"\nexit\n'.encode())
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            while select.select([near], [], [], max(0, deadline - time.monotonic()))[0]:
                said += os.read(near, 4096).decode()
    finally:
        process.kill()
        process.wait()
        os.close(near)
    found = re.findall(r'^<(.*?) *>', said, re.M)
    assert found, said
    return str(found[0])


@pytest.mark.parametrize('line, offered', {
    'cosmolet ': {'run', 'check', 'status', 'why', 'zebra', 'withdraw', 'version', '--help', '--version'},
    'cosmolet w': {'why', 'withdraw'},
    'cosmolet status ': {'-w', '-o', '--config', '--http'},
    'cosmolet status --': {'--config', '--http', '--help'},
    'cosmolet status -o ': {'table', 'wide', 'json'},
    'cosmolet zebra -o j': {'json'},
    'cosmolet check --m': {'--metrics'},
    'cosmolet check cosm': {'cosmolet.yaml', 'cosmolet.log'},
    'cosmolet run --config=cosmolet.y': {'cosmolet.yaml'},
    'cosmolet run --config bi': {'bin'},
    'cosmolet status --http ': set(),
    'cosmolet why ': {'10.96.0.10', 'fd00:96::10', 'shop/web', 'shop/web.2'},
    'cosmolet why sh': {'shop/web', 'shop/web.2'},
    'cosmolet none ': set(),
}.items())
def test_offers(daemon: Cosmolet, line: str, offered: set[str]) -> None:
    assert complete(daemon, line) == offered


def test_every_option(daemon: Cosmolet) -> None:
    """Each command offers each option that its help shows, and takes it."""
    usage = daemon.command('--help').stdout
    shown = {name: set(re.findall(r'(?<![\w-])--?[a-z][a-z-]*', rest)) for name, rest in re.findall(r'^  cosmolet (\S+)(.*)', usage, re.M)}
    assert shown['check'] >= {'--keys', '--metrics'}
    for name, options in shown.items():
        assert complete(daemon, f'cosmolet {name} -') == options | {'--help'}


def test_as_it_is_typed(daemon: Cosmolet) -> None:
    assert type_keys(daemon, 'cosmolet sta') == 'cosmolet status'
    assert type_keys(daemon, 'cosmolet why fd00:') == 'cosmolet why fd00:96::10', 'bash splits words at colons'
