"""What zebra is, and what can be asked of it: the command zebra, VRFs, nexthops, and a bgpd that does not hear any more."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from cosmolet import BINARY, Cosmolet, pod, service
from lab import COMMUNITY, NODE_V4, OPERATOR_ROUTES, Lab
from sandbox import wait_until

V4, V6 = '10.96.0.1', 'fd00:96::1'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}
LINES = {'7.5': '7.5', '8.4': '8.2-9.0', '10.3': '10.2-10.5', '10.7': '10.6-10.7'}
RETURNS = 'stay until cosmolet is back, or cosmolet withdraw'
IF_WE_GO = {'7.5': 'removed after frr.stale_seconds', '8.4': 'but not by FRR 9.0 to 10.4', '10.3': 'but not by FRR 9.0 to 10.4',
            '10.7': 'removed after frr.stale_seconds'}


@pytest.fixture
def make(cosmolet: Path, lab: Callable[..., Lab], frr_release: str, tmp_path: Path) -> Any:
    """A lab, and a cosmolet in it that is not started, with one dual-stack service to announce."""
    daemons = []

    def make_one(word: str = 'static', vrf: str = '', **settings: Any) -> tuple[Lab, Cosmolet]:
        made = lab(node=frr_release, word=word, vrf=vrf)
        daemon = Cosmolet(made.node, tmp_path, word=word, **settings)
        daemons.append(daemon)
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        return made, daemon

    yield make_one
    for daemon in daemons:
        daemon.close()


def look(daemon: Cosmolet) -> dict[str, Any]:
    done = daemon.command('zebra', '-o', 'json', '--config', str(daemon.config))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_the_command_zebra(make: Any, frr_release: str, word: str) -> None:
    lab, daemon = make(word)
    others = set(OPERATOR_ROUTES) if word == 'static' else set()
    found = look(daemon)
    assert found['release'] == LINES[frr_release]
    assert (found['vrf'], found['vrf_backend'], found['router_id']) == (0, 'VRF devices', NODE_V4)
    assert found['nexthops_per_route'] == 256 and found['started_with_k'] is False
    assert (IF_WE_GO[frr_release] if word == 'openfabric' else RETURNS) in found['if_we_go']
    assert {(r['prefix'], r['whose']) for r in found['feed']} == {(p, "others'") for p in others}

    # With a daemon beside it: the looker leaves no trace in zebra, and nothing moves at the ToR.
    daemon.start()
    lab.tor.wait_for(WEB)
    mark = time.time()
    found = look(daemon)
    assert {(r['prefix'], r['whose']) for r in found['feed']} == {(p, "others'") for p in others} | {(p, 'ours') for p in WEB}
    assert {(r['tag'], r['metric'], r['distance']) for r in found['feed'] if r['whose'] == 'ours'} == {(4711, 0, 20)}
    table = daemon.command('zebra', '--config', str(daemon.config)).stdout
    assert f'FRR {LINES[frr_release]}' in table and len([line for line in table.splitlines() if line.endswith('ours')]) == 2
    time.sleep(0.5)
    assert lab.tor.events(mark) == []
    daemon.wait_states(UP)
    assert daemon.status()['zebra']['router_id'] == NODE_V4 and daemon.status()['zebra']['feed'] == len(others) + 2

    # No zebra: one line that names the socket.
    lab.node.stop_all()
    done = daemon.command('zebra', '--config', str(daemon.config))
    assert done.returncode == 1 and str(lab.node.zserv) in done.stderr and done.stdout == ''


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_vrf(make: Any, word: str) -> None:
    """Routes of a VRF (here a network namespace) reach the ToR through the bgpd instance of that VRF, and only there."""
    lab, daemon = make(word, vrf='tenant', loopback={'mode': 'none'},
                       announce={'redistribute': word, 'vrf': 'tenant', 'tag': 4711})
    daemon.start()
    table = lab.tor.wait_for(WEB)
    assert {route.communities for route in table.values()} == {frozenset({COMMUNITY})}
    daemon.wait_states(UP)
    number = look(daemon)['vrf']
    assert number != 0
    assert lab.node.vtysh_json('show ip route vrf default json').get(f'{V4}/32') is None

    # Restarts are as invisible as in the default VRF, also when it is named by its number.
    mark = time.time()
    daemon.kill()
    daemon.settings['announce']['vrf'] = str(number)
    daemon.write_config()
    time.sleep(1.2)
    daemon.start()
    daemon.wait_states(UP)
    assert daemon.stop() == 0
    time.sleep(1.2)
    daemon.start()
    daemon.wait_states(UP)
    time.sleep(0.5)
    assert lab.tor.events(mark) == []

    # Away by hand.
    daemon.kill()
    time.sleep(1.2)
    done = daemon.command('withdraw', '--config', str(daemon.config))
    assert done.returncode == 0, done.stderr
    lab.tor.wait_for(set())

    # A VRF that zebra does not have is named, once, and nothing is sent anywhere else.
    daemon.settings['announce']['vrf'] = 'nowhere'
    daemon.write_config()
    daemon.start(ready=False)
    daemon.wait_log('room=zapi', 'nowhere')
    time.sleep(2.5)
    assert len(daemon.log_lines('room=zapi', 'nowhere')) == 1
    assert daemon.get('/readyz')[0] == 503
    assert V4 not in lab.node.vtysh('show ip route vrf all json')


def test_nexthops(make: Any) -> None:
    """What the operator chose is what the kernel has."""
    lab, daemon = make('openfabric')
    kinds = {}
    for nexthop in ('blackhole', 'unreachable', 'lo'):
        daemon.settings['announce'].update(nexthop=nexthop, on_stop='withdraw')
        daemon.write_config()
        daemon.start()
        lab.tor.wait_for(WEB)
        daemon.wait_states(UP)
        routes = {r['dst']: r for r in lab.node.routes() if r['dst'] in (V4, V6)}
        kinds[nexthop] = {(r.get('type', 'unicast'), r.get('dev') if nexthop == 'lo' else 'any') for r in routes.values()}
        assert len(routes) == 2
        assert daemon.stop() == 0
        lab.tor.wait_for(set())
    assert kinds == {'blackhole': {('blackhole', 'any')}, 'unreachable': {('unreachable', 'any')}, 'lo': {('unicast', 'lo')}}


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_the_example(lab: Callable[..., Lab], frr_release: str, tmp_path: Path, word: str) -> None:
    """The library without the daemon, as another program would use it."""
    made = lab(node=frr_release, word=word)
    said = tmp_path / 'said'
    with said.open('w') as output:
        example = made.node.popen([str(BINARY.parent / 'tests/example/announce_one'), str(made.node.zserv), word, f'{V4}/32'],
                                  stdout=output, stderr=output)
    table = made.tor.wait_for({f'{V4}/32'})
    assert table[f'{V4}/32'].communities == {COMMUNITY}
    wait_until(lambda: 'redistributed' in said.read_text(), 10, 'it to say that it is announced', explain=said.read_text)
    example.send_signal(signal.SIGINT)
    assert example.wait(10) == 0, said.read_text()
    made.tor.wait_for(set())
    lines = [line.strip() for line in said.read_text().splitlines()]
    assert lines[0] == f'{V4}/32: pending' and lines[1] == 'up'
    assert f'{V4}/32: redistributed' in lines and lines[-1] == f'{V4}/32: gone', lines


def test_bgpd_deaf(make: Any) -> None:
    """zebra killed under a living bgpd: nobody can repair that, but we see it, say it, and see the end of it."""
    lab, daemon = make()
    daemon.start()
    lab.tor.wait_for(WEB)
    assert 'cosmolet_bgpd_deaf 0\n' in daemon.get('/metrics')[1]
    lab.node.kill('zebra')
    lab.node.start('zebra')
    if lab.node.release == '7.5':  # whose staticd does not tell a new zebra what the old one had
        lab.renounce()
    wait_until(lambda: daemon.status()['zebra']['bgpd_deaf'], 15, 'it to be noticed', explain=daemon.tail)
    assert 'cosmolet_bgpd_deaf 1\n' in daemon.get('/metrics')[1]
    assert len(daemon.log_lines('level=error', 'room=bgpd', 'restart bgpd')) == 1
    assert 'restart bgpd' in daemon.command('status').stdout
    assert 'restart bgpd' in daemon.command('why', V4).stdout
    # It is true: this withdrawal does not arrive.
    daemon.manifest('web', service('web', [V4]), pod('web-1', 'web'))
    daemon.wait_states({V4: 'announced'})
    time.sleep(1)
    assert set(lab.tor.services()) == WEB

    # A reload that makes the parts anew does not forget it.
    connects = len(daemon.log_lines('msg=connected', 'room=zapi'))
    daemon.settings['frr']['stale_seconds'] = 77
    daemon.write_config()
    daemon.wait_log('msg=connected', 'room=zapi', more_than=connects)
    daemon.wait_ready()
    assert daemon.status()['zebra']['bgpd_deaf'] and len(daemon.log_lines('level=error', 'room=bgpd')) == 1

    lab.node.stop('bgpd')
    lab.node.start('bgpd')
    lab.tor.wait_for({f'{V4}/32'}, timeout=20)
    wait_until(lambda: not daemon.status()['zebra']['bgpd_deaf'], 10, 'the end of it', explain=daemon.tail)
    assert daemon.status()['problems'] == []
