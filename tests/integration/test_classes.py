"""Classes and scopes: what a service asks for by annotation, and what the ToR then has."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import NODE, Cosmolet, pod, service
from lab import COMMUNITY, DEGRADED_COMMUNITY, DEGRADED_TAG, Lab

PREFIX = 'cosmolet.platformbuilds.io/'
PLAIN, GOLD, ANY = '10.96.0.1', '10.96.0.2', '10.96.0.3'
CONFIG = {
    'announce': {'drain_tag': 4799},
    'services': {'scope': 'local'},
    'classes': {'gold': {'min_ready': '50%', 'degraded_tag': DEGRADED_TAG, 'weight': 'metric', 'weight_limit': 4, 'metric': 100}},
}


def annotated(made: dict[str, Any], **annotations: str) -> dict[str, Any]:
    made['metadata']['annotations'] = {PREFIX + key.replace('_', '-'): value for key, value in annotations.items()}
    return made


def endpoint_slice(name: str, of: str, *nodes: str, ready: bool = True) -> dict[str, Any]:
    return {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice',
            'metadata': {'name': name, 'namespace': 'default', 'labels': {'kubernetes.io/service-name': of}},
            'addressType': 'IPv4',
            'endpoints': [{'addresses': [f'10.244.9.{i}'], 'nodeName': node, 'conditions': {'ready': ready}}
                          for i, node in enumerate(nodes)]}


def pods(ready: int, of: int) -> list[dict[str, Any]]:
    return [pod(f'gold-{i}', 'gold', ready=i < ready) for i in range(of)]


@pytest.fixture
def world(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[tuple[Lab, Cosmolet]]:
    made = lab()
    daemon = Cosmolet(made.node, tmp_path, **CONFIG)
    daemon.manifest('plain', service('plain', [PLAIN]), pod('plain-1', 'plain'))
    daemon.manifest('gold', annotated(service('gold', [GOLD]), **{'class': 'gold'}))
    daemon.manifest('gold-pods', *pods(4, 4))
    daemon.manifest('any', annotated(service('any', [ANY]), scope='cluster'))
    daemon.manifest('any-slice', endpoint_slice('any-1', 'any', 'elsewhere', 'further'))
    daemon.start()
    made.tor.wait_for({f'{PLAIN}/32', f'{GOLD}/32', f'{ANY}/32'})
    yield made, daemon
    daemon.close()


def mark(daemon: Cosmolet, address: str) -> tuple[int, int]:
    return next((a['tag'], a['metric']) for a in daemon.status()['addresses'] if a['address'] == address)


def test_ready_pods_are_a_metric_then_degraded_then_nothing(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    assert mark(daemon, GOLD) == (4711, 100)
    daemon.manifest('gold-pods', *pods(3, 4))
    lab.tor.wait_for(lambda t: t[f'{GOLD}/32'].med == 101)
    daemon.manifest('gold-pods', *pods(1, 4))
    lab.tor.wait_for(lambda t: t[f'{GOLD}/32'].communities == {DEGRADED_COMMUNITY})
    assert mark(daemon, GOLD)[0] == DEGRADED_TAG
    sample = f'vip_state{{namespace="default",service="gold",address="{GOLD}",kind="cluster_ip",state="%s"}}'
    assert daemon.metric(sample % 'degraded') == daemon.metric('vips{state="degraded"}') == 1
    assert daemon.metric('vips{state="announced"}') == 2 and daemon.states()[GOLD] == 'announced'
    assert re.search(rf'^{GOLD} +degraded ', daemon.command('status').stdout, re.M)
    why = daemon.command('why', GOLD).stdout
    assert '1 of 4 pods on this node are ready, 2 are needed (min_ready: 50%)' in why and 'degraded' in why
    assert 'it is of class gold' in why
    daemon.manifest('gold-pods', *pods(0, 4))
    lab.tor.wait_for({f'{PLAIN}/32', f'{ANY}/32'})
    daemon.manifest('gold-pods', *pods(2, 4))
    lab.tor.wait_for(lambda t: f'{GOLD}/32' in t and t[f'{GOLD}/32'].med == 102 and t[f'{GOLD}/32'].communities == {COMMUNITY})
    assert daemon.metric(sample % 'announced') == 1


def test_scope_cluster_follows_the_endpointslices(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    assert '2 of 2 endpoints in the cluster are ready' in daemon.command('why', ANY).stdout
    daemon.manifest('any-slice', endpoint_slice('any-1', 'any', 'elsewhere', ready=False))
    lab.tor.wait_for({f'{PLAIN}/32', f'{GOLD}/32'})
    daemon.manifest('any-slice', endpoint_slice('any-1', 'any', NODE))
    lab.tor.wait_for({f'{PLAIN}/32', f'{GOLD}/32', f'{ANY}/32'})


def test_annotations_that_mean_nothing_change_nothing(world: tuple[Lab, Cosmolet]) -> None:
    lab, daemon = world
    since = time.time()
    daemon.manifest('plain', annotated(service('plain', [PLAIN]), **{'class': 'silver', 'min_ready': 'lots'}), pod('plain-1', 'plain'))
    daemon.wait_log('level=warn', 'the configuration has no class', 'namespace=default service=plain')
    assert 'but: annotation cosmolet.platformbuilds.io/class: the configuration has no class "silver"' in daemon.command('why', PLAIN).stdout
    assert lab.tor.events(since) == []


def test_a_class_is_changed_while_running(world: tuple[Lab, Cosmolet]) -> None:
    """Its tag, and then the whole of it: nothing else is touched."""
    lab, daemon = world
    daemon.settings['classes']['gold'] |= {'min_ready': 5, 'degraded_tag': DEGRADED_TAG}
    since = time.time()
    daemon.write_config()
    lab.tor.wait_for(lambda t: t[f'{GOLD}/32'].communities == {DEGRADED_COMMUNITY})
    assert {event.prefix for event in lab.tor.events(since)} == {f'{GOLD}/32'}
    assert daemon.log_lines('classes.gold.min_ready: 50% -> 5')
