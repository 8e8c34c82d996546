"""A node that is to be left in peace: tagged first, then withdrawn, and back when the reason is gone."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import NODE, Cosmolet, pod, service
from lab import COMMUNITY, DEGRADED_COMMUNITY, DEGRADED_TAG, Lab

V4, V6 = '10.96.0.1', 'fd00:96::1'
WEB = {f'{V4}/32', f'{V6}/128'}
UP = {V4: 'announced', V6: 'announced'}
DOWN = {V4: 'down', V6: 'down'}
SECONDS = 5


def node(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': NODE, 'annotations': annotations or {}}, 'spec': spec}


DRAIN = node({'cosmolet.platformbuilds.io/drain': 'true'})


@pytest.fixture
def world(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[tuple[Lab, Cosmolet]]:
    made = lab()
    daemon = Cosmolet(made.node, tmp_path, announce={'drain_tag': DEGRADED_TAG, 'drain_seconds': SECONDS})
    daemon.manifest('node', node())
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    daemon.start()
    made.tor.wait_for(WEB)
    daemon.wait_states(UP)
    yield made, daemon
    daemon.close()


def climb(lab: Lab, daemon: Cosmolet, begin: Callable[[], Any]) -> None:
    """Both rungs, and the time between them: the second one cannot be seen too early, whoever is late."""
    mark = time.time()
    begin()
    lab.tor.wait_for(lambda t: set(t) == WEB and {r.communities for r in t.values()} == {frozenset({DEGRADED_COMMUNITY})}, timeout=1.5)
    assert daemon.status()['drain'] == 'tagged'
    assert daemon.metric('vips{state="draining"}') == 2 and daemon.metric('vips{state="announced"}') == 0
    lab.tor.wait_for(set())
    assert all(e.time > mark + SECONDS for e in lab.tor.events(mark, ['withdraw']))
    daemon.wait_states(DOWN)
    assert daemon.status()['drain'] == 'withdrawn'
    assert 'the node is drained' in daemon.command('why', V4).stdout
    assert daemon.get('/readyz')[0] == 200


def wait_back(lab: Lab, daemon: Cosmolet) -> None:
    lab.tor.wait_for(lambda t: set(t) == WEB and {r.communities for r in t.values()} == {frozenset({COMMUNITY})})
    daemon.wait_states(UP)
    assert daemon.status()['drain'] == 'none'


def test_annotation(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    mark = time.time()
    climb(lab, daemon, lambda: daemon.manifest('node', DRAIN))
    assert [e.kind for e in lab.tor.events(mark)] == ['announce'] * 2 + ['withdraw'] * 2
    assert 'drained (withdrawn): the node\'s annotation' in daemon.command('status').stdout
    assert 'cosmolet_drain_state{state="withdrawn",trigger="' in daemon.get('/metrics')[1]

    # A restart does not announce what it would have to withdraw again.
    assert daemon.stop() == 0
    mark = time.time()
    daemon.start()
    daemon.wait_states(DOWN)
    time.sleep(0.5)
    assert lab.tor.events(mark) == []

    # The reason goes, and comes back before the ladder is at its end: no withdrawal at all.
    daemon.manifest('node', node())
    wait_back(lab, daemon)
    mark = time.time()
    daemon.manifest('node', DRAIN)
    lab.tor.wait_for(lambda t: {r.communities for r in t.values()} == {frozenset({DEGRADED_COMMUNITY})})
    daemon.manifest('node', node())
    wait_back(lab, daemon)
    time.sleep(SECONDS)
    assert {e.kind for e in lab.tor.events(mark)} == {'announce'} and daemon.states() == UP


def test_a_reload_goes_on_with_it(world: tuple[Lab, Cosmolet]) -> None:
    """The parts are made anew while all is tagged: that is neither the end of the ladder nor a new beginning."""
    lab, daemon = world
    daemon.settings['announce']['drain_seconds'] = 6
    daemon.write_config()
    daemon.wait_log('msg=changed', 'announce.drain_seconds')
    mark = time.time()
    daemon.manifest('node', DRAIN)
    lab.tor.wait_for(lambda t: {r.communities for r in t.values()} == {frozenset({DEGRADED_COMMUNITY})})
    time.sleep(3)
    reloaded = time.time()
    daemon.settings['frr']['stale_seconds'] = 77
    daemon.write_config()
    daemon.wait_log('msg=connected', 'room=zapi', more_than=1)
    daemon.wait_states(UP)
    assert daemon.status()['drain'] == 'tagged' and set(lab.tor.services()) == WEB
    lab.tor.wait_for(set())
    assert all(e.time > mark + 6 and e.time < reloaded + 6 for e in lab.tor.events(mark, ['withdraw']))


def test_signal_taint_and_cordon(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    assert daemon.process
    climb(lab, daemon, lambda: daemon.process.send_signal(signal.SIGUSR1))
    daemon.process.send_signal(signal.SIGUSR2)
    wait_back(lab, daemon)
    climb(lab, daemon, lambda: daemon.manifest('node', node(taints=[{'key': 'ToBeDeletedByClusterAutoscaler', 'effect': 'NoSchedule'}])))
    daemon.manifest('node', node(unschedulable=True))  # a cordon drains only where that is asked for
    wait_back(lab, daemon)
    daemon.settings['announce']['drain_on'] = ['cordon']
    climb(lab, daemon, daemon.write_config)


def test_the_node_is_deleted(world: tuple[Lab, Cosmolet]) -> None:
    """A Node without finalizers goes at once, without a word before; and what was drained before it stays so."""
    lab, daemon = world
    climb(lab, daemon, lambda: daemon.manifest('node'))
    assert 'the node was deleted' in daemon.command('status').stdout
    # Also in a new life of the parts, which has never seen it.
    mark = time.time()
    daemon.settings['frr']['stale_seconds'] = 77
    daemon.write_config()
    daemon.wait_log('msg=changed', 'frr.stale_seconds')
    daemon.wait_ready()
    time.sleep(0.5)
    assert lab.tor.events(mark) == [] and daemon.status()['drain'] == 'withdrawn'
    daemon.manifest('node', node())
    wait_back(lab, daemon)
