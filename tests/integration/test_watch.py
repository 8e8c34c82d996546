"""cosmolet status in a real terminal, at several sizes; and in a pipe."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import wait_until
from terminal import Terminal

WEB, DNS, TAKEN = '10.96.0.10', '10.96.0.53', '10.96.0.99'
EVIL = 'evil\x1b]0;owned\x07\x9b31m'


@pytest.fixture(scope='module')
def daemon(cosmolet: Path) -> Iterator[Cosmolet]:
    with Lab() as lab:
        lab.node.run(['ip', 'address', 'add', f'{TAKEN}/32', 'dev', 'lo'], check=True)
        made = Cosmolet(lab.node, lab.directory / 'cosmolet')
        made.manifest('services', service('web', [WEB, 'fd00:96::10'], 'shop'), service('legacy', [TAKEN]), pod('legacy-1', 'legacy'),
                      service('dns', [DNS]), pod('dns-1', 'dns', ready=False), service(EVIL, ['10.96.6.6']),
                      *(service(f's{i}', [f'10.97.0.{i}'], 'batch') for i in range(1, 41)))
        set_web(made, True)
        made.start()
        wait_settled(made)
        yield made
        made.close()


def set_web(daemon: Cosmolet, ready: bool) -> None:
    daemon.manifest('web', pod('web-1', 'web', ready, namespace='shop'))


def wait_settled(daemon: Cosmolet) -> None:
    """Web is announced in both families, and nothing is on its way."""
    def settled() -> bool:
        states = daemon.states()
        web = {states.get(address) for address in (WEB, 'fd00:96::10')}
        return web == {'announced'} and not {'pending', 'withdrawing'} & set(states.values())

    wait_until(settled, 20, 'web to be announced', explain=daemon.tail)


@pytest.mark.parametrize(('rows', 'columns', 'titles'), [
    (40, 160, ['ADDRESS', 'STATE', 'SINCE', 'TAG', 'ZEBRA', 'SERVICE', 'WHY']),
    (24, 80, ['ADDRESS', 'STATE', 'SINCE', 'TAG', 'SERVICE', 'WHY']),
    (16, 44, ['ADDRESS', 'STATE', 'SINCE', 'SERVICE']),
    (10, 18, ['ADDRESS']),
])
def test_on_a_terminal(daemon: Cosmolet, rows: int, columns: int, titles: list[str]) -> None:
    terminal = Terminal(daemon, 'status', '-w', rows=rows, columns=columns)
    try:
        screen = terminal.wait('1-')
        assert next(line for line in screen if line.startswith('ADDRESS')).split()[:len(titles)] == titles
        assert any(line.startswith(WEB) for line in screen)
        assert all(len(line) <= columns for line in screen), screen
        assert len(screen) == rows and screen[-1].startswith('1-')
        if 'STATE' in titles:
            assert f'{WEB}' in ''.join(screen) and '\x1b[32mannounced\x1b[0m' in terminal.raw
            set_web(daemon, False)
            terminal.wait('down')
            wait_until(lambda: any(line.startswith(WEB) and 'down' in line for line in terminal.screen()), 10, 'web to be down')
            set_web(daemon, True)
            wait_settled(daemon)
        terminal.resize(rows + 6, 120)
        terminal.wait('1 of 1 pods on this node are ready')
        wait_until(lambda: terminal.screen()[-1].startswith('1-'), 20, 'the last line to be the last')
        terminal.type('q')
        assert terminal.process.wait(20) == 0
        assert terminal.is_as_before()
    finally:
        terminal.close()


def test_keys(daemon: Cosmolet) -> None:
    terminal = Terminal(daemon, 'status', '-w', rows=20, columns=100)
    try:
        terminal.wait('of 45')
        terminal.type('\x1b[6~')
        wait_until(lambda: not any(line.startswith(WEB) for line in terminal.screen()), 20, 'the next page')
        terminal.type('/SHOP announced')
        terminal.wait('/SHOP announced_  2 lines')
        assert sum('shop/web' in line for line in terminal.screen()) == 2
        assert not any('batch' in line for line in terminal.screen())
        terminal.type('q')  # a letter like others
        terminal.wait('/SHOP announcedq_  0 lines')
        terminal.type('\x7f\r')
        terminal.wait('/SHOP announced  2 lines')
        terminal.type('\x1b')
        terminal.wait('1-')
        terminal.type('\x03')  # the terminal makes SIGINT of it
        assert terminal.process.wait(20) == -signal.SIGINT
        assert terminal.is_as_before()
    finally:
        terminal.close()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_signals(daemon: Cosmolet, number: signal.Signals) -> None:
    terminal = Terminal(daemon, 'status', '-w', rows=20, columns=100, NO_COLOR='1')
    try:
        terminal.wait('of 45')
        assert '\x1b[32m' not in terminal.raw
        terminal.process.send_signal(number)
        assert terminal.process.wait(20) == -number
        assert terminal.is_as_before()
    finally:
        terminal.close()


def test_nobody_answers_and_comes_back(daemon: Cosmolet) -> None:
    terminal = Terminal(daemon, 'status', '-w', rows=20, columns=100)
    try:
        terminal.wait('of 45')
        daemon.kill()
        screen = terminal.wait('no answer for')
        assert any(line.startswith(WEB) for line in screen)  # what was known stays
        daemon.start()
        terminal.wait('q quit')
        wait_settled(daemon)
    finally:
        terminal.close()


def test_what_is_piped(daemon: Cosmolet, tmp_path: Path) -> None:
    """One table, or one line of JSON, for each change; no colours, nothing that steers a terminal."""
    files: dict[str, Path] = {form: tmp_path / form for form in ('table', 'json')}
    children: list[subprocess.Popen[Any]] = []
    try:
        for form, path in files.items():
            with path.open('wb') as out:
                children.append(daemon.node.popen([str(daemon.binary), 'status', '-w', '-o', form], stdout=out))
        wait_until(lambda: states(files['json']) and files['table'].stat().st_size, 20, 'the first picture')
        time.sleep(2.2)  # time passes: no change
        set_web(daemon, False)
        wait_until(lambda: re.search(f'^{WEB} +down ', files['table'].read_text(), re.M), 10, 'web to be down')
        wait_until(lambda: states(files['json'])[-1][WEB] == 'down', 10, 'web to be down')
        set_web(daemon, True)
        wait_until(lambda: states(files['json'])[-1][WEB] == 'announced', 10, 'web to be back')
        told = [state[WEB] for state in states(files['json'])]
        assert told[0] == 'announced' and 'down' in told and len(told) <= 6
        tables = files['table'].read_text().split('\nnode ')
        assert len(tables) <= 6
        assert not re.search('[\x00-\x09\x0b-\x1f\x7f-\x9f]', files['table'].read_text())
        assert 'evil?]0;owned??' in files['table'].read_text()
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_a_countdown_is_no_change(daemon: Cosmolet, tmp_path: Path) -> None:
    """Of an address that is held the seconds are told, but not each of them."""
    set_web(daemon, False)
    wait_until(lambda: daemon.states()[WEB] == 'down', 5, 'web to be down')
    daemon.settings['stability'] = {'rise_seconds': 600}
    daemon.write_config()
    daemon.wait_log('room=config', 'stability.rise_seconds')
    try:
        set_web(daemon, True)
        wait_until(lambda: daemon.states()[WEB] == 'rising', 5, 'web to rise', explain=daemon.tail)
        out = tmp_path / 'out'
        with out.open('wb') as file:
            child = daemon.node.popen([str(daemon.binary), 'status', '-w'], stdout=file)
        wait_until(lambda: out.stat().st_size, 20, 'the first picture')
        time.sleep(4)
        child.kill()
        child.wait()
        assert re.search(rf'^{WEB} +rising .* in \d+ s$', out.read_text(), re.M) and out.read_text().count('node  ') == 1
    finally:
        del daemon.settings['stability']
        daemon.write_config()
    wait_until(lambda: daemon.states()[WEB] == 'announced', 5, 'web to be back')


def states(path: Path) -> list[dict[str, str]]:
    """Of whole lines: the last one may be half written."""
    lines = path.read_text().rpartition('\n')[0].splitlines()
    return [{a['address']: a['state'] for a in json.loads(line)['addresses']} for line in lines]


def test_forms(daemon: Cosmolet) -> None:
    wide = daemon.command('status', '-o', 'wide').stdout
    assert 'FAMILY  KIND' in wide and re.search(rf'^{TAKEN} .* IPv4 +cluster_ip +4711 +0 +foreign +rejected ', wide, re.M)
    assert not re.search('[\x00-\x09\x0b-\x1f\x7f-\x9f]', wide)
    assert json.loads(daemon.command('status', '-o', 'json').stdout)['node'] == 'node-1'
    assert daemon.command('status', '-o', 'narrow').returncode == 2
    assert daemon.command('zebra', '-o', 'wide').returncode == 2
