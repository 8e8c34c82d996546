"""As whom cosmolet runs beside a real zebra, what it may do, and what it says where it may not do enough.

What the daemon is, is read from /proc, thread by thread; what that forbids is then tried by a process just like it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import landlock, wait_until

V4, V6 = '10.96.0.1', 'fd00:96::1'
WEB = {f'{V4}/32', f'{V6}/128'}
FS_GROUP = 2000
SETGID, SETUID, SETPCAP, NET_ADMIN = 1 << 6, 1 << 7, 1 << 8, 1 << 12
Start = Callable[..., Cosmolet]

# By each of these a process could get at something that is not its own.
FORBIDDEN = {
    'to be root': 'exec setpriv --reuid=0 true',
    'to be anybody': 'exec setpriv --reuid=1 true',
    "to read root's files": 'exec cat "$0/secret"',
    'to write beside its sockets': 'exec touch "$0/touched"',
    'to give files away': 'exec chown 0 "$0/own"',
    'to end others': 'exec kill -0 1',
    'to mount': 'exec mount -t tmpfs none "$0/secret-directory"',
    'to make devices': 'exec mknod "$0/own-directory/mem" c 1 1',
    'to look into others': 'exec ls /proc/1/root/',
}


@pytest.fixture(scope='module')
def network(frr_release: str) -> Iterator[Lab]:
    with Lab(node=frr_release) as made:
        yield made


@pytest.fixture
def start(network: Lab, cosmolet: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the daemon through a wrapper, with one service to announce; what it leaves is taken away."""
    made: list[Cosmolet] = []

    def begin(*wrapper: str, ready: bool = True, **settings: Any) -> Cosmolet:
        daemon = Cosmolet(network.node, tmp_path / str(len(made)), **settings)
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        daemon.wrapper = list(wrapper)
        made.append(daemon)
        return daemon.start(ready=ready)

    yield begin
    for daemon in made:
        daemon.close()
    last = made[-1]
    last.wrapper = []
    assert last.command('withdraw', '--config', str(last.config)).returncode == 0
    network.tor.wait_for(set())


def container(*capabilities: str) -> list[str]:
    """A process as a container runtime starts it for root, with an fsGroup."""
    kept = ''.join(f',+{name}' for name in capabilities)
    return ['setpriv', '--reuid=0', '--regid=0', f'--groups=0,{FS_GROUP}', '--no-new-privs', '--inh-caps=-all', f'--bounding-set=-all{kept}']


def user(uid: int, gid: int, *capabilities: str) -> list[str]:
    kept = ''.join(f',+{name}' for name in capabilities)
    return ['setpriv', f'--reuid={uid}', f'--regid={gid}', '--clear-groups', f'--inh-caps=-all{kept}', f'--ambient-caps=-all{kept}']


def owner(network: Lab) -> tuple[int, int]:
    found = network.node.zserv.stat()
    assert stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid != 0, 'the socket is as FRR makes it'
    return found.st_uid, found.st_gid


def tasks(daemon: Cosmolet) -> list[dict[str, list[str]]]:
    """/proc/PID/status of every thread."""
    assert daemon.process
    files = Path(f'/proc/{daemon.process.pid}/task').glob('*/status')
    return [{key: rest.split() for key, _, rest in (line.partition(':') for line in file.read_text().splitlines())} for file in files]


def assert_is(daemon: Cosmolet, ids: tuple[int, int], capabilities: int, bounding: int, groups: list[str]) -> None:
    threads = tasks(daemon)
    assert len(threads) > 1, 'the HTTP server has threads of its own'
    for thread in threads:
        assert thread['Uid'] == [str(ids[0])] * 4 and thread['Gid'] == [str(ids[1])] * 4
        assert thread['Groups'] == groups
        assert {int(thread[name][0], 16) for name in ('CapPrm', 'CapEff')} == {capabilities}
        assert {int(thread[name][0], 16) for name in ('CapInh', 'CapAmb')} == {0}
        assert int(thread['CapBnd'][0], 16) == bounding
        assert thread['NoNewPrivs'] == ['1']


