"""What happens around us: zebra restarted or upgraded, staticd in the way, others at work on the loopback."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from cosmolet import Cosmolet, pod, service
from lab import COMMUNITY, DEGRADED_COMMUNITY, DEGRADED_TAG, OPERATOR_COMMUNITY, TAG, Lab
from sandbox import wait_until

V4, V6, LB = '10.96.0.1', 'fd00:96::1', '198.18.0.1'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}


@pytest.fixture
def start(cosmolet: Path, lab: Callable[..., Lab], frr_release: str, tmp_path: Path) -> Any:
    """Starts a lab and a cosmolet that announces one dual-stack service in it."""
    daemons = []

    def make(word: str = 'static', before: Callable[[Lab], object] = lambda lab: None,
             **settings: Any) -> tuple[Lab, Cosmolet]:
        made = lab(node=frr_release, word=word)
        before(made)
        daemon = Cosmolet(made.node, tmp_path, word=word, **settings)
        daemons.append(daemon)
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        daemon.start()
        return made, daemon

    yield make
    for daemon in daemons:
        daemon.close()


def local_routes(lab: Lab) -> dict[str, Any]:
    return {r['dst']: r for r in lab.node.routes('local') if str(r.get('protocol')) == '237'}


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_frr_restarted_and_upgraded(start: Any, frr_release: str, word: str) -> None:
    lab, daemon = start(word)
    lab.tor.wait_for(WEB)
    lab.node.restart_all()
    lab.tor.wait_for(WEB, timeout=30)
    daemon.wait_states(UP, timeout=30)
    assert daemon.status()['zebra']['connects'] == 2
    # The other release has another user, whom only a new process can become.
    lab.node.replace_release('8.4' if frr_release != '8.4' else '10.3')
    assert daemon.process and daemon.process.wait(40) == 1
    assert len(daemon.log_lines('level=err', 'belongs to uid', 'CAP_SETUID')) == 1, daemon.tail()
    daemon.start()
    lab.tor.wait_for(WEB, timeout=30)
    daemon.wait_states(UP, timeout=30)
    # A second after its start bgpd takes in its route-maps (delay-timer), and for that unsubscribes from zebra and subscribes
    # anew; what is withdrawn between the two it never hears of.
    time.sleep(1.5)
    # It still works in both directions, and leaves nothing behind.
    daemon.manifest('web', service('web', [V4]), pod('web-1', 'web'))
    lab.tor.wait_for({f'{V4}/32'})
    daemon.manifest('web')
    lab.tor.wait_for(set())
    wait_until(lambda: not local_routes(lab), 5, 'everything to be unbound')
    # bgpd was restarted with zebra, so there is nothing to complain of, also when the grace is over.
    time.sleep(5)
    assert daemon.log_lines('room=bgpd') == [] and daemon.status()['problems'] == []


def test_connected_addresses(start: Any) -> None:
    lab, daemon = start('connected', loopback={'mode': 'address'})
    table = lab.tor.wait_for(WEB)
    assert {route.communities for route in table.values()} == {frozenset({COMMUNITY})}
    daemon.wait_states(UP)
    ours = {a['local']: a for a in lab.node.addresses('lo') if a['local'] in (V4, V6)}
    assert ours[V4]['scope'] == 'host' and ours[V4]['prefixlen'] == 32
    assert ours[V6]['preferred_life_time'] == 0 and ours[V6]['prefixlen'] == 128

    mark = time.time()
    daemon.kill()
    time.sleep(1.2)
    daemon.start()
    daemon.wait_states(UP)
    assert lab.tor.events(mark) == []

    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web', ready=False))
    lab.tor.wait_for(set())
    assert not [a for a in lab.node.addresses('lo') if a['local'] in (V4, V6)]


def test_connected_lease(start: Any) -> None:
    """A dead daemon cannot announce for ever, and nobody hears of what a living one renews."""
    lease = 6
    lab, daemon = start('connected', loopback={'mode': 'address', 'lease_seconds': lease})
    lab.tor.wait_for(WEB)
    daemon.wait_states(UP)
    mark, foreign = time.time(), foreigners(lab)
    renewals = lambda: daemon.metric('address_operations_total{operation="renew"}')  # noqa: E731
    before = renewals()
    wait_until(lambda: renewals() >= before + 2 * 3, 20, 'three renewals of both, two in a lease', explain=daemon.tail)
    assert lab.tor.events(mark) == [] and daemon.metric('address_operations_total{operation="repair"}') == 0

    daemon.kill()
    lab.tor.wait_for(set(), timeout=lease + 3)
    assert foreigners(lab) == foreign
    daemon.start()
    lab.tor.wait_for(WEB)

    # Stopped for longer than its lease, it finds everything gone, and mends it.
    assert daemon.process
    daemon.process.send_signal(signal.SIGSTOP)
    lab.tor.wait_for(set(), timeout=lease + 3)
    daemon.process.send_signal(signal.SIGCONT)
    lab.tor.wait_for(WEB)
    daemon.wait_states(UP)


def foreigners(lab: Lab) -> list[Any]:
    """Addresses of lo that nobody of us made."""
    return [a for a in lab.node.addresses('lo') if a['local'] not in (V4, V6)]


def test_table_direct(start: Any, cosmolet: Path, lab: Callable[..., Lab], frr_release: str, tmp_path: Path) -> None:
    """The address on lo and a ZAPI route at once: from FRR 10.0 on; before, the word is refused."""
    if frr_release in ('7.5', '8.4'):
        refuse_word('table-direct 200', lab(node=frr_release), tmp_path)
        return
    lab, daemon = start('table-direct 200', loopback={'mode': 'address'})
    lab.tor.wait_for(WEB)
    daemon.wait_states(UP)
    mark = time.time()
    daemon.kill()
    time.sleep(1.2)
    daemon.start()
    daemon.wait_states(UP)
    assert lab.tor.events(mark) == []
    daemon.manifest('web')
    lab.tor.wait_for(set())


def test_staticd_holds_the_prefix(start: Any) -> None:
    lab, daemon = start(before=lambda lab: lab.node.configure(f'ip route {V4}/32 blackhole tag 100'))
    lab.tor.wait_for(lambda table: f'{V6}/128' in table)
    daemon.wait_states({V4: 'rejected', V6: 'announced'})
    assert 'static route' in daemon.command('why', V4, '--http', '127.0.0.1:9474').stdout
    before = lab.tor.table()[f'{V4}/32']

    # Our wish comes and goes; the operator's route stays as it is.
    daemon.manifest('web')
    lab.tor.wait_for({f'{V4}/32'})
    assert lab.tor.table()[f'{V4}/32'] == before
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    daemon.wait_states({V4: 'rejected', V6: 'announced'})

    # He gives it up: now it is ours.
    lab.node.configure(f'no ip route {V4}/32 blackhole tag 100')
    daemon.wait_states(UP)
    table = lab.tor.wait_for(lambda t: t.get(f'{V4}/32') and t[f'{V4}/32'].communities == {COMMUNITY})
    assert set(table) == WEB

    # The next life has another tag: what it does not know as its own it does not touch, and says how to make it known.
    daemon.kill()
    daemon.settings['announce']['tag'] = DEGRADED_TAG
    daemon.write_config()
    mark = time.time()
    daemon.start()
    daemon.wait_states({V4: 'rejected', V6: 'rejected'})
    way_out = f'name its tag, {TAG}, in announce.policy_tags'
    assert way_out in daemon.command('why', V6, '--http', '127.0.0.1:9474').stdout
    assert len(daemon.log_lines('level=warn', 'room=zapi', way_out)) == 2
    assert 'announce.policy_tags' in daemon.command('zebra', '--config', str(daemon.config)).stdout
    assert lab.tor.events(mark) == []
    daemon.settings['announce']['policy_tags'] = [str(TAG)]
    daemon.write_config()
    daemon.wait_log('msg=changed', 'announce.policy_tags')
    daemon.wait_ready()
    daemon.wait_states(UP)
    lab.tor.wait_for(lambda t: {r.communities for r in t.values()} == {frozenset({DEGRADED_COMMUNITY})} and set(t) == WEB)
    assert {e.kind for e in lab.tor.events(mark)} == {'announce'}
    assert 'announce.policy_tags' not in daemon.command('zebra', '--config', str(daemon.config)).stdout


def test_a_better_route_hides_staticds(start: Any) -> None:
    """ZAPI does not tell of such a route. Ours comes beside it, not in its place, and goes alone."""
    def hide(lab: Lab) -> None:
        for address in (f'{V4}/32', f'{V6}/128'):
            lab.node.run(['ip', 'address', 'replace', address, 'dev', 'lo'])
        lab.node.configure(f'ip route {V4}/32 blackhole 200 tag 100', f'ipv6 route {V6}/128 blackhole tag 100')

    def tags(family: str, prefix: str) -> set[int]:
        """Of all of zebra's static routes, selected or not."""
        return {route.get('tag', 0) for route in lab.node.vtysh_json(f'show {family} route static json').get(prefix, [])}

    def both() -> tuple[set[int], set[int]]:
        return tags('ip', f'{V4}/32'), tags('ipv6', f'{V6}/128')

    def wait_both(v4: set[int], v6: set[int]) -> None:
        wait_until(lambda: both() == (v4, v6), 10, f'{v4} and {v6} in zebra', explain=lambda: f'{both()}\n{daemon.tail()}')

    def wait_tor(v4: str, v6: str) -> None:
        wanted = {f'{V4}/32': {v4}, f'{V6}/128': {v6}}
        lab.tor.wait_for(lambda table: {prefix: route.communities for prefix, route in table.items()} == wanted)

    def wanted(*addresses: str) -> None:
        daemon.manifest('web', *([service('web', list(addresses)), pod('web-1', 'web')] if addresses else []))

    lab, daemon = start(before=hide)
    rejected = {V4: 'rejected', V6: 'rejected'}
    daemon.wait_states(rejected)
    wait_until(lambda: 'via lo' in daemon.command('why', V4, '--http', '127.0.0.1:9474').stdout, 10, 'the better route to be told',
               explain=daemon.tail)
    wanted(V6)
    daemon.wait_states({V6: 'rejected'})
    wait_both({100}, {100, TAG})

    # Another life of zebra's, in which staticd's come late, and of ours.
    wanted(V4, V6)
    lab.node.restart_all()
    wait_until(lambda: daemon.status()['zebra']['connects'] >= 2, 30, 'zebra again')
    hide(lab)
    wait_both({100, TAG}, {100, TAG})  # FRR 10.3 and 10.7 lose what is on its way when a client is killed
    daemon.kill()
    daemon.start()
    daemon.wait_states(rejected)
    time.sleep(3)  # what is rejected is sent again
    wait_both({100, TAG}, {100, TAG})

    # Nothing hides them any more: the distance decides.
    for address in (f'{V4}/32', f'{V6}/128'):
        lab.node.run(['ip', 'address', 'del', address, 'dev', 'lo'])
    daemon.wait_states({V4: 'announced', V6: 'rejected'})
    wait_tor(COMMUNITY, OPERATOR_COMMUNITY)
    wanted()
    wait_both({100}, {100})
    wait_tor(OPERATOR_COMMUNITY, OPERATOR_COMMUNITY)
    wanted(V4)
    daemon.wait_states({V4: 'announced'})
    wait_tor(COMMUNITY, OPERATOR_COMMUNITY)


