"""Everything that can break, breaks, while services come and go: what the ToR then has is what the API server says.

One row per fault: how it begins and ends, and within which time of its end all is as it should be. While it lasts no
healthy service may be withdrawn, unless the row says that nothing else is possible. On real FRR and a real API server.
(A ledger without room, which this kernel needs none of, is in tests/integration/test_ledger.py.)
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cluster import apply, bound, operator_state, populate, prefixes, service, set_ready
from cosmolet import NODE, Cosmolet
from kube import ApiError, KubeApi
from lab import NODE_V6, RELEASES, Lab, ReleaseMissing, frr_root
from sandbox import execute, wait_until

LONG = bool(os.environ.get('COSMOLET_TEST_LONG'))
STEADY, CHURNING = range(4), range(4, 8)  # services, by number
CHURN = 100 if LONG else 20  # changes a second
LAST = 10 if LONG else 1.5  # seconds
DRAIN_TAG, DRAIN_COMMUNITY = 4713, '65001:400'
FOREIGN = '203.0.113.99'


@dataclass
class World:
    lab: Lab
    daemon: Cosmolet
    kube: KubeApi

    def expected(self) -> set[str]:
        """The model: what the API server says of the pods, by the one rule that matters here."""
        items = self.kube.request('GET', '/api/v1/pods')['items']
        ready = {int(item['metadata']['name'][1:]) for item in items
                 if any(c['type'] == 'Ready' and c['status'] == 'True' for c in item['status'].get('conditions', []))}
        return prefixes(*ready)

    def agrees(self) -> bool:
        """Are the ToR, the kernel and the daemon of one mind with the model?"""
        wanted = self.expected()
        states = {a for a, state in self.daemon.states().items() if state == 'announced'}
        return set(self.lab.tor.services()) == wanted and bound(self.lab) == states == {p.split('/')[0] for p in wanted}

    def explain(self) -> str:
        return (f'wanted {sorted(self.expected())}\nToR {sorted(self.lab.tor.services())}\nbound {sorted(bound(self.lab))}\n'
                f'{self.daemon.states()}\n{self.daemon.status()["loopback"]}\n{self.daemon.tail()}')


class Churn:
    """Pods of the churning services flip, as long as the API server takes it."""

    def __init__(self, kube: KubeApi, rate: float) -> None:
        self.n = 0
        self._kube, self._rate, self._over = kube, rate, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        tick = 0
        while not self._over.wait(1 / self._rate):
            tick += 1
            with contextlib.suppress(OSError, HTTPException, ApiError):
                set_ready(self._kube, f'p{CHURNING[tick % len(CHURNING)]}', tick // len(CHURNING) % 2 == 0)
                self.n += 1

    def __enter__(self) -> Churn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


# The faults: each is a pair of actions, with LAST seconds between them.

def api_killed(world: World) -> Iterator[None]:
    world.kube.kill('apiserver')
    yield
    world.kube.start('apiserver')


def api_partitioned(world: World) -> Iterator[None]:
    world.lab.node.run(['nft', 'add table inet cut; add chain inet cut in { type filter hook input priority 0; };'
                               ' add rule inet cut in iifname kube drop'], check=True)
    yield
    world.lab.node.run(['nft', 'delete table inet cut'], check=True)


def api_frozen(world: World) -> Iterator[None]:
    """Its connections stay open, and nothing comes."""
    world.kube.signal('apiserver', signal.SIGSTOP)
    yield
    world.kube.signal('apiserver', signal.SIGCONT)


def api_slow(world: World) -> Iterator[None]:
    """A trickle: 64 kbit/s, with a long queue before it."""
    there = world.kube.namespace_name
    link = json.loads(execute(there, 'ip', '-j', 'link', 'show', 'type', 'veth'))[-1]['ifname']
    execute(there, 'tc', 'qdisc', 'add', 'dev', link, 'root', 'tbf', 'rate', '64kbit', 'burst', '3000', 'latency', '2s')
    yield
    execute(there, 'tc', 'qdisc', 'delete', 'dev', link, 'root')


def etcd_killed(world: World) -> Iterator[None]:
    world.kube.kill('etcd')
    yield
    world.kube.start('etcd')


def zebra_killed(world: World) -> Iterator[None]:
    """As watchfrr mends it: everything is restarted."""
    world.lab.node.kill('zebra')
    yield
    world.lab.node.restart_all()


def zebra_stopped(world: World) -> Iterator[None]:
    world.lab.node.signal('zebra', signal.SIGSTOP)
    yield
    world.lab.node.signal('zebra', signal.SIGCONT)


def frr_upgraded(world: World) -> Iterator[None]:
    release = world.lab.node.release
    world.lab.node.replace_release('10.3' if release != '10.3' else '8.4')
    supervise(world)
    yield
    world.lab.node.replace_release(release)
    supervise(world)


def supervise(world: World) -> None:
    """FRR's user may have another number now: then cosmolet ends, and kubelet, or systemd, starts it again."""
    process = world.daemon.process
    assert process

    def decided() -> bool:
        with contextlib.suppress(AssertionError):  # it is not running
            return bool(world.daemon.status()['zebra']['connected'])
        return True

    wait_until(decided, 20, 'another zebra', explain=world.daemon.tail)
    if process.poll() is not None:
        assert process.poll() == 1 and world.daemon.log_lines("zebra's socket is closed to this process")
        world.daemon.start(ready=False)


