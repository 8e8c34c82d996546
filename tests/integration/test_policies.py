"""AnnouncementPolicies among the manifests: what they say reaches the ToR, and changing one withdraws nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import COMMUNITY, DEGRADED_COMMUNITY, DEGRADED_TAG, OPERATOR_TAG, Lab

PLAIN, GOLD = '10.96.0.1', '10.96.0.2'


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {'apiVersion': 'cosmolet.platformbuilds.io/v1alpha1', 'kind': 'AnnouncementPolicy', 'metadata': {'name': name}, 'spec': spec}


def gold(**settings: Any) -> dict[str, Any]:
    return policy('gold', priority=10, serviceSelector={'matchLabels': {'tier': 'gold'}}, settings=settings)


def labelled(made: dict[str, Any], **labels: str) -> dict[str, Any]:
    made['metadata']['labels'] = labels
    return made


@pytest.fixture
def world(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[tuple[Lab, Cosmolet]]:
    made = lab()
    daemon = Cosmolet(made.node, tmp_path, announce={'policy_tags': [str(DEGRADED_TAG)]})
    daemon.manifest('plain', service('plain', [PLAIN]), pod('plain-1', 'plain'))
    daemon.manifest('gold', labelled(service('gold', [GOLD]), tier='gold'), pod('gold-1', 'gold'))
    daemon.manifest('policy', gold(metric=50))
    daemon.start()
    made.tor.wait_for(lambda t: set(t) == {f'{PLAIN}/32', f'{GOLD}/32'} and t[f'{GOLD}/32'].med == 50)
    yield made, daemon
    daemon.close()


def invalid(daemon: Cosmolet) -> tuple[float, float]:
    return (daemon.metric('announcement_policies{state="in_force"}'), daemon.metric('announcement_policies{state="invalid"}'))


def test_a_policy_is_changed_live_and_refused_by_name(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    assert 'AnnouncementPolicy gold decides how (priority 10)' in daemon.command('why', GOLD).stdout
    assert 'AnnouncementPolicy' not in daemon.command('why', PLAIN).stdout
    since = time.time()
    daemon.manifest('policy', gold(tag=DEGRADED_TAG, metric=60))
    lab.tor.wait_for(lambda t: t[f'{GOLD}/32'].med == 60 and t[f'{GOLD}/32'].communities == {DEGRADED_COMMUNITY})
    # One that would take the operator's own routes for ours.
    daemon.manifest('policy', gold(tag=OPERATOR_TAG, metric=70))
    daemon.wait_log('level=warn', 'what it said before stays in force', 'policy=gold', 'spec.settings.tag: 100 is no tag')
    assert invalid(daemon) == (1, 1)
    assert daemon.metric('announcement_policy_invalid{policy="gold",field="spec.settings.tag"}') == 1
    said = daemon.status()
    assert said['policies'] == [{'name': 'gold', 'in_force': True, 'priority': 10, 'field': 'spec.settings.tag',
                                 'error': said['policies'][0]['error']}]
    assert any('AnnouncementPolicy gold is refused, and as it was before: spec.settings.tag' in p for p in said['problems'])
    assert {a['address']: a.get('policy') for a in said['addresses']} == {PLAIN: None, GOLD: 'gold'}
    assert 'AnnouncementPolicy gold is refused, and as it was before: spec.settings.tag' in daemon.command('why', GOLD).stdout
    # The configuration is read again: what is in force stays so, also through a new life of the parts.
    daemon.settings['announce']['policy_tags'] = [str(DEGRADED_TAG), '5000-5010']
    daemon.write_config()
    daemon.wait_log('msg=changed', 'announce.policy_tags')
    daemon.wait_ready()
    assert lab.tor.services()[f'{GOLD}/32'].med == 60
    daemon.manifest('policy', gold(tag=DEGRADED_TAG))
    lab.tor.wait_for(lambda t: not t[f'{GOLD}/32'].med)
    assert invalid(daemon) == (1, 0)
    daemon.manifest('policy')
    lab.tor.wait_for(lambda t: t[f'{GOLD}/32'].communities == {COMMUNITY})
    assert daemon.status()['policies'] == []
    # In all of that nobody withdrew anything, or touched what is not of the policy.
    events = lab.tor.events(since)
    assert [e for e in events if e.kind != 'announce'] == [] and {e.prefix for e in events} == {f'{GOLD}/32'}


def test_a_restart_under_a_policy_is_not_seen(world: tuple[Lab, Cosmolet]) -> None:
    """The tag of a policy is known as ours before any policy is: nothing is lost, nothing left."""
    lab, daemon = world
    daemon.manifest('policy', gold(tag=DEGRADED_TAG))
    lab.tor.wait_for(lambda t: t[f'{GOLD}/32'].communities == {DEGRADED_COMMUNITY})
    since = time.time()
    daemon.kill()
    daemon.start()
    time.sleep(1)
    assert lab.tor.events(since) == []
    daemon.kill()
    daemon.manifest('policy')
    daemon.manifest('gold')
    daemon.start()
    lab.tor.wait_for({f'{PLAIN}/32'})
