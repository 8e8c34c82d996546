"""EndpointSlices that nobody may read: what they decide stays as it is, and nothing else waits for them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cosmolet import NODE, Cosmolet, pod, service
from fake_api import Answer, Certificates, status
from lab import Lab
from model import Object
from sandbox import public_directory
from sim_api import SimApi

OWN, SHARED, CLUSTER = '198.18.0.20', '198.18.0.30', '10.96.0.20'
FORBIDDEN = Answer(403, status(403, 'Forbidden'))


def endpoints(of: str, ready: bool) -> Object:
    return {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': 'IPv4',
            'metadata': {'name': f'{of}-1', 'namespace': 'default', 'labels': {'kubernetes.io/service-name': of}},
            'endpoints': [{'addresses': ['10.244.0.9'], 'nodeName': NODE, 'conditions': {'ready': ready}}]}


@pytest.fixture
def make(cosmolet: Path, tmp_path: Path) -> Iterator[Callable[..., tuple[Lab, SimApi, Cosmolet]]]:
    with Lab() as lab, public_directory() as keys:
        certificates = Certificates(keys)
        api = SimApi(lab.node.namespace, certificates)
        api.put({'kind': 'Node', 'metadata': {'name': NODE}, 'spec': {}})
        daemon = Cosmolet(lab.node, tmp_path, kubernetes={
            'source': 'cluster', 'kubeconfig': str(certificates.kubeconfig(tmp_path / 'kubeconfig'))})

        def begin(**settings: Any) -> tuple[Lab, SimApi, Cosmolet]:
            daemon.settings.update(settings)
            daemon.write_config()
            return lab, api, daemon

        yield begin
        daemon.close()
        api.close()


def test_one_address_waits_and_the_other_does_not(make: Callable[..., tuple[Lab, SimApi, Cosmolet]]) -> None:
    """By `auto` the cluster IP follows all endpoints, and the load balancer's the pods here."""
    lab, api, daemon = make(services={'scope': 'auto'})
    api.faults['endpointslices', 'list'] = FORBIDDEN
    web = service('web', [CLUSTER], ingress=[OWN], externalTrafficPolicy='Local', internalTrafficPolicy='Cluster')
    api.put(web, pod('web-1', 'web'))
    daemon.start(ready=False)
    for ready in (True, False, True):
        api.put(pod('web-1', 'web', ready=ready))
        lab.tor.wait_for({f'{OWN}/32'} if ready else set(), timeout=20)
    assert 'its EndpointSlices are not known yet' in daemon.command('why', CLUSTER).stdout
    # What the service does not have any more goes as well.
    api.put({**web, 'status': {}})
    lab.tor.wait_for(set())
    api.faults.clear()


def test_a_shared_address_is_kept_for_the_one_that_is_not_known(make: Callable[..., tuple[Lab, SimApi, Cosmolet]]) -> None:
    lab, api, daemon = make()
    api.put(service('a', ingress=[SHARED]), pod('a-1', 'a', ready=False), service('b', ingress=[SHARED], selector={}), endpoints('b', True))
    daemon.start()
    lab.tor.wait_for({f'{SHARED}/32'})
    mark, known = time.time(), len(daemon.log_lines('the cluster is known'))
    daemon.kill()
    api.faults['endpointslices', 'list'] = FORBIDDEN
    daemon.start(ready=False)
    daemon.wait_log('the cluster is known', more_than=known)
    time.sleep(1.5)  # for what must not come
    assert lab.tor.events(mark) == []
    assert 'its EndpointSlices are not known yet' in daemon.command('why', SHARED).stdout
    api.faults.clear()
    daemon.kill()
    daemon.start()
    assert '1 of 1 endpoints on this node are ready' in daemon.command('why', SHARED).stdout
    assert lab.tor.events(mark) == []
    api.put(endpoints('b', False))
    lab.tor.wait_for(set(), timeout=20)