def assert_confined(daemon: Cosmolet, directory: Path) -> None:
    """Tries what must fail, as a process with the daemon's ids and groups, and its capabilities for all that it starts."""
    thread = tasks(daemon)[0]
    ids = int(thread['Uid'][0]), int(thread['Gid'][0])
    secret = directory / 'secret'
    secret.write_text('')
    secret.chmod(0o600)
    (directory / 'secret-directory').mkdir(exist_ok=True)
    for own in (directory / 'own', directory / 'own-directory'):
        own.mkdir(exist_ok=True)
        os.chown(own, *ids)
    like = user(*ids, *(['net_admin'] if int(thread['CapEff'][0], 16) & NET_ADMIN else []))
    assert daemon.node.run([*like, 'sh', '-c', 'exec test -w "$0/own"', str(directory)], check=False).returncode == 0
    for what, how in FORBIDDEN.items():
        done = daemon.node.run([*like, '--no-new-privs', 'sh', '-c', how, str(directory)], check=False)
        assert done.returncode != 0 and re.search('denied|not permitted|must be superuser', done.stderr), f'{what}: {done}'


def test_root_in_a_container(start: Start, network: Lab, tmp_path: Path) -> None:
    """It becomes zebra's user with NET_ADMIN alone; a reload, a kill and SIGTERM change nothing about that."""
    daemon = start(*container('net_admin', 'setuid', 'setgid'))
    network.tor.wait_for(WEB)
    expected = owner(network), NET_ADMIN, SETGID | SETUID | NET_ADMIN, [str(FS_GROUP)]
    assert_is(daemon, *expected)
    assert_confined(daemon, tmp_path)
    # The fresh life after a reload is as confined; files of its group are still its own.
    mark = time.time()
    config = daemon.config
    daemon.settings['http'] = {'listen': '0.0.0.0:9474'}
    daemon.write_config()
    os.chown(config, 0, FS_GROUP)
    config.chmod(0o640)
    daemon.wait_log('changed', 'http.listen')
    daemon.wait_ready()
    assert_is(daemon, *expected)
    for end in (signal.SIGKILL, signal.SIGTERM):
        assert daemon.stop(end) == (0 if end == signal.SIGTERM else -end)
        daemon.start()
        daemon.wait_states({V4: 'announced', V6: 'announced'})
        assert_is(daemon, *expected)
    assert network.tor.events(mark) == []


def test_root_of_the_host(start: Start, network: Lab) -> None:
    """Not even the bounding set keeps anything."""
    daemon = start()
    network.tor.wait_for(WEB)
    assert_is(daemon, owner(network), NET_ADMIN, NET_ADMIN, [])
    daemon.stop()


def test_without_binding(start: Start, network: Lab, tmp_path: Path) -> None:
    """loopback.mode: none takes no capability at all; the one that was given up does not come back by a reload."""
    daemon = start(loopback={'mode': 'none'})
    network.tor.wait_for(WEB)
    assert_is(daemon, owner(network), 0, 0, [])
    assert_confined(daemon, tmp_path)
    daemon.settings['loopback'] = {'mode': 'local-route'}
    daemon.write_config()
    daemon.wait_log('level=err', 'CAP_NET_ADMIN', 'loopback.mode: none')
    daemon.wait_log('going back')
    daemon.wait_ready()
    daemon.wait_states({V4: 'announced', V6: 'announced'})
    network.tor.wait_for(WEB)
    assert 'could not be started' in daemon.status()['problems'][0]


