"""What a newcomer asks `cosmolet why`, situation by situation: the first line answers, the rest names the object to look at.

Everything that can go wrong with a service stands in one directory of manifests at once; what concerns the whole node, the
kernel or zebra comes one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator

import pytest
from cosmolet import NODE, Cosmolet, pod, service
from lab import Lab
from sandbox import public_directory, wait_until

OURS = 'cosmolet.platformbuilds.io/'
CONFIG: dict[str, dict[str, Any]] = {
    'services': {'namespaces': ['default', 'shop', 'test'], 'namespace_selector': '!private',
                 'load_balancer_classes': ['', 'example.com/ours'],
                 'allow': ['10.96.0.0/16', '198.18.0.0/16', '169.254.0.0/16', '192.0.2.0/24', 'fd00:96::/32']},
    'classes': {'gold': {'tag': 4720, 'min_ready': 2, 'degraded_tag': 4712, 'scope': 'auto'}, 'far': {'nodes': 'rack=z'},
                'closed': {'namespaces': ['shop']}},
    'stability': {'fall_seconds': 0},
}


@dataclass
class Case:
    """Objects, a question, and what must be in the first line of the answer; and, somewhere, what else it must tell."""
    name: str
    question: str
    first: str
    objects: list[dict[str, Any]] = field(default_factory=list)
    more: tuple[str, ...] = ()


def changed(item: dict[str, Any], **parts: dict[str, Any]) -> dict[str, Any]:
    """The object with more in its metadata, spec, status."""
    return {**item, **{part: {**item.get(part, {}), **keys} for part, keys in parts.items()}}


def annotated(item: dict[str, Any], **annotations: str) -> dict[str, Any]:
    return changed(item, metadata={'annotations': {OURS + key.replace('_', '-'): value for key, value in annotations.items()}})


def waiting(item: dict[str, Any], reason: str, restarts: int = 0) -> dict[str, Any]:
    return changed(item, status={'containerStatuses': [{'name': 'c', 'restartCount': restarts, 'state': {'waiting': {'reason': reason}}}]})


def endpoints(name: str, of: str, *conditions: tuple[str, bool]) -> dict[str, Any]:
    """A slice of IPv4 endpoints: on which node, and whether ready."""
    return {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': 'IPv4',
            'metadata': {'name': name, 'namespace': 'default', 'labels': {'kubernetes.io/service-name': of}},
            'endpoints': [{'addresses': [f'10.244.9.{i}'], 'nodeName': node, 'conditions': {'ready': ready}}
                          for i, (node, ready) in enumerate(conditions, 1)]}


def node(**parts: dict[str, Any]) -> dict[str, Any]:
    return changed({'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': NODE},
                    'status': {'addresses': [{'type': 'InternalIP', 'address': '192.0.2.1'}],
                               'conditions': [{'type': 'Ready', 'status': 'True'}]}}, **parts)


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name, 'labels': labels, 'resourceVersion': '31'}}


def policy(name: str, version: int, priority: int, **labels: str) -> dict[str, Any]:
    return {'apiVersion': 'cosmolet.platformbuilds.io/v1alpha1', 'kind': 'AnnouncementPolicy',
            'metadata': {'name': name, 'resourceVersion': str(version)},
            'spec': {'priority': priority, 'serviceSelector': {'matchLabels': labels},
                     'settings': {'metric': 50, 'riseSeconds': 0}}}


PROBE = {'conditions': [{'type': 'Ready', 'status': 'False', 'reason': 'ContainersNotReady',
                         'message': 'containers with unready status: [web]'}]}
SERVICES = [
    Case('announced', 'default/up', '10.96.1.1 is announced since', [service('up', ['10.96.1.1']), pod('up-1', 'up'), pod('up-2', 'up')],
         ('because 2 of 2 pods on this node are ready', 'it is bound on lo by a local route of ours', 'redistribute static',
          'namespace default has labels: team=web [resourceVersion 31]',
          'tag 4711 (announce.tag of the configuration)', 'metric 0 (default)', 'min_ready 1 (default)',
          'scope local (default)', 'fall_seconds 0 (stability.fall_seconds of the configuration)')),
    Case('probe fails', '10.96.1.2', 'is down, because 0 of 1 pods on this node are ready; probe-1: ContainersNotReady: containers with'
         ' unready status: [web]', [service('probe', ['10.96.1.2']), changed(pod('probe-1', 'probe', ready=False), status=PROBE)],
         ('pod default/probe-1: Running, not Ready',)),
    Case('crash loop', '10.96.1.3', '0 of 1 pods on this node are ready; loop-1: CrashLoopBackOff',
         [service('loop', ['10.96.1.3']), waiting(pod('loop-1', 'loop', ready=False), 'CrashLoopBackOff', 17)], ('17 restarts',)),
    Case('crash loop that the condition does not tell', '10.96.1.25', '0 of 1 pods on this node are ready; told-1: CrashLoopBackOff',
         [service('told', ['10.96.1.25']), waiting(pod('told-1', 'told'), 'CrashLoopBackOff', 3)],
         ('pod default/told-1: Running, not Ready (CrashLoopBackOff), 3 restarts',)),
    Case('image cannot be pulled', '10.96.1.4', '0 of 1 pods on this node are ready; pull-1: ImagePullBackOff',
         [service('pull', ['10.96.1.4']), changed(waiting(pod('pull-1', 'pull', ready=False, ips=[]), 'ImagePullBackOff'),
                                                  status={'phase': 'Pending'})], ('no IP yet',)),
    Case('pods elsewhere', '10.96.1.5', 'is down, because the service selects no pod on this node',
         [service('away', ['10.96.1.5']), pod('away-1', 'away', node='node-2')],
         ('it selects pods with app=away', f'none of them is on node {NODE}')),
    Case('selector misspelt', '10.96.1.6', 'the service selects no pod on this node',
         [service('typo', ['10.96.1.6'], selector={'app': 'tpyo'}), pod('typo-1', 'typo')], ('it selects pods with app=tpyo',)),
    Case('last pod ends', '10.96.1.7', 'is announced since', [service('last', ['10.96.1.7']), pod('last-1', 'last', deleting=True)],
         ('because no pod on this node is ready; of those that terminate 1 still serves', 'Ready, terminating')),
    Case('job is done', '10.96.1.8', 'the service selects no pod on this node but 1 that has ended', [service('done', ['10.96.1.8']), changed(
        pod('done-1', 'done', ready=False), status={'phase': 'Succeeded'})], ('Succeeded',)),
    Case('degraded', '10.96.1.9', 'degraded: 1 of 2 pods on this node are ready, 2 are needed (min_ready); half-2: not Ready',
         [annotated(service('half', ['10.96.1.9'], internalTrafficPolicy='Local'), **{'class': 'gold'}), pod('half-1', 'half'),
          pod('half-2', 'half', ready=False)],
         ('it is of class gold', 'tag 4712', 'tag 4720 (class gold)', 'degraded_tag 4712 (class gold)', 'min_ready 2 (class gold)',
          'scope auto (class gold): its internalTrafficPolicy is Local')),
    Case('too few', '10.96.1.10', '1 of 2 pods on this node are ready, 2 are needed (min_ready: 100%)',
         [annotated(service('few', ['10.96.1.10']), min_ready='100%'), pod('few-1', 'few'), pod('few-2', 'few', ready=False)],
         (f'min_ready 100% (annotation {OURS}min-ready)',)),
    Case('opted out', '10.96.1.11', f'its annotation {OURS}announce says so',
         [annotated(service('out', ['10.96.1.11']), announce='false'), pod('out-1', 'out')], ('is "false"',)),
    Case('class misspelt', '10.96.1.12', 'is announced', [annotated(service('glod', ['10.96.1.12']), **{'class': 'glod'}), pod('glod-1', 'glod')],
         ('the configuration has no class "glod"; it is ignored',)),
    Case('class of others', '10.96.1.13', 'is announced', [annotated(service('shut', ['10.96.1.13']), **{'class': 'closed'}), pod('shut-1', 'shut')],
         ('services of this namespace may not name the class "closed"',)),
    Case('class of other nodes', '10.96.1.14', 'this node is not among the nodes of the class far (rack=z)',
         [annotated(service('far', ['10.96.1.14']), **{'class': 'far'}), pod('far-1', 'far')],
         ('nodes "rack=z" (class far)', '; labels: none')),
    Case('policy', '10.96.1.23', 'is announced', [
        changed(service('said', ['10.96.1.23']), metadata={'labels': {'tier': 'gold'}}), pod('said-1', 'said'),
        policy('gold', 77, 10, tier='gold')],
         ('policies see its labels: tier=gold', 'AnnouncementPolicy gold decides how (priority 10) [resourceVersion 77]',
          'metric 50 (AnnouncementPolicy gold)', 'rise_seconds 0 (AnnouncementPolicy gold)', 'min_ready 1 (default)')),
    Case('namespace that is not selected', '10.96.1.24',
         'services.namespace_selector of the configuration (!private) does not select its namespace',
         [service('shy', ['10.96.1.24'], namespace='test'), namespace('test', private='')],
         ('namespace test is none of those that "!private" selects',)),
    Case('headless', 'default/headless', 'default/headless is not announced, because the service is headless (clusterIP: None)',
         [changed(service('headless'), spec={'clusterIP': 'None'})]),
    Case('alias', 'default/alias', 'is not announced, because the service is of type ExternalName',
         [changed(service('alias'), spec={'type': 'ExternalName'})]),
    Case('no address yet', 'default/pending', 'default/pending is not announced, because it has no address yet',
         [changed(service('pending'), spec={'type': 'LoadBalancer'})]),
    Case('class of load balancer', '198.18.1.1', 'its loadBalancerClass metallb.io/bgp is not among services.load_balancer_classes of the configuration ("", example.com/ours)',
         [changed(service('metal', ingress=['198.18.1.1']), spec={'loadBalancerClass': 'metallb.io/bgp'}), pod('metal-1', 'metal')]),
    Case('proxying load balancer', '198.18.1.2', 'its load balancer delivers to the nodes\' own addresses (ipMode: Proxy)',
         [changed(service('proxy', ingress=['198.18.1.2']), status={'loadBalancer': {'ingress': [{'ip': '198.18.1.2', 'ipMode': 'Proxy'}]}}),
          pod('proxy-1', 'proxy')]),
    Case('external IP', '203.0.113.9', 'it is outside services.allow of the configuration (10.96.0.0/16, 198.18.0.0/16,',
         [service('ext', external_ips=['203.0.113.9']), pod('ext-1', 'ext')]),
    Case("another's cluster IP", '10.96.1.26', 'is down, because it is an external IP, but the cluster IP of the service default/victim',
         [service('thief', external_ips=['10.96.1.26']), pod('thief-1', 'thief'), service('victim', ['10.96.1.26'])],
         ('no   as an external IP it is not another service\'s cluster IP',)),
    Case('not allowed', '198.51.100.7', 'it is outside services.allow of the configuration (10.96.0.0/16, 198.18.0.0/16,',
         [service('outside', ingress=['198.51.100.7']), pod('outside-1', 'outside')]),
    Case('link-local', '169.254.1.1', 'it is a loopback, link-local, multicast or unspecified address',
         [service('local', ingress=['169.254.1.1']), pod('local-1', 'local')]),
    Case("the node's own", '192.0.2.1', 'it is an address of this node itself', [service('own', ingress=['192.0.2.1']), pod('own-1', 'own')]),
    Case('being deleted', '10.96.1.15', 'the service is being deleted', [changed(service('gone', ['10.96.1.15']), metadata={
        'deletionTimestamp': '2030-01-01T00:00:00Z'}), pod('gone-1', 'gone')]),
    Case('one family', 'fd00:96::16', '0 of 1 pods on this node are ready; 1 without an IPv6 address',
         [service('dual', ['10.96.1.16', 'fd00:96::16']), pod('dual-1', 'dual', ips=['10.244.0.1'])]),
    Case('no endpoints', '10.96.1.17', 'the service has no selector, and there is no EndpointSlice for it',
         [service('manual', ['10.96.1.17'], selector={})]),
    Case('endpoints elsewhere', '10.96.1.18', 'none of its endpoints is on this node', [service('slices', ['10.96.1.18'], selector={}),
                                                            endpoints('slices-1', 'slices', ('node-2', True))],
         ('endpointslice default/slices-1: 1 endpoints, 1 of them ready, 0 on this node',)),
    Case('no endpoints anywhere', '10.96.1.22', 'it has no endpoint in the cluster', [
        annotated(service('empty', ['10.96.1.22']), scope='cluster'), endpoints('empty-1', 'empty')]),
    Case('cluster-wide', '10.96.1.19', '1 of 2 endpoints in the cluster are ready',
         [annotated(service('wide', ['10.96.1.19']), scope='cluster'),
          endpoints('wide-1', 'wide', ('node-2', True), ('node-3', False))],
         (f'scope cluster (annotation {OURS}scope)',)),
    Case('shared', '198.18.1.3', 'is announced', [service('share-a', ingress=['198.18.1.3']), service('share-b', ingress=['198.18.1.3']),
                                                  pod('share-b-1', 'share-b')],
         ('service default/share-a', 'is not wanted: the service selects no pod', 'service default/share-b', 'is wanted: 1 of 1')),
    Case('API server', '10.96.0.1', "it is the API server's own service", [service('kubernetes', ['10.96.0.1'], selector={})]),
    Case('unknown address', '10.96.9.9', '10.96.9.9 is not announced: no service that is known here has this address'),
    Case('unknown service', 'shop/nobody', 'shop/nobody is not announced: no service of this name is known here'),
    Case('namespace that is not watched', 'mail/web', 'mail/web is not announced: no service of this name is known here', [
        service('web', ['10.96.1.20'], namespace='mail')], ('services of other namespaces than those in services.namespaces',)),
    Case("another proxy's", 'default/cilium', 'default/cilium is not announced: no service of this name is known here', [
        changed(service('cilium', ['10.96.1.27']), metadata={'labels': {'service.kubernetes.io/service-proxy-name': 'cilium'}})],
         ('the label service.kubernetes.io/service-proxy-name gives to another proxy (services.proxies)',)),
    Case('without a namespace', 'up', 'write ADDRESS or NAMESPACE/NAME'),
    Case('services disagree', '10.96.1.70', 'is announced since',
         [service('a-plain', ['10.96.1.70']), pod('a-plain-1', 'a-plain'),
          annotated(service('b-gold', ['10.96.1.70'], internalTrafficPolicy='Local'), **{'class': 'gold'}),
          pod('b-gold-1', 'b-gold'), pod('b-gold-2', 'b-gold')],
         ('default/b-gold asks for tag 4720 and metric 0, but an address has one route: tag 4711 and metric 0 of default/a-plain count',)),
]
NODES = [
    Case('excluded', '198.18.1.3', 'the node has the label node.kubernetes.io/exclude-from-external-load-balancers',
         [node(metadata={'labels': {'node.kubernetes.io/exclude-from-external-load-balancers': ''}})]),
    Case('network', '10.96.1.1', "the node's condition NetworkUnavailable is True",
         [node(status={'conditions': [{'type': 'NetworkUnavailable', 'status': 'True'}]})]),
    Case('drained', '10.96.1.1', f"the node is drained: the node's annotation {OURS}drain",
         [node(metadata={'annotations': {f'{OURS}drain': 'true'}})]),
    Case('removed by the autoscaler', '10.96.1.1', "the node is drained: the node's taint ToBeDeletedByClusterAutoscaler",
         [node(spec={'taints': [{'key': 'ToBeDeletedByClusterAutoscaler', 'effect': 'NoSchedule'}]})]),
]


@pytest.fixture(scope='module')
def daemon(cosmolet: Path) -> Iterator[Cosmolet]:
    with Lab() as lab, public_directory() as directory:
        made = Cosmolet(lab.node, directory, announce={'drain_seconds': 0}, **CONFIG)
        made.manifest('node', node())
        made.manifest('namespaces', namespace('default', team='web'), namespace('shop'))
        for number, case in enumerate(SERVICES):
            made.manifest(f'case-{number}', *case.objects)
        made.start()
        wait_until(lambda: set(made.states().values()) == {'announced', 'down'}, 10, 'all to be decided', explain=made.tail)
        yield made
        made.close()


def answer(daemon: Cosmolet, case: Case) -> str:
    return daemon.get(f'/why?q={case.question}')[1]


def check(daemon: Cosmolet, case: Case) -> None:
    wait_until(lambda: case.first in answer(daemon, case).split('\n', 1)[0], 5, f'"{case.first}"', explain=lambda: answer(daemon, case))
    for words in case.more:  # zebra is asked for a rival only after it has settled
        wait_until(lambda words=words: words in answer(daemon, case), 2, f'"{words}"', explain=lambda: answer(daemon, case))


@pytest.mark.parametrize('case', SERVICES, ids=lambda case: case.name)
def test_services(daemon: Cosmolet, case: Case) -> None:
    check(daemon, case)


@pytest.mark.parametrize('case', NODES, ids=lambda case: case.name)
def test_node(daemon: Cosmolet, case: Case) -> None:
    daemon.manifest('node', *case.objects)
    try:
        check(daemon, case)
    finally:
        daemon.manifest('node', node())
    check(daemon, SERVICES[0])


def test_zebra_prefers_another(daemon: Cosmolet) -> None:
    daemon.node.configure('ip route 10.96.1.21/32 blackhole tag 100')
    # Of two that come within milliseconds zebra, to which both are static, keeps the later one.
    wait_until(lambda: 'static' in daemon.node.vtysh('show ip route 10.96.1.21/32'), 5, "the operator's route")
    daemon.manifest('rival', service('rival', ['10.96.1.21']), pod('rival-1', 'rival'))
    check(daemon, Case('', '10.96.1.21', 'is rejected', [], ('zebra has', 'static', 'name its tag, 100, in announce.policy_tags')))
    daemon.node.configure('no ip route 10.96.1.21/32 blackhole tag 100')
    daemon.manifest('rival')


def test_zebra_is_away(daemon: Cosmolet) -> None:
    daemon.node.kill('zebra')
    check(daemon, Case('', '10.96.1.1', 'is pending', [], ('there is no connection to it',)))
