"""The sample configurations of container/frr, as they stand, on every release: what they promise is seen at the routers."""

from __future__ import annotations

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from fixtures import REPOSITORY
from lab import BGP, COMMON, NODE_AS, NODE_V4, NODE_V6, TOR_AS, TOR_V4, TOR_V6, Router, Tor, connect_routers
from sandbox import Sandbox, wait_until

KIT = REPOSITORY / 'container' / 'frr'
SERVED, LEAVING = '65001:100', 'gracefulShutdown'
V4, V6, FOREIGN = '10.96.0.1', 'fd00:96::1', '172.16.0.1'
WEB = {f'{V4}/32', f'{V6}/128'}
SECOND = ('192.0.2.5', '192.0.2.6', '2001:db8:0:1::1', '2001:db8:0:1::2')  # node and router, on the second link


def peer(name: str, own_as: int, own4: str, node4: str, node6: str, peer_as: int = NODE_AS, more: str = '', each: str = '') -> str:
    """A router that the node speaks to: it gives a default route, and writes down what it hears."""
    return COMMON.format(name=name) + 'debug bgp updates in\n' + BGP.format(
        own_as=own_as, vrf='', own4=own4, peer_as=peer_as, peer4=node4, peer6=node6, more=more,
        more4=f'  neighbor {node4} default-originate\n' + each.format(node4),
        more6=f'  neighbor {node6} default-originate\n' + each.format(node6))


class Network:
    """The node with a sample's configuration, and its routers."""

    def __init__(self, release: str, sample: str) -> None:
        self.sandbox = Sandbox()
        self.tors: list[Tor] = []
        self.leaf: Router | None = None
        self.node = Router(self.sandbox, 'node', release, (KIT / f'{sample}.conf').read_text())
        self.node.run(['ip', 'address', 'add', f'{NODE_V4}/32', 'dev', 'lo'], check=True)

    def add_tor(self, config: str, link: str, node: tuple[str, ...] = (), tor: tuple[str, ...] = ()) -> Tor:
        made = Tor(self.sandbox, '10.3', config, f'tor{len(self.tors)}')
        connect_routers((self.node.namespace, link, *node), (made.namespace, 'downlink', *tor))
        self.tors.append(made)
        return made

    def start(self) -> None:
        routers = [self.node, *self.tors, *([self.leaf] if self.leaf else [])]
        with ThreadPoolExecutor() as pool:
            list(pool.map(Router.start_all, routers))


def first_link(network: Network, config: str) -> None:
    network.add_tor(config, 'uplink', (f'{NODE_V4}/30', f'{NODE_V6}/64'), (f'{TOR_V4}/30', f'{TOR_V6}/64'))


def second_link(network: Network, config: str) -> None:
    node4, tor4, node6, tor6 = SECOND
    network.add_tor(config, 'uplink2', (f'{node4}/30', f'{node6}/64'), (f'{tor4}/30', f'{tor6}/64'))


def single_tor(network: Network) -> None:
    first_link(network, peer('tor0', TOR_AS, TOR_V4, NODE_V4, NODE_V6))


def dual_tor(network: Network) -> None:
    single_tor(network)
    second_link(network, peer('tor1', 65010, SECOND[1], SECOND[0], SECOND[2]))


def ibgp(network: Network) -> None:
    """Two reflectors, and behind the first one a router of the same AS: what that sees is what the network sees."""
    client = '  neighbor {0} route-reflector-client\n'
    leaf = ' neighbor 192.0.2.10 remote-as 65001\n neighbor 192.0.2.10 timers connect 1\n'
    first_link(network, peer('tor0', NODE_AS, TOR_V4, NODE_V4, NODE_V6, more=leaf,
                             each=client + '  neighbor 192.0.2.10 activate\n  neighbor 192.0.2.10 route-reflector-client\n'))
    second_link(network, peer('tor1', NODE_AS, SECOND[1], SECOND[0], SECOND[2], each=client))
    config = COMMON.format(name='leaf') + (
        'router bgp 65001\n bgp router-id 192.0.2.10\n no bgp default ipv4-unicast\n neighbor 192.0.2.9 remote-as 65001\n'
        ' neighbor 192.0.2.9 timers connect 1\n'
        + ''.join(f' address-family {family} unicast\n  neighbor 192.0.2.9 activate\n exit-address-family\n' for family in ('ipv4', 'ipv6')))
    network.leaf = Tor(network.sandbox, '10.3', config, 'leaf')
    connect_routers((network.tors[0].namespace, 'behind', '192.0.2.9/30'), (network.leaf.namespace, 'front', '192.0.2.10/30'))


