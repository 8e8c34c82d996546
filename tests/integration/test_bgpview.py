"""To whom bgpd really advertises our addresses, as it says itself: on every release, and whatever becomes of bgpd."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from fixtures import REPOSITORY
from lab import NODE_V4, TOR_V4, TOR_V6, Lab
from sandbox import wait_until

V4, V6, DENIED = '10.96.0.10', 'fd00:96::10', '10.96.0.66'
UP = {V4: 'announced', V6: 'announced', DENIED: 'announced'}
SENT = {V4: [TOR_V4], V6: [TOR_V6], DENIED: []}
TOLD = {**SENT, DENIED: [TOR_V4]}  # where the operator denies nothing
VERIFY = {'verify_bgp': 'on', 'verify_bgp_seconds': 1}


def verifying(lab: Lab, directory: Path, **settings: Any) -> Cosmolet:
    made = Cosmolet(lab.node, directory, frr={'socket_path': str(lab.node.zserv), **VERIFY}, **settings)
    made.manifest('web', service('web', [V4, V6]), service('denied', [DENIED], selector={'app': 'web'}), pod('web-1', 'web'))
    return made


@pytest.fixture(scope='module')
def world(frr_release: str, cosmolet: Path) -> Iterator[tuple[Lab, Cosmolet]]:
    """A node whose operator denies one of the addresses to the ToR."""
    with Lab(frr_release) as lab:
        lab.node.configure('ip prefix-list DENIED permit 10.96.0.66/32')
        lab.node.configure('route-map SVC deny 5', 'match ip address prefix-list DENIED')
        daemon = verifying(lab, lab.directory / 'cosmolet')
        daemon.start()
        yield lab, daemon
        daemon.close()


def told(daemon: Cosmolet) -> dict[str, list[str] | None]:
    return {a['address']: a.get('neighbors') for a in daemon.status()['addresses']}


def wait_told(daemon: Cosmolet, wanted: dict[str, list[str]], timeout: float = 15) -> None:
    wait_until(lambda: told(daemon) == wanted, timeout, f'{wanted}', explain=lambda: f'{daemon.status()}\n{daemon.tail()}')


def states(daemon: Cosmolet) -> dict[str, str]:
    return {n['name']: n['state'] for n in daemon.status()['bgp']['neighbors']}


def test_told_as_it_is(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    daemon.wait_states(UP)
    lab.tor.wait_for({f'{V4}/32', f'{V6}/128'})
    wait_told(daemon, SENT)
    assert states(daemon) == {TOR_V4: 'Established', TOR_V6: 'Established'}
    assert daemon.metric(f'vip_neighbors{{address="{V4}"}}') == 1 and daemon.metric(f'vip_neighbors{{address="{DENIED}"}}') == 0
    assert daemon.metric(f'bgp_neighbor_up{{neighbor="{TOR_V6}",family="ipv6"}}') == 1
    assert daemon.metric(f'bgp_neighbor_addresses{{neighbor="{TOR_V4}",family="ipv4"}}') == 1
    assert 0 <= daemon.metric('bgp_age_seconds') < 15

    shown = daemon.command('status').stdout
    assert 'bgp         2 of 2 sessions established' in shown
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.startswith(('10.', 'fd'))}
    assert {address: row[5] for address, row in rows.items()} == {V4: '1/1', V6: '1/1', DENIED: '0/1'}
    completion = 'source "$0"; COMP_LINE="cosmolet why " COMP_POINT=13; _cosmolet "$1"; printf "%s\\n" "${COMPREPLY[@]}"'
    offered = daemon.node.run(['bash', '-c', completion, str(REPOSITORY / 'container/host/cosmolet.bash'), str(daemon.binary)]).stdout
    assert {'default/web', 'default/denied', V4} <= set(offered.split()) and '1/1' not in offered
    assert f'neighbour {TOR_V4}, Established: it is advertised' in daemon.command('why', V4).stdout
    denied = f'neighbour {TOR_V4}, Established: not advertised; a route-map may deny it'
    wait_until(lambda: denied in daemon.command('why', DENIED).stdout, 15, denied)

    # What is withdrawn is advertised no more.
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    wait_told(daemon, {V4: [TOR_V4], V6: [TOR_V6]})
    daemon.manifest('web', service('web', [V4, V6]), service('denied', [DENIED], selector={'app': 'web'}), pod('web-1', 'web'))
    wait_told(daemon, SENT)


def test_asked_too_early(world: tuple[Lab, Cosmolet]) -> None:
    """What was announced after the last answer, or just before it, is not yet said to be denied."""
    _, daemon = world
    why = f'neighbour {TOR_V4}, Established: not advertised then, but it may have been asked too early'

    def asked_at_once() -> bool:
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        wait_told(daemon, {V4: [TOR_V4], V6: [TOR_V6]})
        daemon.manifest('web', service('web', [V4, V6]), service('denied', [DENIED], selector={'app': 'web'}), pod('web-1', 'web'))
        wait_until(lambda: daemon.states() == UP, 10, 'it to be announced', 0.02)
        return why in daemon.command('why', DENIED).stdout

    wait_until(asked_at_once, 30, 'a machine that asks within a second')
    wait_until(lambda: 'a route-map may deny it' in daemon.command('why', DENIED).stdout, 15, 'a later answer')


def test_a_session_goes_down(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    lab.tor.configure('router bgp 65000', f'neighbor {NODE_V4} shutdown')
    try:
        wait_until(lambda: states(daemon)[TOR_V4] != 'Established', 15, 'the session to be down', explain=lambda: states(daemon))
        wait_told(daemon, {**SENT, V4: []})
        assert daemon.metric(f'bgp_neighbor_up{{neighbor="{TOR_V4}",family="ipv4"}}') == 0
    finally:
        lab.tor.configure('router bgp 65000', f'no neighbor {NODE_V4} shutdown')
    wait_told(daemon, SENT, 30)


def test_a_bgpd_that_does_not_answer(lab: Callable[..., Lab], cosmolet: Path, tmp_path: Path) -> None:
    """Costs the freshness of what is told of it, and nothing else: zebra still gets every change at once."""
    network = lab()
    daemon = verifying(network, tmp_path)
    try:
        daemon.start()
        wait_told(daemon, TOLD)
        network.node.kill('bgpd')
        wait_until(lambda: daemon.status()['bgp'].get('error'), 15, 'the error')
        assert daemon.states() == UP and daemon.get('/readyz')[0] == 200
        network.node.start('bgpd')
        wait_until(lambda: not daemon.status()['bgp'].get('error'), 15, 'an answer')
        wait_told(daemon, TOLD, 30)
        stopped(network, daemon)
    finally:
        daemon.close()


def stopped(network: Lab, daemon: Cosmolet) -> None:
    """It is asked again after minutes only; that it then is, test_bgpview.c shows."""
    network.node.signal('bgpd', signal.SIGSTOP)
    try:
        daemon.manifest('more', service('more', ['10.96.0.77'], selector={'app': 'web'}))
        daemon.wait_states({**UP, '10.96.0.77': 'announced'}, 2)
        wait_until(lambda: daemon.status()['bgp'].get('error') == 'bgpd does not answer', 15, 'the error',
                   explain=lambda: daemon.status()['bgp'])
        assert daemon.metric('bgp_age_seconds') > 2
        assert told(daemon)[V4] == [TOR_V4]  # as it was last told
        assert 's ago; bgpd does not answer' in daemon.command('status').stdout
        (daemon.manifests / 'more.json').unlink()
        daemon.wait_states(UP, 2)
    finally:
        network.node.signal('bgpd', signal.SIGCONT)


@pytest.mark.parametrize('by', ['name', 'number'])
def test_vrf(lab: Callable[..., Lab], cosmolet: Path, tmp_path: Path, by: str) -> None:
    """zebra numbers VRFs, bgpd has names of them alone."""
    network = lab(vrf='red')
    number = re.search(r'^vrf red id (\d+) ', network.node.vty('zebra', 'show vrf'), re.M)
    assert number
    daemon = verifying(network, tmp_path, announce={'redistribute': 'static', 'tag': 4711, 'vrf': 'red' if by == 'name' else number[1]},
                       loopback={'mode': 'none'})
    try:
        daemon.start()
        wait_told(daemon, TOLD)
    finally:
        daemon.close()
