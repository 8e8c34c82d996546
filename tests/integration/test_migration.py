"""What container/migration.md promises of the change from another announcer, as far as one node can show it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import COMMUNITY, NODE_AS, Lab
from sandbox import wait_until

VIPS = ('10.96.0.10', '10.96.0.11')
PREFIXES = {f'{vip}/32' for vip in VIPS}
Start = Callable[[str], tuple[Lab, Cosmolet]]


@pytest.fixture
def start(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[Start]:
    daemons: list[Cosmolet] = []

    def make(release: str) -> tuple[Lab, Cosmolet]:
        made = lab(node=release)
        daemons.append(Cosmolet(made.node, tmp_path))
        daemons[-1].manifest('web', service('web', list(VIPS)), pod('web-1', 'web'))
        return made, daemons[-1]

    yield make
    for each in daemons:
        each.close()


def shadow(daemon: Cosmolet, rival: str) -> str:
    """The shadow run of the guide; what `cosmolet status` says in it once zebra was asked whose route is there."""
    daemon.start('--dry-run')
    wait_until(lambda: daemon.status()['would']['announce'] == len(VIPS), 5, 'the plan', explain=daemon.tail)
    wait_until(lambda: daemon.command('status').stdout.count(f'zebra has: {rival}') == len(VIPS), 5, f'the {rival} routes',
               explain=lambda: daemon.command('status').stdout)
    shown = daemon.command('status').stdout
    assert f'it would announce {len(VIPS)} and withdraw 0 routes' in shown
    assert daemon.stop() == 0
    return shown


def bind(lab: Lab, verb: str) -> None:
    for vip in VIPS:
        lab.node.run(['ip', 'address', verb, f'{vip}/32', 'dev', 'lo'], check=True)


def test_from_the_original(start: Start, frr_release: str) -> None:
    """It wrote a network statement for each address that was on lo. Ours takes over, and no router loses the address for a moment."""
    lab, daemon = start(frr_release)
    networks = [f'network {prefix}' for prefix in sorted(PREFIXES)]
    look = ['bgp network import-check'] if frr_release == '7.5' else []  # whose answer has gaps, says the guide
    bind(lab, 'add')
    lab.node.configure(f'router bgp {NODE_AS}', 'address-family ipv4 unicast', *networks)
    lab.tor.wait_for(PREFIXES)
    mark = time.time()
    shadow(daemon, 'connected')
    assert lab.tor.events(mark) == []

    daemon.start()
    daemon.wait_states(dict.fromkeys(VIPS, 'rejected'))
    lab.node.configure(f'router bgp {NODE_AS}', *(f'no {line}' for line in look))
    bind(lab, 'del')
    daemon.wait_states(dict.fromkeys(VIPS, 'announced'))
    lab.node.configure(f'router bgp {NODE_AS}', 'address-family ipv4 unicast', *(f'no {network}' for network in networks),
                       'exit-address-family', *look)
    lab.tor.wait_for(lambda table: set(table) == PREFIXES and all(route.communities == {COMMUNITY} for route in table.values()))
    time.sleep(1)  # for what must not come
    assert [event for event in lab.tor.events(mark) if event.kind == 'withdraw'] == []


def test_from_one_that_binds(start: Start) -> None:
    """kube-vip puts the addresses on lo, where zebra prefers them to any route: ours wait until they go."""
    lab, daemon = start('8.4')
    bind(lab, 'add')
    shadow(daemon, 'connected')

    daemon.start()
    daemon.wait_states(dict.fromkeys(VIPS, 'rejected'))
    assert not set(lab.tor.services()) & PREFIXES
    assert {a['local'] for a in lab.node.addresses('lo')} >= set(VIPS)

    bind(lab, 'del')
    lab.tor.wait_for(PREFIXES)
    daemon.wait_states(dict.fromkeys(VIPS, 'announced'))