def unnumbered(network: Network) -> None:
    config = COMMON.format(name='tor0') + 'debug bgp updates in\n' + (
        'router bgp 65000\n bgp router-id 192.0.2.2\n no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n'
        ' neighbor downlink interface remote-as external\n neighbor downlink timers connect 1\n'
        + ''.join(f' address-family {family} unicast\n  neighbor downlink activate\n  neighbor downlink default-originate\n'
                  ' exit-address-family\n' for family in ('ipv4', 'ipv6')))
    network.add_tor(config, 'uplink')


SAMPLES = {'single-tor': single_tor, 'dual-tor': dual_tor, 'ibgp-route-reflectors': ibgp, 'unnumbered': unnumbered}


@pytest.fixture
def network(request: pytest.FixtureRequest, frr_release: str) -> Iterator[Network]:
    made = Network(frr_release, request.param)
    try:
        SAMPLES[request.param](made)
        made.start()
        yield made
    finally:
        made.sandbox.close()


def routes(tor: Tor) -> dict[str, Any]:
    """What the node has told, that is without what the router itself originates."""
    return {prefix: route for prefix, route in tor.table().items() if prefix not in ('0.0.0.0/0', '::/0')}


def drained(tor: Tor) -> bool:
    """Everything is there, marked as leaving and the last to be chosen."""
    table = routes(tor)
    marks = {(route.communities, route.local_preference) for route in table.values()}
    return set(table) == WEB and marks == {(frozenset({SERVED, LEAVING}), 0)}


def uplinks(network: Network) -> set[str]:
    """The interfaces of the node's way out."""
    found = network.node.vtysh_json('show ip route 0.0.0.0/0 json').values()
    # A nexthop that zebra has not resolved yet has no interface.
    return {nexthop.get('interfaceName', '?') for entries in found for entry in entries for nexthop in entry['nexthops']}


@pytest.mark.parametrize('network', SAMPLES, indirect=True)
def test_sample(network: Network, cosmolet: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    sample = request.node.callspec.params['network']
    witnesses = [*network.tors, *([network.leaf] if network.leaf else [])]
    daemon = Cosmolet(network.node, tmp_path, announce={'on_stop': 'drain', 'drain_seconds': 5})
    daemon.manifest('web', service('web', [V4, V6, FOREIGN]), pod('web-1', 'web'))
    try:
        daemon.start()
        # Everybody hears of the services, marked; of an address outside the prefix lists nobody does, though zebra has it.
        for tor in witnesses:
            wait_until(lambda: set(routes(tor)) == WEB, 40, f'{tor.name}: the services',
                       explain=lambda: f'{routes(tor)}\n{network.node.tail()}')
            assert {route.communities for route in routes(tor).values()} == {frozenset({SERVED})}, tor.name
        daemon.wait_states({V4: 'announced', V6: 'announced', FOREIGN: 'announced'})
        # The node has its way out, by every router.
        wait_until(lambda: 'bgp' in network.node.vtysh('show ip route 0.0.0.0/0'), 10, 'a way out',
                   explain=lambda: network.node.vtysh('show bgp ipv4 unicast') + network.node.tail())
        if sample == 'dual-tor':
            wait_until(lambda: uplinks(network) == {'uplink', 'uplink2'}, 10, 'both ways out',
                       explain=lambda: f'{uplinks(network)}')
            # One of them fails: the other still has it all.
            network.tors[0].kill('bgpd')
            time.sleep(0.5)
            assert set(routes(network.tors[1])) == WEB
            witnesses = witnesses[1:]

        # A node that drains says so first (RFC 8326: local preference 0 at whoever honours it), and withdraws then.
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: all(drained(tor) for tor in witnesses), 10, 'all to hear of the drain', interval=0.01,
                   explain=lambda: f'{[routes(tor) for tor in witnesses]}')
        assert daemon.process.wait(20) == 0
        daemon.process = None
        for tor in witnesses:
            wait_until(lambda: routes(tor) == {}, 5, f'{tor.name}: nothing left', explain=lambda: f'{routes(tor)}')
    finally:
        daemon.close()