def bgpd_killed(world: World) -> Iterator[None]:
    world.lab.node.kill('bgpd')
    yield
    world.lab.node.start('bgpd')


def cosmolet_killed(world: World) -> Iterator[None]:
    world.daemon.kill()
    yield
    world.daemon.start()


def cosmolet_terminated(world: World) -> Iterator[None]:
    assert world.daemon.stop() == 0
    yield
    world.daemon.start()


def cosmolet_stopped(world: World) -> Iterator[None]:
    assert world.daemon.process
    world.daemon.process.send_signal(signal.SIGSTOP)
    yield
    world.daemon.process.send_signal(signal.SIGCONT)


def interface_flaps(world: World) -> Iterator[None]:
    world.lab.node.run(['ip', 'link', 'set', 'lo', 'down'], check=True)
    yield
    world.lab.node.run(['ip', 'link', 'set', 'lo', 'up'], check=True)


def uplink_flaps(world: World) -> Iterator[None]:
    """The way to the ToR: the sessions end with it."""
    world.lab.node.run(['ip', 'link', 'set', 'uplink', 'down'], check=True)
    yield
    world.lab.node.run(['ip', 'link', 'set', 'uplink', 'up'], check=True)
    world.lab.node.run(['ip', 'address', 'replace', f'{NODE_V6}/64', 'dev', 'uplink', 'nodad'], check=True)  # it went with the link


def netlink_overruns(world: World) -> Iterator[None]:
    """More news than the socket holds while nobody reads it, and all of ours is gone when somebody does."""
    assert world.daemon.process
    before = world.daemon.metric('address_overruns_total')
    world.daemon.process.send_signal(signal.SIGSTOP)
    some = [f'100.64.{i}.{j}' for i in range(4) for j in range(250)]
    storm = [f'route {verb} blackhole {a} table 99' for _ in range(12) for verb in ('add', 'delete') for a in some]
    world.lab.node.run(['ip', '-batch', '-'], input='\n'.join(storm), check=True)
    for family in ('-4', '-6'):
        world.lab.node.run(['ip', family, 'route', 'flush', 'table', 'local', 'proto', '237'], check=True)
    yield
    world.daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: world.daemon.metric('address_overruns_total') > before, 5, 'the overrun to be noticed')


def config_broken(world: World) -> Iterator[None]:
    good = world.daemon.config.read_text()
    world.daemon.config.write_text('announce: {tag: [')
    world.daemon.wait_log('room=config', 'refused')
    yield
    world.daemon.config.write_text(good)


