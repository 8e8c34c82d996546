"""Rise and fall delays, damping and the anchor, as the ToR sees them."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab, wait_until

PREFIX = 'cosmolet.platformbuilds.io/'
SLOW, FLAPPY, PLAIN = '10.96.1.1', '10.96.1.2', '10.96.1.3'
CONFIG = {
    'stability': {'anchor_percent': 50, 'anchor_seconds': 2, 'anchor_hold_seconds': 8},
    'classes': {
        'slow': {'rise_seconds': 5, 'fall_seconds': 5},
        # 750 * 2^(6/3) = 3000: suppressed for 6 s at the most.
        'flappy': {'damping_half_life_seconds': 3, 'damping_max_seconds': 6},
    },
}


def of_class(name: str, made: dict[str, Any]) -> dict[str, Any]:
    made['metadata']['annotations'] = {PREFIX + 'class': name}
    return made


def set_ready(daemon: Cosmolet, name: str, ready: bool) -> None:
    daemon.manifest(f'{name}-pod', pod(f'{name}-1', name, ready=ready))


def state(daemon: Cosmolet, address: str) -> str:
    return str(daemon.states()[address])


def why(daemon: Cosmolet, address: str) -> str:
    return daemon.get(f'/why?q={address}')[1]


def wait_held(daemon: Cosmolet, hold: str, n: int) -> None:
    wait_until(lambda: daemon.metric(f'vips_held{{hold="{hold}"}}') == n, 10, f'{n} to be held by {hold}', explain=daemon.tail)


def wait_state(daemon: Cosmolet, address: str, *states: str) -> None:
    wait_until(lambda: state(daemon, address) in states, 10, f'{address} to be {states}', explain=daemon.tail)


@pytest.fixture
def world(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[tuple[Lab, Cosmolet]]:
    made = lab()
    daemon = Cosmolet(made.node, tmp_path, **copy.deepcopy(CONFIG))
    daemon.manifest('slow', of_class('slow', service('slow', [SLOW])))
    daemon.manifest('flappy', of_class('flappy', service('flappy', [FLAPPY])))
    daemon.manifest('plain', service('plain', [PLAIN]))
    for name in ('slow', 'flappy', 'plain'):
        set_ready(daemon, name, True)
    daemon.start()
    made.tor.wait_for({f'{SLOW}/32', f'{FLAPPY}/32', f'{PLAIN}/32'})
    yield made, daemon
    daemon.close()


def test_a_start_knows_no_past(world: tuple[Lab, Cosmolet]) -> None:
    _, daemon = world
    daemon.wait_states(dict.fromkeys((SLOW, FLAPPY, PLAIN), 'announced'))
    assert daemon.metric('vip_holds_total{hold="rise"}') == 0


def test_a_short_illness_is_not_seen_and_a_long_one_is(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    since = time.time()
    set_ready(daemon, 'slow', False)
    wait_held(daemon, 'fall', 1)
    told = why(daemon, SLOW)
    assert f'{SLOW} is announced' in told and '0 of 1 pods on this node are ready' in told
    assert 'it is withdrawn when that has lasted for 5 s (fall_seconds)' in told
    set_ready(daemon, 'slow', True)
    wait_held(daemon, 'fall', 0)
    time.sleep(5.5)
    assert lab.tor.events(since) == []

    began = time.monotonic()
    set_ready(daemon, 'slow', False)
    lab.tor.wait_for({f'{FLAPPY}/32', f'{PLAIN}/32'}, timeout=15)
    assert time.monotonic() - began >= 5
    began = time.monotonic()
    set_ready(daemon, 'slow', True)
    wait_state(daemon, SLOW, 'rising')
    assert 'it is announced when that has lasted for 5 s (rise_seconds)' in why(daemon, SLOW)
    lab.tor.wait_for({f'{SLOW}/32', f'{FLAPPY}/32', f'{PLAIN}/32'}, timeout=15)
    assert time.monotonic() - began >= 5


def test_a_service_that_is_gone_is_not_waited_for(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    daemon.settings['classes']['slow']['fall_seconds'] = 60
    live_again(daemon)
    (daemon.manifests / 'slow.json').unlink()
    lab.tor.wait_for({f'{FLAPPY}/32', f'{PLAIN}/32'})


def test_what_flaps_is_suppressed_and_comes_back_by_itself(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    everything, rest = {f'{SLOW}/32', f'{FLAPPY}/32', f'{PLAIN}/32'}, {f'{SLOW}/32', f'{PLAIN}/32'}
    for _ in range(5):
        set_ready(daemon, 'flappy', False)
        lab.tor.wait_for(rest)
        set_ready(daemon, 'flappy', True)
        wait_state(daemon, FLAPPY, 'announced', 'suppressed')
        if state(daemon, FLAPPY) == 'suppressed':
            break
        lab.tor.wait_for(everything)
    assert state(daemon, FLAPPY) == 'suppressed'
    assert daemon.metric(f'vip_penalty{{address="{FLAPPY}"}}') > 750
    assert daemon.metric('vips{state="suppressed"}') == 1
    told = why(daemon, FLAPPY)
    assert f'{FLAPPY} is suppressed' in told and '1 of 1 pods on this node are ready' in told
    assert 'is down to 750 (damping_reuse)' in told
    lab.tor.wait_for(everything, timeout=8)


def test_the_anchor_holds_what_would_all_go_at_once(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    def set_all(ready: bool) -> None:
        daemon.manifest('pods', *[pod(f'a{i}-1', f'a{i}', ready=ready) for i in range(6)])

    rest = {f'{SLOW}/32', f'{FLAPPY}/32', f'{PLAIN}/32'}
    everything = rest | {f'10.96.2.{i}/32' for i in range(6)}
    daemon.manifest('services', *[service(f'a{i}', [f'10.96.2.{i}']) for i in range(6)])
    set_all(True)
    lab.tor.wait_for(everything)

    since = time.time()
    set_all(False)
    daemon.wait_log('level=warn', 'held by the anchor', 'going=6', 'announced=9', 'anchor_percent=50')
    assert daemon.metric('vips_held{hold="anchor"}') == 6
    assert 'too many addresses would go at once' in why(daemon, '10.96.2.5')
    set_all(True)
    wait_held(daemon, 'anchor', 0)
    assert lab.tor.events(since) == []

    began = time.monotonic()
    set_all(False)
    lab.tor.wait_for(rest, timeout=18)
    assert time.monotonic() - began >= 8
    daemon.wait_log('the anchor holds nothing any more', more_than=1)


def live_again(daemon: Cosmolet) -> None:
    """The configuration as it is now makes the parts anew."""
    connects = len(daemon.log_lines('msg=connected', 'room=zapi'))
    daemon.write_config()
    daemon.wait_log('msg=connected', 'room=zapi', more_than=connects)
    daemon.wait_ready()


def test_a_reload_forgets_no_hold_but_those_of_rules_that_it_removes(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    daemon.settings['classes']['slow']['fall_seconds'] = 60
    live_again(daemon)
    since = time.time()
    set_ready(daemon, 'slow', False)
    wait_held(daemon, 'fall', 1)
    daemon.settings['frr']['stale_seconds'] = 77
    live_again(daemon)
    wait_held(daemon, 'fall', 1)
    assert lab.tor.events(since) == [] and state(daemon, SLOW) == 'announced'
    daemon.settings['stability'] = daemon.settings['classes']['slow'] = {}
    daemon.write_config()
    lab.tor.wait_for({f'{FLAPPY}/32', f'{PLAIN}/32'})