def test_weights(frr_release: str, cosmolet: Path, tmp_path: Path) -> None:
    """Two nodes with the weighted sample, three pods on one and one on the other: the ToR balances 3 : 1."""
    sandbox = Sandbox()
    sample = (KIT / 'weighted.conf').read_text()
    other = sample.replace('hostname node', 'hostname other')
    for old, new in ((NODE_V4, SECOND[0]), (TOR_V4, SECOND[1]), (TOR_V6, SECOND[3])):
        other = re.sub(rf'\b{old}(?![\d.:])', new, other)
    nodes = [Router(sandbox, 'node', frr_release, sample), Router(sandbox, 'other', frr_release, other)]
    neighbors = f' neighbor {SECOND[0]} remote-as {NODE_AS}\n neighbor {SECOND[2]} remote-as {NODE_AS}\n'
    if frr_release == '7.5':  # which has an integer there, see the sample
        neighbors += ''.join(f' neighbor {peer} disable-link-bw-encoding-ieee\n' for peer in (NODE_V4, NODE_V6, SECOND[0], SECOND[2]))
    config = COMMON.format(name='tor') + 'debug bgp updates in\n' + BGP.format(
        own_as=TOR_AS, vrf='', own4=TOR_V4, peer_as=NODE_AS, peer4=NODE_V4, peer6=NODE_V6, more=neighbors,
        more4=f'  neighbor {SECOND[0]} activate\n', more6=f'  neighbor {SECOND[2]} activate\n')
    tor = Tor(sandbox, '10.3', config, 'tor')
    connect_routers((nodes[0].namespace, 'uplink', f'{NODE_V4}/30', f'{NODE_V6}/64'),
                    (tor.namespace, 'down0', f'{TOR_V4}/30', f'{TOR_V6}/64'))
    connect_routers((nodes[1].namespace, 'uplink', f'{SECOND[0]}/30', f'{SECOND[2]}/64'),
                    (tor.namespace, 'down1', f'{SECOND[1]}/30', f'{SECOND[3]}/64'))
    daemons = []

    def share(prefix: str) -> float:
        """How much more goes to the first node than to the other."""
        family = 'ipv6' if ':' in prefix else 'ip'
        found = tor.vtysh_json(f'show {family} route {prefix} json').get(prefix, [])
        weights = {hop.get('interfaceName'): hop.get('weight') for route in found for hop in route['nexthops']}
        return weights['down0'] / weights['down1'] if weights.keys() == {'down0', 'down1'} and all(weights.values()) else 0

    def wait_share(prefix: str, wanted: float) -> None:
        wait_until(lambda: abs(share(prefix) - wanted) < 0.2, 40, f'{prefix} at {wanted} : 1',
                   explain=lambda: tor.vtysh(f'show bgp {"ipv6" if ":" in prefix else "ipv4"} unicast {prefix}') + tor.tail())

    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Router.start_all, [*nodes, tor]))
        for node, pods in zip(nodes, (3, 1)):
            daemon = Cosmolet(node, tmp_path / node.name, announce={'weight': 'tag', 'weight_limit': 4, 'drain_tag': 4799})
            daemon.manifest('web', service('web', [V4, V6]), *[pod(f'web-{i}', 'web') for i in range(pods)])
            daemons.append(daemon.start())
        for prefix in (f'{V4}/32', f'{V6}/128'):
            wait_share(prefix, 3)
        # A pod fails: two to one.
        daemons[0].manifest('web', service('web', [V4, V6]), *[pod(f'web-{i}', 'web', ready=i < 2) for i in range(3)])
        wait_share(f'{V4}/32', 2)
    finally:
        for daemon in daemons:
            daemon.close()
        sandbox.close()
