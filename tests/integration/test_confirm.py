"""What zebra makes of our routes is what we show: shadowed, removed, refused by the kernel, and back again."""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import wait_until

V4, V6 = '10.96.0.1', 'fd00:96::1'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}
SOON = 1.5  # a second, and the time that asking takes
ROUTE_DELETE = {'7.5': 9, '8.4': 9, '10.3': 10, '10.7': 10}
TYPES = {'static': {'7.5': 3, '8.4': 3, '10.3': 4, '10.7': 4}, 'openfabric': {'7.5': 26, '8.4': 26, '10.3': 27, '10.7': 27}}


@pytest.fixture
def start(cosmolet: Path, lab: Callable[..., Lab], frr_release: str, tmp_path: Path) -> Any:
    daemons = []

    def make(word: str, before: Callable[[Lab], object] = lambda lab: None, **settings: Any) -> tuple[Lab, Cosmolet]:
        made = lab(node=frr_release, word=word)
        before(made)
        daemon = Cosmolet(made.node, tmp_path, word=word, **settings)
        daemons.append(daemon)
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        return made, daemon.start()

    yield make
    for daemon in daemons:
        daemon.close()


def failures(daemon: Cosmolet) -> int:
    line = next(line for line in daemon.get('/metrics')[1].splitlines() if line.startswith('cosmolet_route_failures_total '))
    return int(line.split()[1])


def note(daemon: Cosmolet, address: str) -> str:
    return next(a for a in daemon.status()['addresses'] if a['address'] == address).get('note', '')


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_shadowed(start: Any, word: str) -> None:
    """Another route wins: shown within a second with its name, and over as soon as it goes."""
    lab, daemon = start(word)
    lab.tor.wait_for(WEB)
    daemon.wait_states(UP)
    ip = ['ip', '-6'] if word == 'static' else ['ip']
    prefix, address = (f'{V6}/128', V6) if word == 'static' else (f'{V4}/32', V4)
    rivals = {
        'kernel': lambda verb: lab.node.run([*ip, 'route', verb, prefix, 'dev', 'uplink'], check=True),
        'connected': lambda verb: lab.node.run(['ip', 'address', verb, prefix, 'dev', 'lo'], check=True),
    }
    if word == 'openfabric':
        rivals['static'] = lambda verb: lab.node.configure(f'{"no " if verb == "del" else ""}ip route {prefix} blackhole 5')
    for n, (name, act) in enumerate(rivals.items(), 1):
        act('add')
        wait_until(lambda: daemon.states()[address] == 'rejected', SOON, f'{name} to be noticed', explain=daemon.tail)
        wait_until(lambda: f'zebra has: {name}' in note(daemon, address), SOON, f'{name} to be named',
                   explain=lambda: note(daemon, address))
        assert failures(daemon) == n
        assert f'zebra has: {name}' in daemon.command('why', address).stdout
        act('del')
        wait_until(lambda: daemon.states() == UP, SOON, f'the end of {name}', explain=daemon.tail)
        assert note(daemon, address) == ''
    lab.tor.wait_for(WEB)


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_shadowed_from_the_start(start: Any, word: str) -> None:
    """zebra says nothing of a route that never won (7.5 and 8.4; with static all of them); its silence is understood."""
    lab, daemon = start(word, before=lambda lab: lab.node.run(['ip', 'route', 'add', f'{V4}/32', 'dev', 'uplink'], check=True))
    wait_until(lambda: 'zebra has: kernel' in note(daemon, V4), 5, 'the silence to be understood', explain=daemon.tail)
    assert daemon.states() == {V4: 'rejected', V6: 'announced'}
    lab.node.run(['ip', 'route', 'del', f'{V4}/32', 'dev', 'uplink'], check=True)
    wait_until(lambda: daemon.states() == UP, SOON, 'the end of it', explain=daemon.tail)
    lab.tor.wait_for(WEB)


def delete_as_somebody(lab: Lab, release: str, word: str, *addresses: str) -> None:
    """What any program with access to zebra's socket can do to us: no HELLO, one ROUTE_DELETE for each."""
    with socket.socket(socket.AF_UNIX) as zebra:
        zebra.connect(str(lab.node.zserv))
        for text in addresses:
            address = ipaddress.ip_address(text)
            body = struct.pack('!BHIIBBB', TYPES[word][release], 0, 0, 0, 1, socket.AF_INET if address.version == 4 else
                               socket.AF_INET6, address.max_prefixlen) + address.packed
            zebra.sendall(struct.pack('!HBBIH', 10 + len(body), 254, 6, 0, ROUTE_DELETE[release]) + body)
        time.sleep(0.1)  # zebra drops what it has not read when the other side hangs up


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_removed_by_somebody(start: Any, frr_release: str, word: str) -> None:
    lab, daemon = start(word)
    lab.tor.wait_for(WEB)
    daemon.wait_states(UP)
    sent = messages_out(daemon)
    delete_as_somebody(lab, frr_release, word, V4, V6)
    # Both are back before bgpd has told the ToR that they were gone, or soon after.
    wait_until(lambda: messages_out(daemon) > sent and daemon.states() == UP, SOON, 'both to be back', explain=daemon.tail)
    for address in (V4, V6):
        assert len(daemon.log_lines('level=warn', 'zebra does not use our route', address)) == 1
    lab.tor.wait_for(WEB)

    # Whoever keeps doing it is not fought at full speed: one answer a second.
    before = daemon.status()['zebra']['connects']
    sent = messages_out(daemon)
    for _ in range(30):
        delete_as_somebody(lab, frr_release, word, V4)
    assert messages_out(daemon) - sent < 30
    wait_until(lambda: set(lab.tor.services()) == WEB and daemon.states() == UP, 3, 'it to be back', explain=daemon.tail)
    assert daemon.status()['zebra']['connects'] == before


def messages_out(daemon: Cosmolet) -> int:
    line = next(line for line in daemon.get('/metrics')[1].splitlines() if 'zapi_messages_total{direction="out"}' in line)
    return int(line.split()[1])


def test_the_kernel_refuses(start: Any) -> None:
    """A nexthop that the kernel does not take, for one family: told, tried again, and taken when that is over."""
    def set_ipv6(lab: Lab, on: bool) -> None:
        lab.node.run(['sysctl', '-qw', f'net.ipv6.conf.lo.disable_ipv6={int(not on)}'], check=True)

    lab, daemon = start('openfabric', before=lambda lab: set_ipv6(lab, False), loopback={'mode': 'none'},
                        announce={'redistribute': 'openfabric', 'tag': 4711, 'nexthop': 'lo'})
    lab.tor.wait_for({f'{V4}/32'})
    wait_until(lambda: daemon.states() == {V4: 'announced', V6: 'rejected'}, 5, 'the refusal to be shown', explain=daemon.tail)
    set_ipv6(lab, True)
    lab.tor.wait_for(WEB, timeout=15)
    wait_until(lambda: daemon.states() == UP, SOON, 'both to be announced', explain=daemon.tail)
