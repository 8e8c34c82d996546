"""What zebra makes of our routes is what is shown: shadowed, taken away, refused, changed; and back as soon as it can be.

On every release of FRR, for routes typed static and for a type of our own; the lab is shared, each test leaves it empty.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import COMMUNITY, DEGRADED_COMMUNITY, DEGRADED_TAG, TAG, Lab
from sandbox import wait_until
from zclient import Zclient

V4, V6 = '10.96.0.1', 'fd00:96::1'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}
REJECTED = {V4: 'rejected', V6: 'rejected'}
WORDS = ('static', 'openfabric')
SOON = 1.0  # the promise: noticed, and mended, within a second


@pytest.fixture(scope='module')
def network(frr_release: str) -> Iterator[Lab]:
    with Lab(node=frr_release, word=','.join(WORDS)) as made:
        yield made


@pytest.fixture(params=WORDS)
def word(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def daemon(network: Lab, cosmolet: Path, tmp_path: Path, word: str) -> Iterator[Cosmolet]:
    """Not started, with one service to announce; what it leaves is taken away."""
    made = Cosmolet(network.node, tmp_path, word=word)
    made.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    yield made
    made.close()
    assert made.command('withdraw', '--config', str(made.config)).returncode == 0
    network.tor.wait_for(set())


def start(daemon: Cosmolet, network: Lab) -> float:
    """Starts it; returns when all is announced, with the time."""
    daemon.start()
    daemon.wait_states(UP)
    network.tor.wait_for(WEB)
    return time.time()


def notes(daemon: Cosmolet) -> set[str]:
    return {a.get('note', '') for a in daemon.status()['addresses']}


# Others hold the prefix

def each_family(node: Any, *command: str) -> None:
    for family, address in (('-4', V4), ('-6', V6)):
        node.run(['ip', family, *(address if word == 'ADDRESS' else word for word in command)], check=True)


# By the name that zebra has for them.
SHADOWS: dict[str, tuple[Callable[[Any], None], Callable[[Any], None]]] = {
    'kernel': (lambda node: each_family(node, 'route', 'add', 'blackhole', 'ADDRESS', 'proto', '99', 'metric', '5'),
               lambda node: each_family(node, 'route', 'del', 'blackhole', 'ADDRESS', 'proto', '99', 'metric', '5')),
    'connected': (lambda node: each_family(node, 'address', 'add', 'ADDRESS', 'dev', 'lo'),
                  lambda node: each_family(node, 'address', 'del', 'ADDRESS', 'dev', 'lo')),
    'static': (lambda node: node.configure(f'ip route {V4}/32 blackhole 5', f'ipv6 route {V6}/128 blackhole 5'),
               lambda node: node.configure(f'no ip route {V4}/32 blackhole 5', f'no ipv6 route {V6}/128 blackhole 5')),
}


@pytest.fixture
def clear_shadows(network: Lab) -> Iterator[list[str]]:
    """Those that are there when a test fails; they shall not fail the next one as well."""
    there: list[str] = []
    yield there
    for shadow in there:
        SHADOWS[shadow][1](network.node)


def zebra_has(network: Lab, shadow: str) -> bool:
    """In both families, whether it selects it or not."""
    found = [network.node.vtysh_json(f'show {family} route {prefix} json').get(prefix, [])
             for family, prefix in (('ip', f'{V4}/32'), ('ipv6', f'{V6}/128'))]
    return all(shadow in {route['protocol'] for route in routes} for routes in found)


def wait_named(daemon: Cosmolet, shadow: str) -> None:
    """zebra is asked whose the route is that won."""
    wait_until(lambda: all(f'zebra has: {shadow}' in note for note in notes(daemon)), SOON, f'{shadow} to be named',
               explain=lambda: str(notes(daemon)))


@pytest.mark.parametrize('word', ['openfabric'], indirect=True)
def test_shadowed_in_a_burst(daemon: Cosmolet, network: Lab, clear_shadows: list[str]) -> None:
    """So many at a time are announced without zebra's feed: who loses nonetheless is found out."""
    many = [f'10.97.{i // 200}.{i % 200 + 1}' for i in range(500)]
    daemon.manifest('many', service('many', many, selector={'app': 'web'}))
    clear_shadows.append('static')
    SHADOWS['static'][0](network.node)
    daemon.start()
    wanted = {**{address: 'announced' for address in many}, **REJECTED}
    daemon.wait_states(wanted)
    wait_until(lambda: sum('zebra has: static' in a.get('note', '') for a in daemon.status()['addresses']) == 2, SOON, 'the name')
    network.tor.wait_for({f'{address}/32' for address in many})
    assert daemon.total('zapi_messages_total', 'type="redistribute_delete"') > 0
    assert daemon.total('route_failures_total') == 2

    SHADOWS['static'][1](network.node)
    daemon.wait_states({**wanted, **UP}, timeout=SOON)
    network.tor.wait_for({f'{address}/32' for address in many} | WEB)


@pytest.mark.parametrize('word', ['openfabric'], indirect=True)
def test_bursts(daemon: Cosmolet, network: Lab) -> None:
    """Much changes at a time, again and again, of which a zebra that stands still sees only the end: nothing is taken for lost."""
    dice = random.Random(7)
    addresses = [f'10.97.{i // 200}.{i % 200 + 1}' for i in range(1200)]
    zebra = network.node.pids['zebra']
    daemon.start()
    for n in (600, 1000, 20, 900):
        os.kill(zebra, signal.SIGSTOP)
        try:
            for _ in range(4):
                some = dice.sample(addresses, n)
                daemon.manifest('many', *(service(f'many-{a}', [a], selector={'app': 'web'}) for a in some))
                time.sleep(0.3)
        finally:
            os.kill(zebra, signal.SIGCONT)
        daemon.wait_states({**{address: 'announced' for address in some}, **UP})
        network.tor.wait_for({f'{address}/32' for address in some} | WEB)
    assert daemon.total('zapi_messages_total', 'type="redistribute_delete"') > 0
    assert daemon.total('route_failures_total') == 0