def clock_jumps(world: World) -> Iterator[None]:
    """The daemon's wall clock goes an hour forth, and then two back.

    (libfaketime takes the wait in http.c, which is by the monotonic clock, for one by the wall clock: the ToR must tell.)
    """
    preload = next(line for line in subprocess.run(['dpkg', '-L', 'libfaketime'], check=True, text=True, stdout=subprocess.PIPE)
                   .stdout.splitlines() if line.endswith('/libfaketime.so.1'))
    offset = world.daemon.directory / 'offset'
    offset.write_text('+0s')
    set_ready(world.kube, f'p{CHURNING[0]}', True)  # an earlier row's churn may have left it as it liked
    world.lab.tor.wait_for(lambda table: any(prefix.startswith(f'10.96.1.{CHURNING[0] + 1}/') for prefix in table))
    world.daemon.kill()
    world.daemon.environment.update(LD_PRELOAD=preload, FAKETIME_TIMESTAMP_FILE=str(offset), FAKETIME_NO_CACHE='1',
                                    FAKETIME_DONT_FAKE_MONOTONIC='1')
    world.daemon.start()
    for jump in ('+3600s', '-3600s'):
        offset.write_text(jump)
        mark = time.time()
        for kind in ('withdraw', 'announce'):
            set_ready(world.kube, f'p{CHURNING[0]}', kind == 'announce')
            wait_until(lambda: any(e.kind == kind for e in world.lab.tor.events(mark)), 10, f'{kind} after {jump}')
    yield
    world.daemon.kill()
    for name in ('LD_PRELOAD', 'FAKETIME_TIMESTAMP_FILE', 'FAKETIME_NO_CACHE', 'FAKETIME_DONT_FAKE_MONOTONIC'):
        del world.daemon.environment[name]
    world.daemon.start()


@dataclass(frozen=True)
class Row:
    """A fault, and what it may cost."""
    fault: Callable[[World], Iterator[None]]
    seconds: float  # after its end
    costs_all: bool = False  # bgpd itself is gone: the ToR loses everything
    long: bool = False  # only in the long form


MATRIX = [
    Row(api_killed, 60 if LONG else 15), Row(api_partitioned, 5), Row(api_frozen, 5), Row(api_slow, 5), Row(etcd_killed, 60 if LONG else 15),
    Row(zebra_killed, 20, costs_all=True), Row(zebra_stopped, 5), Row(frr_upgraded, 20, costs_all=True, long=True),
    Row(bgpd_killed, 20, costs_all=True), Row(cosmolet_killed, 5), Row(cosmolet_terminated, 5), Row(cosmolet_stopped, 5),
    Row(interface_flaps, 3), Row(uplink_flaps, 20, costs_all=True), Row(netlink_overruns, 3), Row(config_broken, 2), Row(clock_jumps, 5),
]


@pytest.fixture(scope='module', params=RELEASES if LONG else ['8.4'], ids=lambda release: f'frr-{release}')
def world(request: pytest.FixtureRequest, cosmolet: Path, kube: KubeApi) -> Iterator[World]:
    try:
        frr_root(request.param)
    except ReleaseMissing as missing:
        pytest.skip(str(missing))
    if 'apiserver' not in kube.pids:
        kube.start('apiserver')
    kube.clean()
    kube.node(NODE)
    with Lab(node=request.param) as lab:
        for name in ('SVC', 'SVC6'):
            lab.node.configure(f'route-map {name} permit 40', f'match tag {DRAIN_TAG}', f'set community {DRAIN_COMMUNITY} additive')
            lab.node.config += (f'route-map {name} permit 40\n match tag {DRAIN_TAG}\n'  # for its restarts
                                f' set community {DRAIN_COMMUNITY} additive\n')
        (lab.node.directory / 'etc' / 'frr.conf').write_text(lab.node.config)
        lab.node.run(['ip', 'address', 'add', f'{FOREIGN}/32', 'dev', 'lo'], check=True)
        lab.node.run(['ip', 'route', 'add', 'local', '203.0.113.98', 'dev', 'lo', 'table', 'local', 'proto', 'static'], check=True)
        kube.attach(lab.node.namespace)
        account = kube.service_account()
        daemon = Cosmolet(lab.node, lab.directory / 'cosmolet', announce={'drain_tag': DRAIN_TAG, 'drain_seconds': 1},
                          kubernetes={'source': 'cluster', 'service_account': str(account.directory)},
                          services={'addresses': ['cluster_ip', 'load_balancer_ip']})
        daemon.environment.update(kube.environment)
        populate(kube, len(STEADY) + len(CHURNING))
        daemon.start()
        yield World(lab, daemon, kube)
        daemon.close()
    kube.clean()


