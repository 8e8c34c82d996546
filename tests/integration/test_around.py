"""zebra stalled, killed, restarted in the wrong order; bgpd restarted; storms; a second one of us; a type that is taken.

On every release of FRR. What counts is what the ToR has at the end, and how little we did for it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab, Router
from sandbox import wait_until

V4, V6 = '10.96.0.1', 'fd00:96::1'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}
WORDS = ('static', 'openfabric')
LONG = bool(os.environ.get('COSMOLET_TEST_LONG'))
STALL = 30 if LONG else 4  # longer than anybody waits for a withdrawal
N = 250  # services that flip, of both families


@pytest.fixture(scope='module')
def network(frr_release: str) -> Iterator[Lab]:
    with Lab(node=frr_release, word=','.join(WORDS)) as made:
        yield made


@pytest.fixture(params=WORDS)
def daemon(request: pytest.FixtureRequest, network: Lab, cosmolet: Path, tmp_path: Path) -> Iterator[Cosmolet]:
    """Not started, with one service to announce; what it leaves is taken away."""
    made = Cosmolet(network.node, tmp_path, word=request.param)
    made.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    yield made
    made.close()
    assert made.command('withdraw', '--config', str(made.config)).returncode == 0
    network.tor.wait_for(set())


def start(daemon: Cosmolet, network: Lab) -> None:
    daemon.start()
    daemon.wait_states(UP)
    network.tor.wait_for(WEB)


def flips(i: int) -> tuple[str, str]:
    return f'10.97.{i // 250}.{i % 250 + 1}', f'fd00:97::{i + 1:x}'


FLIPS = {p for i in range(N) for p in (f'{flips(i)[0]}/32', f'{flips(i)[1]}/128')}


def bound(network: Lab) -> set[str]:
    return {r['dst'] for r in network.node.routes('local') if str(r.get('protocol')) == '237'}


def resident(daemon: Cosmolet) -> int:
    assert daemon.process
    return int(Path(f'/proc/{daemon.process.pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGESIZE')


# Storms

def waited(task: str) -> float:
    """Seconds for which a task was ready to run, and had no processor."""
    return int(Path(f'/proc/{task}/schedstat').read_text().split()[1]) / 1e9


class Pulse:
    """Asks for /livez all the time, and knows the longest that it had to wait, but for processors that others had."""

    def __init__(self, daemon: Cosmolet) -> None:
        self.worst, self.n = 0.0, 0
        self._daemon, self._over = daemon, threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def _beat(self) -> None:
        assert self._daemon.process
        tasks = 'thread-self', str(self._daemon.process.pid)
        while not self._over.wait(0.05):
            asked, before = time.monotonic(), sum(map(waited, tasks))
            alive = self._daemon.get('/livez')[0] == 200
            took = time.monotonic() - asked - (sum(map(waited, tasks)) - before)
            self.worst = max(self.worst, took if alive else 60)
            self.n += 1

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def test_zebra_stalls_in_a_storm(daemon: Cosmolet, network: Lab) -> None:
    """zebra reads nothing for a while, and all addresses flip many times: only where they end up is sent."""
    daemon.manifest('flips', *(service(f'f{i}', list(flips(i)), selector={'app': 'flip'}) for i in range(N)))
    daemon.manifest('flip', pod('flip-1', 'flip'))
    daemon.start()
    network.tor.wait_for(WEB | FLIPS)
    wait_until(lambda: daemon.status()['states']['announced'] == 2 * N + 2, 10, 'everything to be announced')
    memory, sent, n, queue = resident(daemon), daemon.sent(), 0, 0
    ready = True

    network.node.signal('zebra', signal.SIGSTOP)
    try:
        with Pulse(daemon) as pulse:
            until = time.monotonic() + STALL
            daemon.manifest('web')  # withdrawn once and for all
            while time.monotonic() < until or ready:
                ready = not ready
                daemon.manifest('flip', pod('flip-1', 'flip', ready=ready))
                wait_until(lambda: daemon.states()[flips(0)[0]] != ('announced' if not ready else 'withdrawing'), 5, 'the flip')
                queue = max(queue, daemon.status()['zebra']['queue_bytes'])
                n += 1
                time.sleep(0.02)
            ready = False
            daemon.manifest('flip', pod('flip-1', 'flip', ready=ready))
            wait_until(lambda: daemon.states()[flips(0)[0]] in ('withdrawing', 'down'), 5, 'the last flip')
            time.sleep(0.2)
            assert V4 in bound(network), 'bgpd still announces it, so it must be served'
    finally:
        network.node.signal('zebra', signal.SIGCONT)
    assert n >= 10 and pulse.n > STALL
    assert pulse.worst < 1, f'/livez took {pulse.worst:.2f} s'
    assert queue <= 1 << 17
    assert resident(daemon) - memory < 8 << 20

    network.tor.wait_for(set(), timeout=20)
    wait_until(lambda: not bound(network), 5, 'everything to be unbound')
    daemon.wait_states({a: 'down' for i in range(N) for a in flips(i)})
    assert daemon.sent() - sent < 4 * 2 * N, f'{n} flips of {2 * N} addresses'


def test_pods_flip_in_a_second(daemon: Cosmolet, network: Lab) -> None:
    start(daemon, network)
    for _ in range(20):  # a storm that the machine slows down is none, and comes again
        sent, mark = daemon.sent(), time.monotonic()
        for i in range(200):
            daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web', ready=i % 2 == 1))
            time.sleep(max(0.0, mark + (i + 1) * 0.004 - time.monotonic()))
        took = time.monotonic() - mark
        daemon.wait_states(UP)
        network.tor.wait_for(WEB)
        time.sleep(1)
        assert set(network.tor.services()) == WEB and daemon.states() == UP
        if took < 2:
            break
    assert took < 2
    assert daemon.sent() - sent <= 400 / 2, 'there were 400 changes'


# Other daemons of FRR

def test_bgpd_restarted(daemon: Cosmolet, network: Lab) -> None:
    """zebra tells a new bgpd everything: there is nothing to do, and nothing is done."""
    start(daemon, network)
    time.sleep(1)  # until zebra's answers are all in, and looked at
    before = daemon.sent(), daemon.status()['zebra']['connects']
    for stop in (network.node.stop, network.node.kill):
        mark = time.time()
        stop('bgpd')
        wait_until(lambda: network.tor.events(mark, ['down']), 15, 'the ToR to miss the node')
        network.node.start('bgpd')
        network.tor.wait_for(WEB, timeout=20)
        assert daemon.states() == UP
    assert (daemon.sent(), daemon.status()['zebra']['connects']) == before


def test_zebra_killed_and_all_restarted(daemon: Cosmolet, network: Lab) -> None:
    """As watchfrr does it: zebra dies, the others are stopped, and all are started. Meanwhile the world goes on."""
    daemon.manifest('old', service('old', ['10.96.1.1', 'fd00:96:1::1']), pod('old-1', 'old'))
    daemon.start()
    network.tor.wait_for(WEB | {'10.96.1.1/32', 'fd00:96:1::1/128'})
    network.node.kill('zebra')
    daemon.wait_log('no connection to zebra')
    daemon.manifest('old')
    daemon.manifest('new', service('new', ['10.96.2.1', 'fd00:96:2::1']), pod('new-1', 'new'))
    network.node.stop_all()
    network.node.start_all()
    wanted = WEB | {'10.96.2.1/32', 'fd00:96:2::1/128'}
    network.tor.wait_for(wanted, timeout=30)
    daemon.wait_states({**UP, '10.96.2.1': 'announced', 'fd00:96:2::1': 'announced'}, timeout=30)
    wait_until(lambda: bound(network) == {p.split('/')[0] for p in wanted}, 5, 'the old ones to be unbound')
    time.sleep(1)
    assert set(network.tor.services()) == wanted
    kernel = {r['dst'].split('/')[0] for r in network.node.routes()}
    assert not kernel & {'10.96.1.1', 'fd00:96:1::1'}


# Others like us

def test_second_cosmolet(daemon: Cosmolet, network: Lab, tmp_path: Path) -> None:
    start(daemon, network)
    sent, mark, zebra = daemon.sent(), time.time(), network.node.pids['zebra']
    for word in WORDS:
        second = Cosmolet(network.node, tmp_path / word, word=word, http={'listen': '127.0.0.1:9475'})
        second.start(ready=False)
        assert second.process and second.process.wait(10) == 1
        assert len(second.log_lines('level=error', 'another cosmolet', str(network.node.zserv))) == 1
    assert (daemon.sent(), network.node.pids['zebra']) == (sent, zebra)
    assert daemon.states() == UP and network.tor.events(mark) == []


ISIS_HOST = '198.51.100.200'


def start_isisd(router: Router, link: str, n: int) -> None:
    router.start('isisd')
    router.configure('router isis CORE', 'lsp-gen-interval 1', 'spf-interval 1', 'is-type level-2-only',
                     f'net 49.0001.0000.0000.000{n}.00', 'interface lo', 'ip router isis CORE', 'isis passive',
                     f'interface {link}', 'ip router isis CORE', 'isis network point-to-point', 'isis hello-interval 1')


def test_type_with_a_daemon_of_its_own(lab: Callable[..., Lab], cosmolet: Path, frr_release: str, tmp_path: Path) -> None:
    """isisd runs on the node and has a route: the word isis is refused, and isisd's route is left alone."""
    made = lab(node=frr_release, word='isis')
    made.tor.run(['ip', 'address', 'add', f'{ISIS_HOST}/32', 'dev', 'lo'], check=True)
    start_isisd(made.tor, 'downlink', 2)
    start_isisd(made.node, 'uplink', 1)

    def learned() -> Any:
        return made.node.vtysh_json('show ip route isis json').get(f'{ISIS_HOST}/32')

    wait_until(learned, 30, "isisd's route", interval=0.2, explain=lambda: made.node.vtysh('show isis neighbor'))
    daemon = Cosmolet(made.node, tmp_path, word='isis')
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    daemon.start(ready=False)
    try:
        daemon.wait_log('level=warn', 'routes of type isis that are not ours', 'its own daemon runs')
        assert daemon.get('/readyz')[0] == 503 and set(daemon.states().values()) == {'pending'}
        assert daemon.command('withdraw', '--config', str(daemon.config)).returncode == 1
        assert daemon.stop() == 0
        time.sleep(0.2)
        assert learned() and made.tor.services() == {}
    finally:
        daemon.close()