def test_shadowed(daemon: Cosmolet, network: Lab, clear_shadows: list[str]) -> None:
    start(daemon, network)
    for shadow, (appear, vanish) in SHADOWS.items():
        failures, errors = daemon.total('route_failures_total'), daemon.metric('reconcile_errors_total')
        clear_shadows.append(shadow)
        appear(network.node)
        daemon.wait_states(REJECTED, timeout=SOON)
        wait_named(daemon, shadow)
        assert daemon.total('route_failures_total') == failures + 2
        assert daemon.metric('reconcile_errors_total') == errors + 2
        assert daemon.metric('vips{state="rejected"}') == 2
        assert f'zebra has: {shadow}' in daemon.command('why', V4, '--http', '127.0.0.1:9474').stdout
        network.tor.wait_for(set())

        vanish(network.node)
        daemon.wait_states(UP, timeout=SOON)
        assert {r.communities for r in network.tor.wait_for(WEB).values()} == {frozenset({COMMUNITY})}
        assert notes(daemon) == {''}

        # The other one was there first.
        daemon.manifest('web')
        network.tor.wait_for(set())
        appear(network.node)
        # The one who comes last holds a static prefix: let zebra have read the other's first.
        wait_until(lambda: zebra_has(network, shadow), 10, f'zebra to have {shadow} of both', explain=network.node.tail)
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        daemon.wait_states(REJECTED, timeout=SOON)
        wait_named(daemon, shadow)
        assert network.tor.services() == {}
        vanish(network.node)
        clear_shadows.clear()
        daemon.wait_states(UP, timeout=SOON)
        network.tor.wait_for(WEB)


# Others take our route away

def test_taken_away(daemon: Cosmolet, network: Lab, word: str) -> None:
    start(daemon, network)
    with Zclient(network.node) as other:
        # Twice, and the second time while the first is hardly mended.
        for _ in range(2):
            sent, mark = daemon.sent(), time.time()
            for address in (V4, V6):
                other.delete(word, address)
            wait_until(lambda: daemon.sent() >= sent + 3, SOON, 'two routes and a barrier to be sent', explain=daemon.tail)
            daemon.wait_states(UP, timeout=SOON)
            wait_until(lambda: set(network.tor.services()) == WEB, SOON, 'the ToR to have them again')

        # He insists, and we do not join in: both routes twenty times a second he, and four times we.
        sent, mark = daemon.sent(), time.time()
        while time.time() < mark + 2:
            for address in (V4, V6):
                other.delete(word, address)
            time.sleep(0.05)
        assert 3 <= daemon.sent() - sent <= 2 * 4 * (2 + 1) + 3
    daemon.wait_states(UP, timeout=SOON)
    network.tor.wait_for(WEB)


# Our own changes

def one_update_each(network: Lab, mark: float) -> None:
    time.sleep(0.5)  # for what must not come
    assert sorted((e.kind, e.prefix) for e in network.tor.events(mark)) == sorted(('announce', p) for p in WEB)


def test_changed_in_place(daemon: Cosmolet, network: Lab) -> None:
    """Another metric or tag is one update at the ToR, never a withdrawal; the distance is zebra's business alone."""
    start(daemon, network)
    for metric in (50, 0):
        assert daemon.stop() == 0
        daemon.settings['announce'].update(metric=metric, distance=60 + metric)
        daemon.write_config()
        mark = time.time()
        daemon.start()
        network.tor.wait_for(lambda table: {r.med for r in table.values()} == {metric} and set(table) == WEB)
        daemon.wait_states(UP)
        one_update_each(network, mark)
        for family, prefix in (('ip', f'{V4}/32'), ('ipv6', f'{V6}/128')):
            entries = network.node.vtysh_json(f'show {family} route {prefix} json')[prefix]
            assert [(e['distance'], e['metric'], e['tag']) for e in entries] == [(60 + metric, metric, TAG)]

    daemon.settings['announce'].update(on_stop='drain', drain_tag=DEGRADED_TAG, drain_seconds=2)
    daemon.write_config()
    assert daemon.stop() == 0
    mark = start(daemon, network)
    assert daemon.process
    daemon.process.terminate()
    network.tor.wait_for(lambda t: {r.communities for r in t.values()} == {frozenset({DEGRADED_COMMUNITY})} and set(t) == WEB)
    one_update_each(network, mark)
    assert daemon.process.wait(10) == 0
    network.tor.wait_for(set())


@pytest.mark.parametrize('word', ['static'])  # once in a zebra, which keeps the kernel's nexthop when it has one
def test_the_kernel_refuses(daemon: Cosmolet, network: Lab, word: str) -> None:
    """A nexthop that the kernel does not take, for one family: told, tried again, and taken when that is over."""
    def set_ipv6(on: bool) -> None:
        network.node.run(['sysctl', '-qw', f'net.ipv6.conf.lo.disable_ipv6={int(not on)}'], check=True)

    daemon.settings.update(loopback={'mode': 'none'})
    daemon.settings['announce']['nexthop'] = 'lo'
    daemon.write_config()
    set_ipv6(False)
    try:
        daemon.start()
        daemon.wait_states({V4: 'announced', V6: 'rejected'}, timeout=5)
        network.tor.wait_for({f'{V4}/32'})
    finally:
        set_ipv6(True)
    network.tor.wait_for(WEB, timeout=10)
    daemon.wait_states(UP, timeout=SOON)