def cells() -> Iterator[Any]:
    for row in MATRIX:
        for churn in (False, True) if LONG else (True,):
            if LONG or not row.long:
                yield pytest.param(row, churn, id=f'{row.fault.__name__}-{"churn" if churn else "steady"}')


@pytest.mark.parametrize('row, churn', cells())
def test_fault(world: World, row: Row, churn: bool) -> None:
    wait_until(world.agrees, 30, 'a quiet beginning', interval=0.1, explain=world.explain)
    foreign, mark = operator_state(world.lab), time.time()
    with Churn(world.kube, CHURN) if churn else contextlib.nullcontext() as changes:
        time.sleep(LAST / 5)  # for some of it before there may be no API server that takes any
        acts = row.fault(world)
        next(acts)
        time.sleep(LAST)
        assert next(acts, None) is None
        time.sleep(LAST / 2)
    assert not churn or changes.n > 0
    over = time.monotonic()
    wait_until(world.agrees, row.seconds, f'{row.fault.__name__}: the ToR to have what the model says', interval=0.05,
               explain=world.explain)
    print(f'{row.fault.__name__}: right {time.monotonic() - over:.2f} s after its end')
    steady = prefixes(*STEADY)
    if not row.costs_all:
        assert [e for e in world.lab.tor.events(mark) if e.prefix in steady or e.kind == 'down'] == []
    assert operator_state(world.lab) == foreign
    assert '203.0.113.98' in {r['dst'] for r in world.lab.node.routes('local')}


# What an operator may want when the API server is away for too long.

def test_fail_static_limit(world: World) -> None:
    daemon, lab, kube = world.daemon, world.lab, world.kube
    wait_until(world.agrees, 30, 'a quiet beginning', interval=0.1, explain=world.explain)
    everything, normal = world.expected(), lab.tor.services()
    daemon.settings['fail_static'] = {'limit_seconds': 8, 'policy': 'tag'}
    daemon.write_config()
    daemon.wait_log('room=config', 'changed', 'fail_static.limit_seconds')

    kube.kill('apiserver')
    wait_until(lambda: 0 < daemon.metric('stale_seconds') < 8, 8, 'the loss to be noticed')
    assert daemon.get('/readyz')[0] == 200
    lab.tor.wait_for(lambda table: all(DRAIN_COMMUNITY in r.communities for r in table.values()), timeout=11)
    assert set(lab.tor.services()) == everything
    assert daemon.get('/readyz')[0] == 503 and 'away' in daemon.get('/readyz')[1]
    status = daemon.status()
    assert status['kubernetes']['stale_seconds'] >= 8 and any('away since' in text for text in status['problems'])
    assert status['drain'] == 'tagged' and 'API server' in status['drained_by']
    assert 'the API server is away' in daemon.command('why', 'default/s0').stdout
    assert len(daemon.log_lines('level=error', 'fail_static')) == 1

    # Another policy acts at once; and no policy lets everything stand as it was.
    daemon.settings['fail_static']['policy'] = 'drain'
    daemon.write_config()
    lab.tor.wait_for(set())
    daemon.settings['fail_static']['policy'] = 'keep'
    daemon.write_config()
    lab.tor.wait_for(everything)
    assert daemon.get('/readyz')[0] == 503

    kube.start('apiserver')
    daemon.wait_ready(30)
    assert daemon.metric('stale_seconds') == 0 and lab.tor.services() == normal
    del daemon.settings['fail_static']
    daemon.write_config()


def test_new_service_after_all_that(world: World) -> None:
    """It still works."""
    apply(world.kube, [service('s0', type='LoadBalancer', clusterIP='10.96.1.1', externalIPs=[])])
    set_ready(world.kube, 'p0', False)
    world.lab.tor.wait_for(world.expected())
    assert prefixes(0).isdisjoint(world.lab.tor.services())
    set_ready(world.kube, 'p0')
    world.lab.tor.wait_for(world.expected())