def test_staticd_restarted(start: Any) -> None:
    lab, daemon = start()
    lab.tor.wait_for(WEB)
    lab.node.stop('staticd')
    lab.node.start('staticd')
    wait_until(lambda: set(lab.tor.services()) == WEB and daemon.states() == UP, 15, 'our routes to be back',
               explain=lambda: f'{lab.tor.services()} {daemon.states()}')
    lab.check()  # before ours is killed: see below


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_who_leaves_takes_nothing_along(start: Any, word: str) -> None:
    """Routes of others that are on their way into the RIB meanwhile, which FRR 10.3 and 10.7 lose if a client just goes."""
    lab, daemon = start(word)
    lab.tor.wait_for(WEB)
    operators = [f'10.98.0.{i}/32' for i in range(100)]
    adding = threading.Thread(target=lab.node.configure, args=[f'ip route {prefix} blackhole' for prefix in operators])
    adding.start()
    while adding.is_alive():
        assert daemon.command('zebra', '--config', str(daemon.config)).returncode == 0
        if word == 'static':  # the other one has to wait a second each time, and is waited for by zebra
            assert daemon.stop() == 0
            daemon.start()
    adding.join()
    wait_until(lambda: set(operators) <= lab.node.vtysh_json('show ip route static json').keys(), 5, 'all of staticd\'s routes')


