"""The configuration changes while we run: at once, whole or not at all, and no peer hears more of it than it has to."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import NODE, TAG, Cosmolet, pod, service
from lab import COMMUNITY, DEGRADED_COMMUNITY, DEGRADED_TAG, Lab
from sandbox import inside, wait_until

V4, V6 = '10.96.0.1', 'fd00:96::1'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}
DOWN = {V4: 'down', V6: 'down'}


@pytest.fixture
def make(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[Any]:
    """A lab and a cosmolet that announces one dual-stack service in it."""
    daemons = []

    def make_one(word: str = 'static') -> tuple[Lab, Cosmolet]:
        made = lab(word=word)
        daemon = Cosmolet(made.node, tmp_path, word=word)
        daemons.append(daemon)
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        daemon.start()
        made.tor.wait_for(WEB)
        daemon.wait_states(UP)
        return made, daemon

    yield make_one
    for daemon in daemons:
        daemon.close()


def change(daemon: Cosmolet, section: str, **keys: Any) -> None:
    """As an editor saves: another file in the place of the old one."""
    daemon.settings[section] = {**daemon.settings.get(section, {}), **keys}
    new = daemon.config.with_suffix('.new')
    new.write_text(json.dumps({'node': NODE, **daemon.settings}, indent=1))
    new.rename(daemon.config)


def change_life(daemon: Cosmolet, section: str, **keys: Any) -> None:
    """A change that makes the parts anew; returns when the new ones are ready."""
    connects = len(daemon.log_lines('msg=connected', 'room=zapi'))
    change(daemon, section, **keys)
    daemon.wait_log('msg=connected', 'room=zapi', more_than=connects)
    daemon.wait_ready()


def metric(daemon: Cosmolet, name: str) -> int:
    return next(int(line.split()[1]) for line in daemon.get('/metrics')[1].splitlines() if line.startswith(f'cosmolet_{name} '))


def test_live(make: Any) -> None:
    lab, daemon = make()
    pid, connects = daemon.process.pid, daemon.status()['zebra']['connects']
    change(daemon, 'services', min_ready=2)
    daemon.wait_states(DOWN)
    lab.tor.wait_for(set())
    assert daemon.log_lines('msg=changed', 'services.min_ready: 1 -> 2')
    # Written in place and told by a signal: the same.
    daemon.settings['services']['min_ready'] = 1
    daemon.settings['logging']['format'] = 'json'
    daemon.write_config()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_states(UP)
    lab.tor.wait_for(WEB)
    daemon.wait_log('"msg":"announce"', V4)
    # How much is logged, too.
    change(daemon, 'logging', level='error')
    wait_until(lambda: metric(daemon, 'config_reloads_total{result="applied"}') == 3, 5, 'another level', explain=daemon.tail)
    change(daemon, 'services', min_ready=2)
    daemon.wait_states(DOWN)
    assert not daemon.log_lines('"msg":"withdraw"')
    daemon.settings['logging']['level'] = 'info'
    change(daemon, 'services', min_ready=1)
    daemon.wait_states(UP)
    assert len(daemon.log_lines('"msg":"announce"', V4)) == 2
    # Nothing was made anew for it.
    assert daemon.process.pid == pid and daemon.status()['zebra']['connects'] == connects
    assert metric(daemon, 'config_reloads_total{result="applied"}') == 5
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: metric(daemon, 'config_reloads_total{result="unchanged"}') >= 1, 5, 'an unchanged file', explain=daemon.tail)


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_made_anew(make: Any, word: str) -> None:
    """What shapes connections is applied by a new life in the same process, as invisible as a restart."""
    lab, daemon = make(word)
    pid, mark = daemon.process.pid, time.time()
    daemon.settings['logging']['level'] = 'debug'
    change_life(daemon, 'frr', stale_seconds=77)
    daemon.wait_log('level=debug')  # what acts at once does so in such company, too
    daemon.wait_states(UP)
    time.sleep(0.5)
    assert lab.tor.events(mark) == [] and daemon.process.pid == pid

    # Another tag is an update at the ToR, and one only; the routes with the old tag are still known for ours.
    assert {route.communities for route in lab.tor.services().values()} == {frozenset({COMMUNITY})}
    mark = time.time()
    change_life(daemon, 'announce', tag=DEGRADED_TAG)
    lab.tor.wait_for(lambda table: {route.communities for route in table.values()} == {frozenset({DEGRADED_COMMUNITY})})
    daemon.wait_states(UP)
    time.sleep(0.5)
    assert sorted((e.kind, e.prefix) for e in lab.tor.events(mark)) == sorted(('announce', p) for p in WEB)

    # What is not wanted any more when the new life begins goes as well, whatever tag it had.
    daemon.manifest('web', service('web', [V4]), pod('web-1', 'web'))
    change_life(daemon, 'announce', tag=4711)
    lab.tor.wait_for({f'{V4}/32'})
    daemon.wait_states({V4: 'announced'})


def test_another_word(make: Any) -> None:
    """What was announced the old way is withdrawn first: nothing is left behind."""
    lab, daemon = make()
    change_life(daemon, 'announce', redistribute='openfabric')
    lab.tor.wait_for(set())  # this bgpd redistributes static only
    daemon.wait_states(UP)
    kinds = {route['protocol'] for routes in lab.node.vtysh_json('show ip route json').values() for route in routes
             if route['prefix'] == f'{V4}/32'}
    assert kinds == {'openfabric'}
    change_life(daemon, 'announce', redistribute='static')
    lab.tor.wait_for(WEB)
    daemon.wait_states(UP)
    assert 'openfabric' not in lab.node.vtysh('show ip route json')


def test_refused(make: Any) -> None:
    lab, daemon = make()
    mark, good = time.time(), daemon.config.read_text()
    daemon.config.write_text('announce:\n  tagg: 1\n')
    daemon.wait_log('level=error', 'room=config', 'announce.tagg: unknown key')
    assert any('tagg' in problem for problem in daemon.status()['problems'])
    assert metric(daemon, 'config_last_reload_successful') == 0
    daemon.config.unlink()
    daemon.wait_log('level=error', 'room=config', 'No such file')
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert len(daemon.log_lines('level=error', 'No such file')) == 1

    # A configuration that reads well, but cannot be lived with.
    with inside(lab.node.namespace):
        taken = socket.create_server(('127.0.0.1', 9999))
    daemon.settings['http'] = {'listen': '127.0.0.1:9999'}
    daemon.write_config()
    daemon.wait_log('level=error', 'room=config', 'going back')
    daemon.wait_log('msg=connected', 'room=zapi', more_than=1)
    daemon.wait_ready()
    daemon.wait_states(UP)
    assert daemon.status()['problems']
    taken.close()

    daemon.config.write_text(good)
    wait_until(lambda: daemon.status()['problems'] == [] and metric(daemon, 'config_last_reload_successful') == 1, 5,
               'the good one to count again', explain=daemon.tail)
    time.sleep(0.5)
    assert lab.tor.events(mark) == []
    assert daemon.stop() == 0


def test_config_map(make: Any, tmp_path: Path) -> None:
    """As the kubelet replaces a mounted ConfigMap: the file is a symlink through ..data, and that is swapped."""
    lab, daemon = make()
    daemon.stop()
    mount = tmp_path / 'mount'
    mount.mkdir()

    def publish(name: str) -> None:
        (mount / name).mkdir()
        (mount / name / 'cosmolet.yaml').write_text(json.dumps({'node': NODE, **daemon.settings}))
        link = mount / '..data_tmp'
        link.symlink_to(name)
        link.rename(mount / '..data')

    publish('..one')
    daemon.config = mount / 'cosmolet.yaml'
    daemon.config.symlink_to('..data/cosmolet.yaml')
    daemon.start()
    daemon.wait_states(UP)
    daemon.settings['services'] = {'addresses': ['load_balancer_ip']}
    publish('..two')
    daemon.wait_states(DOWN)
    lab.tor.wait_for(set())


def test_changed_while_made_anew(make: Any) -> None:
    """A change in the second in which nobody watches the file counts, and so does the end."""
    lab, daemon = make()
    for tag, metric in ((DEGRADED_TAG, 7), (TAG, 0)):
        lines = len(daemon.log_lines('msg=changed', 'announce.tag'))
        change(daemon, 'announce', tag=tag)
        daemon.wait_log('msg=changed', 'announce.tag', more_than=lines)
        change(daemon, 'announce', metric=metric)
        lab.tor.wait_for(lambda table: {route.med for route in table.values()} == {metric})
    lines = len(daemon.log_lines('msg=changed', 'announce.tag'))
    change(daemon, 'announce', tag=DEGRADED_TAG)
    daemon.wait_log('msg=changed', 'announce.tag', more_than=lines)
    assert daemon.stop() == 0
    assert set(lab.tor.services()) == WEB


@pytest.mark.parametrize('way', ['withdraw', 'drain'])
def test_stopped_while_made_anew(make: Any, way: str) -> None:
    """The former life has let go of its routes, so the next one must take them back before the process ends."""
    lab, daemon = make()
    change(daemon, 'announce', on_stop=way, drain_seconds=1)
    daemon.wait_log('msg=changed', 'announce.on_stop')
    lab.node.signal('zebra', signal.SIGSTOP)  # so that the former life cannot end yet
    change(daemon, 'frr', stale_seconds=77)
    daemon.wait_log('msg=changed', 'frr.stale_seconds')
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_log('when the parts are there again')
    lab.node.signal('zebra', signal.SIGCONT)
    assert daemon.process.wait(20) == 0, daemon.tail()
    lab.tor.wait_for(set())
    assert not {a['local'] for a in lab.node.addresses('lo')} & {V4, V6}