def test_the_owner_himself(start: Start, network: Lab) -> None:
    """A pod with runAsUser, a unit with User=: nothing has to be become."""
    ids = owner(network)
    daemon = start(*user(*ids), loopback={'mode': 'none'})
    network.tor.wait_for(WEB)
    assert {int(t['CapPrm'][0], 16) for t in tasks(daemon)} == {0}
    assert daemon.stop() == 0
    daemon = start(*user(*ids, 'net_admin', 'net_raw'))
    network.tor.wait_for(WEB)
    for thread in tasks(daemon):
        assert (int(thread['CapPrm'][0], 16), int(thread['CapAmb'][0], 16)) == (NET_ADMIN, 0)


def test_root_waits_for_zebra(start: Start, network: Lab) -> None:
    """Whose user will be zebra's is not known yet: it answers questions meanwhile, and may do no more than it must."""
    network.node.stop('zebra')
    wait_until(lambda: network.node.zserv.unlink(missing_ok=True) or True, 1, 'the socket to be gone')
    try:
        daemon = start(ready=False)
        wait_until(lambda: daemon.get('/livez')[0] == 200, 5, 'it to answer')
        assert daemon.get('/readyz')[0] == 503
        assert_is(daemon, (0, 0), *[SETGID | SETUID | SETPCAP | NET_ADMIN] * 2, list(map(str, os.getgroups())))
    finally:
        network.node.restart_all()
    daemon.wait_ready()
    network.tor.wait_for(WEB)
    assert_is(daemon, owner(network), NET_ADMIN, NET_ADMIN, [])
    assert not daemon.log_lines('level=err')


def test_root_with_the_other_capability(start: Start, network: Lab) -> None:
    """CAP_DAC_OVERRIDE opens the socket as well; it stays root then."""
    daemon = start(*container('net_admin', 'dac_override'))
    network.tor.wait_for(WEB)
    assert_is(daemon, (0, 0), NET_ADMIN | 1 << 1, NET_ADMIN | 1 << 1, ['0', str(FS_GROUP)])


def test_its_ledger(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> None:
    """Where the kernel does not mark addresses (before Linux 5.18) it keeps a file, also as another user."""
    made = lab(word='connected')
    directory = tmp_path / 'run'
    daemon = Cosmolet(made.node, tmp_path, word='connected', loopback={'mode': 'address', 'ledger_directory': str(directory)})
    daemon.manifest('web', service('web', [V4]), pod('web-1', 'web'))
    daemon.wrapper = ['setarch', '--uname-2.6', *container('net_admin', 'setuid', 'setgid')]
    with contextlib.closing(daemon):
        for _ in range(2):
            daemon.start()
            made.tor.wait_for({f'{V4}/32'})
            daemon.wait_states({V4: 'announced'})
            files = [file for file in directory.iterdir() if file.suffix != '.new']  # which is on its way to the other's place
            assert [file.stat().st_uid for file in files] == [owner(made)[0]]
            daemon.kill()
        # systemd gives all of a RuntimeDirectory to the unit's user, here root, whenever it starts the unit.
        for path in (directory, *directory.iterdir()):
            os.chown(path, 0, 0)
        daemon.start()
        daemon.manifest('web')
        made.tor.wait_for(set())
        wait_until(lambda: V4 not in {each['local'] for each in made.node.addresses()}, 5, 'what the ledger has to be unbound')

        # Landlock: to another directory it may not even write if it is its own, be it in the old one's place or by a reload.
        assert bool(daemon.log_lines('no Landlock')) != landlock()
        directory.rename(tmp_path / 'old')
        directory.mkdir()
        os.chown(directory, *owner(made))
        daemon.manifest('web', service('web', [V4]), pod('web-1', 'web'))
        wait_until(lambda: daemon.states().get(V4) == ('unbound' if landlock() else 'announced'), 5, 'the ledger', explain=daemon.tail)
        assert bool(daemon.log_lines('cannot be written: Permission denied')) == landlock() == (list(directory.iterdir()) == [])
        daemon.settings['loopback']['ledger_directory'] = str(tmp_path / 'other')
        daemon.write_config()
        daemon.wait_log('counts from the next start' if landlock() else 'changed')
        daemon.wait_ready()
        assert bool(daemon.log_lines('going back')) == landlock()