def test_somebody_works_on_the_loopback(start: Any) -> None:
    lab, daemon = start(before=lambda lab: lab.node.run(
        ['ip', 'route', 'add', 'local', V4, 'dev', 'lo', 'table', 'local', 'proto', 'static']))
    lab.tor.wait_for(WEB)
    assert set(local_routes(lab)) == {V6}, 'the foreign route is used, not doubled'
    assert daemon.status()['addresses'][0].get('foreign') is True

    # Ours is deleted, in a later life, too: it is back within a second, and BGP does not notice.
    daemon.kill()
    daemon.start()
    daemon.wait_states(UP)
    mark = time.time()
    lab.node.run(['ip', '-6', 'route', 'del', 'local', V6, 'dev', 'lo', 'table', 'local'])
    wait_until(lambda: V6 in local_routes(lab), 1, 'our route to be repaired')
    assert lab.tor.events(mark) == []

    # The interface goes down and up: the same.
    lab.node.run(['ip', 'link', 'set', 'lo', 'down'])
    lab.node.run(['ip', 'link', 'set', 'lo', 'up'])
    wait_until(lambda: V6 in local_routes(lab), 2, 'our route to be repaired')

    # At the end ours goes and the foreign one stays.
    daemon.manifest('web')
    lab.tor.wait_for(set())
    wait_until(lambda: not local_routes(lab), 5, 'ours to be unbound')
    assert V4 in {r['dst'] for r in lab.node.routes('local')}

    # When that goes as well, nobody puts ours in its place.
    audits = daemon.status()['loopback']['audits']
    lab.node.run(['ip', 'route', 'del', 'local', V4, 'dev', 'lo', 'table', 'local'])
    lab.node.run(['ip', 'link', 'set', 'lo', 'down'])
    lab.node.run(['ip', 'link', 'set', 'lo', 'up'])
    wait_until(lambda: daemon.status()['loopback']['audits'] > audits, 5, 'the loopback to be looked at')
    assert not local_routes(lab)


