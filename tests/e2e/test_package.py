"""The Debian package, on a host with systemd beside a real FRR: built, installed, used as its operator would, and purged.

What the unit forbids is in force here, since a real systemd starts it.
"""
from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from cosmolet import pod, service
from fixtures import REPOSITORY
from lab import Lab
from machine import NAME, Machine
from sandbox import landlock, public_directory, wait_until

NET_ADMIN = 1 << 12
WEB = '10.96.0.10'
CONFIG = '/etc/cosmolet/cosmolet.yaml'
MANIFESTS = '/srv/manifests'
# What apt and dpkg keep of what is gone, and caches.
BOOKS = re.compile('/(var/lib/(apt|dpkg|systemd)|var/cache|var/log|etc/ld.so.cache|run/(systemd|log|lock|frr)|tmp|dev|proc|sys)(/|$)')


@pytest.fixture(scope='module')
def package() -> Iterator[Path]:
    """The .changes of a fresh build."""
    with public_directory() as directory:
        done = subprocess.run([REPOSITORY / 'container/debian/build', directory], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield next(directory.glob('*.changes'))


def dependencies(deb: Path) -> list[str]:
    field = subprocess.run(['dpkg-deb', '--field', deb, 'Depends'], check=True, capture_output=True, text=True).stdout
    return re.findall(r'(?:^|, )([a-z0-9.+-]+)', field)


@pytest.fixture(scope='module')
def deb(package: Path) -> Path:
    return next(package.parent.glob('cosmolet_*.deb'))


def next_version(deb: Path, to: Path) -> str:
    """The same as a later version, in a file that replaces the old one; returns its number."""
    with public_directory() as directory:
        subprocess.run(['dpkg-deb', '--raw-extract', deb, directory / 'tree'], check=True)
        control = directory / 'tree' / 'DEBIAN' / 'control'
        version = re.search('^Version: (.*)', control.read_text(), re.M)
        assert version
        control.write_text(control.read_text().replace(version[0], f'{version[0]}+1'))
        subprocess.run(['dpkg-deb', '--root-owner-group', '-Zgzip', '-z1', '--build', directory / 'tree', to], check=True,
                       stdout=subprocess.DEVNULL)
        return f'{version[1]}+1'


@pytest.fixture(scope='module')
def lab_with_machine(deb: Path) -> Iterator[tuple[Lab, Machine]]:
    with Lab() as lab:
        machine = Machine(lab.node, dependencies(deb))
        shutil.copy(deb, machine.path('/root/cosmolet.deb'))
        yield lab, machine
        machine.close()


def files(machine: Machine) -> set[str]:
    # What systemd takes away in the meantime is no failure.
    found = (machine.run('find', '/', '-ignore_readdir_race', '-xdev', '-not', '-type', 'd').stdout
             + machine.run('find', '/run', '/etc', '/lib/systemd', '-ignore_readdir_race').stdout)
    return {path for path in found.splitlines() if not BOOKS.match(path)}


def write_manifest(machine: Machine, ready: bool) -> None:
    objects = [service('web', [WEB]), pod('web-1', 'web', ready=ready)]
    new = machine.path(f'{MANIFESTS}/.new')
    new.write_text(json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': objects}))
    new.rename(machine.path(f'{MANIFESTS}/web.json'))


def status_of(machine: Machine, pid: str) -> dict[str, list[str]]:
    lines = machine.path(f'/proc/{pid}/status').read_text().splitlines()
    return {key: rest.split() for key, _, rest in (line.partition(':') for line in lines)}


def wait_status(machine: Machine, text: str) -> None:
    """What systemd was told, which is each 15 s."""
    wait_until(lambda: machine.show('cosmolet', 'StatusText')['StatusText'] == text, 20, f'its status to be: {text}')


def test_lintian(package: Path) -> None:
    done = subprocess.run(['lintian', '--allow-root', '--fail-on', 'error,warning', package],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, '')


def test_exposure(package: Path, deb: Path, tmp_path: Path) -> None:
    subprocess.run(['dpkg-deb', '--extract', deb, tmp_path], check=True)
    unit = tmp_path / 'lib/systemd/system/cosmolet.service'
    done = subprocess.run(['systemd-analyze', 'security', '--offline=yes', '--no-pager', unit], capture_output=True, text=True, check=True)
    found = re.search(r'Overall exposure level for \S+: ([0-9.]+)', done.stdout)
    told = re.search('rates its exposure ([0-9.]+) of 10', (REPOSITORY / 'README.md').read_text())
    assert found and told and float(found[1]) <= float(told[1]), done.stdout


def test_on_a_host(lab_with_machine: tuple[Lab, Machine], deb: Path) -> None:
    lab, machine = lab_with_machine
    before = files(machine)
    machine.run('apt-get', '-qq', 'install', '--no-install-recommends', '/root/cosmolet.deb')
    assert machine.show('cosmolet', 'ActiveState', 'UnitFileState') == {'ActiveState': 'inactive', 'UnitFileState': 'disabled'}, \
        'it waits for its configuration'
    assert 'Unknown' not in machine.run('systemd-analyze', 'verify', '--man=no', '/lib/systemd/system/cosmolet.service').stderr

    # As it comes, it says what is missing.
    machine.run('systemctl', 'enable', 'cosmolet')
    assert machine.run('systemctl', 'start', 'cosmolet', check=False).returncode != 0
    assert '/etc/cosmolet/kubeconfig: No such file' in machine.journal(), machine.journal()
    machine.run('systemctl', 'stop', 'cosmolet')

    # The operator's configuration.
    machine.path(MANIFESTS).mkdir()
    write_manifest(machine, ready=True)
    config = machine.path(CONFIG)
    config.write_text(f'node: ${{NODE_NAME}}\nkubernetes:\n  source: files\n  path: {MANIFESTS}\nannounce:\n  drain_seconds: 1\n')
    machine.run('systemctl', 'start', 'cosmolet')
    lab.tor.wait_for({f'{WEB}/32'})
    status = json.loads(machine.run('cosmolet', 'status', '-o', 'json').stdout)
    assert status['node'] == NAME and status['problems'] == []

    # Who it has become.
    pid = machine.show('cosmolet', 'MainPID')['MainPID']
    thread = status_of(machine, pid)
    assert thread['Uid'] == [str(lab.node.zserv.stat().st_uid)] * 4 and thread['Uid'][0] != '0'
    assert {int(thread[name][0], 16) for name in ('CapPrm', 'CapEff', 'CapBnd')} == {NET_ADMIN}
    assert (thread['NoNewPrivs'], thread['Seccomp']) == (['1'], ['2'])
    assert landlock() == ('no Landlock' not in machine.journal()), machine.journal()

    # What systemd hears, and asks.
    wait_status(machine, '1 address announced')
    write_manifest(machine, ready=False)
    lab.tor.wait_for(set())
    write_manifest(machine, ready=True)
    lab.tor.wait_for({f'{WEB}/32'})
    machine.run('systemctl', 'reload', 'cosmolet')
    wait_until(lambda: 'reading the configuration again' in machine.journal(), 10, 'the reload')

    # Killed or restarted, nobody hears of it; an upgrade changes neither that nor the configuration.
    mine, events = config.read_text(), lab.tor.events()
    machine.run('systemctl', 'kill', '--signal=KILL', 'cosmolet')
    wait_until(lambda: machine.show('cosmolet', 'MainPID', 'SubState') not in ({'MainPID': pid, 'SubState': 'running'},) and
               machine.show('cosmolet', 'SubState')['SubState'] == 'running', 10, 'a new life')
    second = machine.show('cosmolet', 'MainPID')['MainPID']
    version = next_version(deb, machine.path('/root/next.deb'))
    machine.run('apt-get', '-qq', 'install', '--no-install-recommends', '/root/next.deb')
    machine.path('/root/next.deb').unlink()
    assert machine.run('dpkg-query', '-W', '-f', '${Version} ${Status}', 'cosmolet').stdout == f'{version} install ok installed'
    third = machine.show('cosmolet', 'MainPID')['MainPID']
    assert third not in (pid, second, '0') and config.read_text() == mine
    assert not machine.run('readlink', f'/proc/{third}/exe').stdout.endswith(' (deleted)\n'), 'the old program'
    wait_status(machine, '1 address announced')
    assert lab.tor.events() == events

    # The node is drained, and stops as it is told.
    machine.run('systemctl', 'kill', '--signal=USR1', 'cosmolet')
    lab.tor.wait_for(set())
    machine.run('systemctl', 'kill', '--signal=USR2', 'cosmolet')
    lab.tor.wait_for({f'{WEB}/32'})
    machine.run('systemctl', 'stop', 'cosmolet')
    assert machine.show('cosmolet', 'Result')['Result'] == 'success'
    assert set(lab.tor.services()) == {f'{WEB}/32'}, 'on_stop: keep'
    machine.run('systemctl', 'start', 'cosmolet')

    # Nothing stays that nobody watches over, neither announced nor on the disk.
    machine.run('apt-get', '-qq', 'purge', '--autoremove', 'cosmolet')
    lab.tor.wait_for(set())
    assert not [route for route in lab.node.routes('local') if str(route.get('protocol')) == '237']
    assert files(machine) - before == {MANIFESTS + '/web.json'}
    assert not machine.path('/etc/cosmolet').exists()
