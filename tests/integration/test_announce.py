"""A service address's way from a manifest to the ToR and back, on every release of FRR."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable

import pytest
from cosmolet import Cosmolet, pod, service
from lab import COMMUNITY, OPERATOR_COMMUNITY, OPERATOR_ROUTES, Lab
from sandbox import wait_until

N = 100
FOREIGN = '203.0.113.99'
WORDS = ('static', 'openfabric')


def v4(i: int) -> str:
    return f'10.96.{i // 250}.{i % 250 + 1}'


def v6(i: int) -> str:
    return f'fd00:96::{i + 1:x}'


def prefixes(*indexes: int) -> set[str]:
    return {p for i in indexes for p in (f'{v4(i)}/32', f'{v6(i)}/128')}


def write_services(daemon: Cosmolet, n: int = N) -> None:
    daemon.manifest('services', *(service(f's{i}', [v4(i), v6(i)]) for i in range(n)))
    for i in range(n):
        daemon.manifest(f'pod-{i}', pod(f'p{i}', f's{i}'))


def operator_state(lab: Lab) -> Any:
    """What belongs to others: static routes at the ToR and in the node's configuration, addresses on lo."""
    table = lab.tor.table()
    return ({p: table.get(p) for p in OPERATOR_ROUTES}, lab.node.vtysh('show running-config'),
            sorted((a['local'], a['prefixlen']) for a in lab.node.addresses('lo')))


@pytest.fixture(params=WORDS)
def setup(request: pytest.FixtureRequest, cosmolet: Path, lab: Callable[..., Lab], frr_release: str,
          tmp_path: Path) -> Any:
    """A lab whose operator has routes and a foreign address of his own, and a cosmolet that is not started."""
    made = lab(node=frr_release, word=request.param)
    made.node.run(['ip', 'address', 'add', f'{FOREIGN}/32', 'dev', 'lo'])
    daemon = Cosmolet(made.node, tmp_path, word=request.param)
    yield made, daemon
    daemon.close()


def test_the_whole_way(setup: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = setup
    everything = prefixes(*range(N))
    before = operator_state(lab)

    # In: a hundred services of both families, with the community of the operator's route-map.
    write_services(daemon)
    daemon.start()
    table = lab.tor.wait_for(everything)
    assert {route.communities for route in table.values()} == {frozenset({COMMUNITY})}

    def confirmed() -> bool:
        status = daemon.status()
        return {a['state'] for a in status['addresses']} == {'announced'} and status['zebra']['redistributed'] == 2 * N

    wait_until(confirmed, 20, 'zebra to have confirmed all of them', explain=daemon.tail)

    # One pod fails: exactly its addresses leave, and nothing else is even updated.
    mark = time.time()
    daemon.manifest('pod-7', pod('p7', 's7', ready=False))
    lab.tor.wait_for(everything - prefixes(7))
    assert {(e.kind, e.prefix) for e in lab.tor.events(mark)} == {('withdraw', p) for p in prefixes(7)}
    daemon.wait_states({**{v4(i): 'announced' for i in range(N)}, **{v6(i): 'announced' for i in range(N)},
                        v4(7): 'down', v6(7): 'down'})
    assert v4(7) not in bound(lab)
    mark = time.time()
    daemon.manifest('pod-7', pod('p7', 's7'))
    lab.tor.wait_for(everything)
    assert {(e.kind, e.prefix) for e in lab.tor.events(mark)} == {('announce', p) for p in prefixes(7)}

    # What went away while it was dead is removed at the start, and nothing else.
    daemon.kill()
    mark = time.time()
    daemon.manifest('pod-3', pod('p3', 's3', ready=False))
    time.sleep(1.5)
    daemon.start()
    lab.tor.wait_for(everything - prefixes(3))
    assert {(e.kind, e.prefix) for e in lab.tor.events(mark)} == {('withdraw', p) for p in prefixes(3)}
    wait_unbound(lab, v4(3))

    # Everything away by hand; what belongs to others is as it was.
    daemon.kill()
    time.sleep(1.5)
    done = daemon.command('withdraw', '--config', str(daemon.config))
    assert done.returncode == 0, done.stderr
    lab.tor.wait_for(set())
    assert bound(lab) == set()
    assert operator_state(lab) == before
    assert before[0][OPERATOR_ROUTES[0]] is None or OPERATOR_COMMUNITY in before[0][OPERATOR_ROUTES[0]].communities


def bound(lab: Lab) -> set[str]:
    """Local routes that carry our protocol number."""
    return {r['dst'] for r in lab.node.routes('local') if str(r.get('protocol')) == '237'}


def wait_unbound(lab: Lab, address: str) -> None:
    deadline = time.monotonic() + 5
    while address in bound(lab):
        assert time.monotonic() < deadline, f'{address} is still bound'
        time.sleep(0.05)