def test_addresses_of_all_kinds_and_shared(start: Any) -> None:
    lab, daemon = start(services={'allow': ['10.96.0.0/12', '198.18.0.0/24', 'fd00:96::/64']})
    daemon.manifest('one', service('one', ['10.96.1.1'], ingress=[LB], external_ips=['198.18.0.9', '203.0.113.9']),
                    pod('one-1', 'one'))
    daemon.manifest('two', service('two', ['10.96.1.2'], ingress=[LB]), pod('two-1', 'two', ready=False))
    everything = WEB | {'10.96.1.1/32', f'{LB}/32', '198.18.0.9/32'}
    lab.tor.wait_for(everything)

    # The shared address stays while either of the two is up.
    mark = time.time()
    daemon.manifest('two', service('two', ['10.96.1.2'], ingress=[LB]), pod('two-1', 'two'))
    lab.tor.wait_for(everything | {'10.96.1.2/32'})
    daemon.manifest('one', service('one', ['10.96.1.1'], ingress=[LB]), pod('one-1', 'one', ready=False))
    lab.tor.wait_for(WEB | {'10.96.1.2/32', f'{LB}/32'})
    assert f'{LB}/32' not in {e.prefix for e in lab.tor.events(mark)}
    daemon.manifest('two')
    lab.tor.wait_for(WEB)


def refuse_word(word: str, lab: Lab, directory: Path) -> None:
    daemon = Cosmolet(lab.node, directory, word=word)
    daemon.manifest('web', service('web', [V4]), pod('web-1', 'web'))
    daemon.start(ready=False)
    try:
        wait_until(lambda: 'table-direct' in daemon.tail() and 'FRR' in daemon.tail().split('starting')[-1], 10,
                   'the refusal to be logged', explain=daemon.tail)
        assert daemon.states().get(V4) != 'announced'
        assert lab.tor.services() == {}
    finally:
        daemon.close()


def test_instant_restarts(start: Any) -> None:
    """Killed and started again at once, many times: the ToR sees nothing, and zebra survives it."""
    lab, daemon = start('openfabric')
    lab.tor.wait_for(WEB)
    zebra = lab.node.pids['zebra']
    mark = time.time()
    for _ in range(5):
        daemon.kill()
        daemon.start()
        daemon.wait_states(UP)
    assert lab.node.pids['zebra'] == zebra
    assert lab.tor.events(mark) == []
