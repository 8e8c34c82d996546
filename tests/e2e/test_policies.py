"""AnnouncementPolicies of a real API server: the kind is installed while cosmolet runs, used, and taken away again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import yaml
from cluster import populate, prefixes, v6
from cosmolet import NODE, Cosmolet
from kube import KubeApi
from lab import DEGRADED_COMMUNITY, DEGRADED_TAG, Lab
from manifests import CONTAINER, apply, delete, lost, objects_of, wait_served
from sandbox import wait_until

FILE = CONTAINER / 'kustomize' / 'components' / 'policies' / 'announcementpolicies.yaml'
GROUP = 'cosmolet.platformbuilds.io'
POLICIES = f'/apis/{GROUP}/v1alpha1/announcementpolicies'
SELECTED = f'{v6(0)}/128'


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {'apiVersion': f'{GROUP}/v1alpha1', 'kind': 'AnnouncementPolicy', 'metadata': {'name': name}, 'spec': spec}


def put(kube: KubeApi, made: dict[str, Any]) -> None:
    apply(kube, json.dumps(made))


@pytest.fixture
def world(cosmolet: Path, lab: Callable[..., Lab], kube: KubeApi, tmp_path: Path) -> Iterator[tuple[Lab, Cosmolet]]:
    if 'apiserver' not in kube.pids:
        kube.start('apiserver')
    kube.clean()
    kube.node(NODE)
    made = lab(node='10.3')
    kube.attach(made.node.namespace)
    daemon = Cosmolet(made.node, tmp_path, announce={'policy_tags': [str(DEGRADED_TAG)]},
                      kubernetes={'source': 'cluster', 'service_account': str(kube.service_account().directory)})
    daemon.environment.update(kube.environment)
    yield made, daemon
    daemon.close()
    delete(kube, objects_of(FILE.read_text()))


def refused(kube: KubeApi, field: str, **settings: Any) -> None:
    with pytest.raises(RuntimeError) as error:
        put(kube, policy('wrong', settings=settings))
    assert field in str(error.value), error.value


def test_policies_from_an_api_server(world: tuple[Lab, Cosmolet], kube: KubeApi) -> None:
    lab, daemon = world
    everything = populate(kube, 2)
    kube.request('PATCH', '/api/v1/namespaces/default/services/s0', {'metadata': {'labels': {'tier': 'gold'}}})
    daemon.start()
    lab.tor.wait_for(everything)
    assert 'announcementpolicies' not in daemon.streams() and not daemon.log_lines('level=warn'), daemon.tail()
    since = time.time()

    # The kind comes, is found, and is used.
    apply(kube, FILE.read_text())
    wait_served(kube, POLICIES)
    gold = policy('gold', priority=10, serviceSelector={'matchLabels': {'tier': 'gold'}}, settings={
        'metric': 50, 'minReady': '50%', 'scope': 'local'})
    put(kube, gold)
    lab.tor.wait_for(lambda t: t[SELECTED].med == 50, timeout=30)
    wait_until(lambda: daemon.streams()['announcementpolicies']['connected'], 5, 'a watch')
    table = [line.split() for line in kube.kubectl('get', 'announcementpolicies').splitlines()]
    assert table[0] == ['NAME', 'PRIORITY', 'TAG', 'METRIC', 'MIN-READY', 'SCOPE', 'AGE']
    assert table[1][:5] == ['gold', '10', '50', '50%', 'local']  # no tag
    assert 'AnnouncementPolicy gold decides how (priority 10)' in daemon.command('why', v6(0)).stdout

    # The server's schema refuses what is wrong by name, and has dropped nothing that it did not know.
    assert not lost(kube, [*objects_of(FILE.read_text()), gold])
    for field, value in (('tag', 0), ('tag', 'gold'), ('minReady', 'lots'), ('scope', 'node'), ('weightLimit', 65)):
        refused(kube, f'spec.settings.{field}', **{field: value})

    # Every setting that the program has is one of the server's; who has the higher priority, decides.
    schema = yaml.safe_load(FILE.read_text())['spec']['versions'][0]['schema']['openAPIV3Schema']
    names = set(schema['properties']['spec']['properties']['settings']['properties'])
    assert names == set(json.loads(daemon.command('check', '--policy').stdout))
    put(kube, policy('better', priority=20, namespaces=['default'], settings={'tag': DEGRADED_TAG, 'minReady': 1},
                     nodeSelector={'matchExpressions': [{'key': 'rack', 'operator': 'In', 'values': ['a']}]}))
    daemon.wait_log('msg="in force"', 'policy=better')
    assert lab.tor.services()[SELECTED].med == 50
    kube.request('PATCH', f'/api/v1/nodes/{NODE}', {'metadata': {'labels': {'rack': 'a'}}})
    lab.tor.wait_for(lambda t: {r.communities for r in t.values()} == {frozenset({DEGRADED_COMMUNITY})})

    # What only this node can refuse: it says so, and what was in force stays.
    put(kube, policy('better', priority=20, settings={'tag': 99}))
    daemon.wait_log('level=warn', 'what it said before stays in force', 'policy=better', 'spec.settings.tag: 99')
    assert daemon.metric('announcement_policies{state="in_force"}') == 2
    assert daemon.metric('announcement_policy_invalid{policy="better",field="spec.settings.tag"}') == 1
    assert {r.communities for r in lab.tor.services().values()} == {frozenset({DEGRADED_COMMUNITY})}
    kube.request('DELETE', f'{POLICIES}/better')
    lab.tor.wait_for(lambda t: t[SELECTED].med == 50)

    # A service that no longer has the label is as if there were no policy; then the kind goes, with all of its objects.
    kube.request('PATCH', '/api/v1/namespaces/default/services/s0', {'metadata': {'labels': {'tier': None}}})
    lab.tor.wait_for(lambda t: not t[SELECTED].med)
    kube.request('PATCH', '/api/v1/namespaces/default/services/s0', {'metadata': {'labels': {'tier': 'gold'}}})
    lab.tor.wait_for(lambda t: t[SELECTED].med == 50)
    delete(kube, objects_of(FILE.read_text()))
    lab.tor.wait_for(lambda t: not t[SELECTED].med, timeout=20)
    assert daemon.status()['policies'] == []
    assert [e for e in lab.tor.events(since) if e.kind != 'announce'] == []
    assert set(lab.tor.services()) == everything == prefixes(0, 1)
