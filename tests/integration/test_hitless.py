"""cosmolet dies, stops, is upgraded, and comes back, or does not: what the ToR notices, and what is left behind.

On every release of FRR; a thousand addresses of each family, and not one update may reach the ToR.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import OPERATOR_ROUTES, Lab
from sandbox import wait_until

N = 1000
WORDS = ('static', 'openfabric')
TABLE = 200


def v4(i: int) -> str:
    return f'10.96.{i // 250}.{i % 250 + 1}'


def v6(i: int) -> str:
    return f'fd00:96::{i + 1:x}'


def prefixes(n: int) -> set[str]:
    return {p for i in range(n) for p in (f'{v4(i)}/32', f'{v6(i)}/128')}


def write_services(daemon: Cosmolet, n: int) -> None:
    daemon.manifest('services', *(service(f's{i}', [v4(i), v6(i)], selector={'app': 'web'}) for i in range(n)))
    daemon.manifest('pod', pod('web-1', 'web'))


def wait_announced(daemon: Cosmolet, n: int) -> None:
    """Until zebra has confirmed everything, in this life of the daemon."""
    def confirmed() -> bool:
        status = daemon.status()
        return (status['zebra']['redistributed'] == status['states']['announced'] == 2 * n
                and len(status['addresses']) == 2 * n)

    daemon.wait_ready()
    wait_until(confirmed, 20, f'{2 * n} announced addresses',
               explain=lambda: f'{daemon.status()["zebra"]} {daemon.status()["states"]}\n{daemon.tail()}')


@pytest.fixture(scope='module')
def network(frr_release: str) -> Iterator[Lab]:
    words = [*WORDS, f'table-direct {TABLE}'] if frr_release.startswith('10') else WORDS
    with Lab(node=frr_release, word=','.join(words)) as made:
        yield made


@pytest.fixture
def make(network: Lab, cosmolet: Path, tmp_path: Path) -> Iterator[Callable[..., Cosmolet]]:
    """Makes the daemon of a test; whatever it leaves is taken away."""
    daemons = []

    def build(word: str, **settings: Any) -> Cosmolet:
        daemons.append(Cosmolet(network.node, tmp_path / word, word=word, **settings))
        return daemons[-1]

    yield build
    for daemon in daemons:
        daemon.close()
        assert daemon.command('withdraw', '--config', str(daemon.config)).returncode == 0
    network.tor.wait_for(set())


def test_ignorance_outlasts_the_stale_time(make: Callable[..., Cosmolet], network: Lab) -> None:
    """Killed, and back without knowing what is wanted: zebra, which forgets a client after a time, must not sweep its routes."""
    daemon = make('openfabric', frr={'stale_seconds': 5})
    write_services(daemon, 3)
    daemon.start()
    wait_announced(daemon, 3)
    network.tor.wait_for(prefixes(3))
    time.sleep(5.5)  # zebra counts whole seconds: what came in the last one is not swept
    mark = time.time()
    daemon.kill()
    write_services(daemon, 2)
    daemon.settings['announce'] = {**daemon.settings['announce'], 'wait_for': 'http://127.0.0.1:10256/healthz'}
    daemon.write_config()
    daemon.start(ready=False)
    time.sleep(8)
    assert network.tor.events(mark) == []
    del daemon.settings['announce']['wait_for']
    daemon.write_config()
    wait_announced(daemon, 2)
    network.tor.wait_for(prefixes(2))
    assert {(e.kind, e.prefix) for e in network.tor.events(mark)} == {('withdraw', p) for p in prefixes(3) - prefixes(2)}


@pytest.mark.parametrize('word', WORDS)
def test_nobody_notices(make: Callable[..., Cosmolet], network: Lab, tmp_path: Path, word: str) -> None:
    daemon = make(word)
    write_services(daemon, N)
    daemon.start()
    wait_announced(daemon, N)
    network.tor.wait_for(prefixes(N))
    # So many of our own are announced without zebra's feed, which then shows all of them.
    assert (daemon.total('zapi_messages_total', 'type="redistribute_delete"') > 0) == (word == 'openfabric')
    zebra = network.node.pids['zebra']
    mark = time.time()

    daemon.kill()
    daemon.start()
    wait_announced(daemon, N)

    assert daemon.stop() == 0
    daemon.start()
    wait_announced(daemon, N)

    # Upgraded: another file.
    assert daemon.stop() == 0
    daemon.binary = Path(shutil.copy(daemon.binary, tmp_path / 'cosmolet-next'))
    daemon.start()
    wait_announced(daemon, N)

    # Killed amid its start: while it waits, learns and sends everything again.
    for seconds in (0.05, 1.02, 1.06, 1.1):
        daemon.kill()
        daemon.start(ready=False)
        time.sleep(seconds)
    wait_announced(daemon, N)

    time.sleep(1)  # for what must not come
    assert network.tor.events(mark) == []
    assert set(network.tor.services()) == prefixes(N)
    assert network.node.pids['zebra'] == zebra


def operator_state(lab: Lab) -> Any:
    """Routes that belong to others, as the ToR, zebra and the kernel have them."""
    table = lab.tor.table()
    return ({p: table.get(p) for p in OPERATOR_ROUTES}, lab.node.vtysh('show running-config'),
            sorted((r['dst'], str(r.get('protocol'))) for r in lab.node.routes() if r['dst'] in OPERATOR_ROUTES))


def in_kernel(lab: Lab) -> set[str]:
    """Service addresses in any table of the kernel's, bound ones included."""
    ours = {v4(i) for i in range(N)} | {v6(i) for i in range(N)}
    return {r['dst'].split('/')[0] for r in lab.node.routes('all')} & ours


def test_nobody_returns(make: Callable[..., Cosmolet], network: Lab, frr_release: str) -> None:
    """What a cosmolet that is gone for good leaves behind goes in time where zebra sweeps, and by hand everywhere."""
    stale = 2
    words = {'static': False, 'openfabric': frr_release != '10.3'}
    if frr_release.startswith('10'):
        words[f'table-direct {TABLE}'] = False  # zebra sweeps the main table only
    before = operator_state(network)
    for word, swept in words.items():
        mode = 'address' if word.startswith('table-direct') else 'local-route'
        daemon = make(word, frr={'stale_seconds': stale}, loopback={'mode': mode})
        write_services(daemon, 5)
        daemon.start()
        wait_announced(daemon, 5)
        network.tor.wait_for(prefixes(5))
        time.sleep(1)  # zebra counts in whole seconds, and never sweeps what was announced in the second of the death
        mark = time.time()
        daemon.kill()
        if swept:
            network.tor.wait_for(set(), timeout=stale + 2.5)
            events = network.tor.events(mark)
            assert sorted(e.prefix for e in events if e.kind == 'withdraw') == sorted(prefixes(5))
            assert min(e.time for e in events) - mark > stale - 0.5, 'it might have come back until then'
        else:
            time.sleep(stale + 2.5)
            assert network.tor.events(mark) == []
            assert set(network.tor.services()) == prefixes(5)
        assert len(in_kernel(network)) == 10, 'bound until somebody cleans up'

        done = daemon.command('withdraw', '--config', str(daemon.config))
        assert done.returncode == 0, done.stderr
        network.tor.wait_for(set())
        wait_until(lambda: not in_kernel(network), 5, 'an empty kernel', explain=lambda: str(in_kernel(network)))
        assert operator_state(network) == before
