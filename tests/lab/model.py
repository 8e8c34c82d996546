"""The decision once more: slow, obvious, and written from what is promised, not from src/plan.c.

A Model looks at Kubernetes objects as their JSON has them, and says of each address whether this node announces it, with
which tag and metric; and if not, everything that speaks against it. Each promise is one small method, so that a test can
put a wrong one in its place (WRONG, at the end) and see that it is noticed.
"""
from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field
from typing import Any, Iterable

Object = dict[str, Any]

PREFIX = 'cosmolet.platformbuilds.io/'
EXCLUDE = 'node.kubernetes.io/exclude-from-external-load-balancers'
SCALE_DOWN, OUT_OF_SERVICE = 'ToBeDeletedByClusterAutoscaler', 'node.kubernetes.io/out-of-service'
HEADLESS, PROXY = 'service.kubernetes.io/headless', 'service.kubernetes.io/service-proxy-name'
BROKEN = ('CrashLoopBackOff', 'ImagePullBackOff', 'ErrImagePull')
KINDS = ('cluster_ip', 'load_balancer_ip', 'external_ip')
DEFAULTS: dict[str, Any] = {
    'services': {'namespaces': [], 'namespace_selector': None, 'addresses': list(KINDS), 'allow': [], 'proxies': [],
                 'load_balancer_classes': ['*'], 'scope': 'local', 'min_ready': 1,
                 'annotations': ['announce', 'class', 'scope', 'min-ready']},
    'announce': {'tag': 4711, 'metric': 0, 'degraded_tag': 0, 'weight': 'none', 'weight_limit': 8, 'drain_tag': 4713,
                 'withdraw_on': ['exclude_label', 'network_unavailable', 'service_deletion'],
                 'drain_on': ['annotation', 'taint', 'deletion', 'signal', 'shutdown'], 'drain_taints': [SCALE_DOWN]},
    'classes': {},
}
SPECIAL = [ipaddress.ip_network(text) for text in (
    '0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8')]


def selects(selector: str, labels: dict[str, str]) -> bool:
    """kubectl's -l: "a=b,c!=d,e in (f,g),h notin (i),j,!k"."""
    for term in re.split(r',(?![^(]*\))', selector):
        if found := re.fullmatch(r'(\S+) (in|notin) \((.*)\)', term):
            good = (labels.get(found[1]) in found[3].split(',')) == (found[2] == 'in')
        elif '!=' in term:
            good = labels.get(term.partition('!=')[0]) != term.partition('!=')[2]
        elif '=' in term:
            good = labels.get(term.partition('=')[0]) == term.partition('=')[2]
        else:
            good = (term.lstrip('!') in labels) != term.startswith('!')
        if not good:
            return False
    return True


def parse_bool(text: str) -> bool | None:
    """Go's strconv.ParseBool; None: it is none."""
    return True if text in ('1', 't', 'T', 'true', 'TRUE', 'True') else \
        False if text in ('0', 'f', 'F', 'false', 'FALSE', 'False') else None


def selects_by(selector: Object, labels: dict[str, str]) -> bool:
    """A LabelSelector as objects have it."""
    meets = {'In': lambda e: labels.get(e['key']) in e['values'], 'NotIn': lambda e: labels.get(e['key']) not in e['values'],
             'Exists': lambda e: e['key'] in labels, 'DoesNotExist': lambda e: e['key'] not in labels}
    return selector.get('matchLabels', {}).items() <= labels.items() and all(
        meets[e['operator']](e) for e in selector.get('matchExpressions', []))


def key_of(item: Object) -> tuple[str, str, str]:
    return item['kind'], item['metadata'].get('namespace', ''), item['metadata']['name']


def condition(item: Object, kind: str) -> bool:
    return any(c['type'] == kind and c['status'] == 'True' for c in item.get('status', {}).get('conditions', []))


@dataclass
class Claim:
    """What a service says of one of its addresses; the address is announced if nothing speaks against it."""
    against: set[str] = field(default_factory=set)
    up: str = ''  # ready, terminating_but_serving, degraded
    tag: int = 0
    metric: int = 0


class Model:
    def __init__(self, config: dict[str, Any], objects: Iterable[Object], node: str, drain: str = 'none') -> None:
        """drain: none, tagged or withdrawn."""
        self.config = {**config, **{section: {**keys, **config.get(section, {})} for section, keys in DEFAULTS.items()}}
        self.services, self.announce = self.config['services'], self.config['announce']
        self.name, self.drain = node, drain
        self.by_kind: dict[str, list[Object]] = {kind: [] for kind in (
            'Service', 'Pod', 'Node', 'EndpointSlice', 'Namespace', 'AnnouncementPolicy')}
        for item in sorted(objects, key=key_of):
            self.by_kind[item['kind']].append(item)
        self.node = next((n for n in self.by_kind['Node'] if n['metadata']['name'] == node), None)

    # What comes of it

    def claims(self) -> dict[str, list[Claim]]:
        """Of each address all that services say of it, the one that counts first."""
        found: dict[str, list[Claim]] = {}
        for service in self.by_kind['Service']:
            if self.is_served(service):
                for kind, address, entry in self.addresses(service):
                    found.setdefault(address, []).append(self.claim(service, kind, address, entry))
        return {address: self.in_order(claims) for address, claims in found.items()}

    def wanted(self) -> dict[str, tuple[int, int]]:
        """What is announced: tag and metric of each address."""
        return {address: (self.announce['drain_tag'] if self.drain == 'tagged' else claims[0].tag, claims[0].metric)
                for address, claims in self.claims().items() if claims[0].up}

    def in_order(self, claims: list[Claim]) -> list[Claim]:
        """Up, if any is; of several, the first by the service's name."""
        return sorted(claims, key=lambda claim: not claim.up)

    def claim(self, service: Object, kind: str, address: str, entry: Object) -> Claim:
        made = Claim(self.against_service(service) | self.against_address(service, kind, address, entry)
                     | self.against_node(service, kind))
        settings = self.settings(service)
        counted = self.counted(service, kind, address)
        if isinstance(counted, str):
            made.against.add(counted)
            return made
        able, ready, terminating = counted
        serving = ready or terminating
        needed = self.needed(service, able)
        degraded = 0 < serving < needed and settings['degraded_tag']
        if serving < needed and not degraded:
            made.against |= {'no_pods', 'not_ready'}
        if not made.against:
            made.up = 'degraded' if degraded else 'ready' if ready else 'terminating_but_serving'
            made.tag, made.metric = self.marks(settings, serving, bool(degraded))
        return made

    # Which services, and which of their addresses

    def is_served(self, service: Object) -> bool:
        """Those without any proxy are not even looked at, and those of others only where some are named."""
        labels = service['metadata'].get('labels', {})
        return HEADLESS not in labels and (bool(self.services['proxies']) or PROXY not in labels)

    def is_of_other_proxy(self, service: Object) -> bool:
        return service['metadata'].get('labels', {}).get(PROXY) not in (None, *self.services['proxies'])

    def addresses(self, service: Object) -> list[tuple[str, str, Object]]:
        spec = service['spec']
        cluster = [a for a in spec.get('clusterIPs', []) if a not in ('', 'None')]
        ingress = service.get('status', {}).get('loadBalancer', {}).get('ingress', [])
        return ([('cluster_ip', a, {}) for a in cluster] + [('load_balancer_ip', e['ip'], e) for e in ingress if 'ip' in e]
                + [('external_ip', a, {}) for a in spec.get('externalIPs', [])])

    def against_service(self, service: Object) -> set[str]:
        spec, meta = service['spec'], service['metadata']
        return {word for word, true in {
            'namespace': self.services['namespaces'] and meta['namespace'] not in self.services['namespaces'],
            'namespace_selector': not self.namespace_selected(meta['namespace']),
            'service_deleting': 'deletionTimestamp' in meta and 'service_deletion' in self.announce['withdraw_on'],
            'external_name': spec.get('type') == 'ExternalName',
            'opted_out': self.opted_out(service),
            'other_proxy': self.is_of_other_proxy(service),
            'headless': spec.get('clusterIPs', [''])[:1] == ['None'],
        }.items() if true}

    def namespace_selected(self, name: str) -> bool:
        selector = self.services['namespace_selector']
        return not selector or any(n['metadata']['name'] == name and selects(selector, n['metadata'].get('labels', {}))
                                   for n in self.by_kind['Namespace'])

    def opted_out(self, service: Object) -> bool:
        return parse_bool(self.annotation(service, 'announce')) is False

    def against_address(self, service: Object, kind: str, address: str, entry: Object) -> set[str]:
        spec = service['spec']
        return {word for word, true in {
            'address_kind': kind not in self.services['addresses'],
            'load_balancer_class': kind == 'load_balancer_ip' and not self.class_handled(spec.get('loadBalancerClass', '')),
            'ip_mode_proxy': self.is_proxy(entry),
            'special_address': any(ipaddress.ip_address(address) in network for network in SPECIAL),
            'node_address': self.is_of_node(address),
            'pod_range': kind == 'external_ip' and self.is_of_pods(address),
            'others_cluster_ip': kind == 'external_ip' and self.is_of_another(service, address),
            'not_allowed': not self.is_allowed(kind, address),
        }.items() if true}

    def class_handled(self, name: str) -> bool:
        return '*' in self.services['load_balancer_classes'] or name in self.services['load_balancer_classes']

    def is_proxy(self, entry: Object) -> bool:
        return entry.get('ipMode') == 'Proxy'

    def is_of_node(self, address: str) -> bool:
        return self.node is not None and any(a['type'] in ('InternalIP', 'ExternalIP') and a['address'] == address
                                             for a in self.node.get('status', {}).get('addresses', []))

    def is_of_pods(self, address: str) -> bool:
        return self.node is not None and any(ipaddress.ip_address(address) in ipaddress.ip_network(text)
                                             for text in self.node['spec'].get('podCIDRs', []))

    def is_of_another(self, service: Object, address: str) -> bool:
        return any(address in other['spec'].get('clusterIPs', []) for other in self.by_kind['Service']
                   if key_of(other) != key_of(service) and self.is_known(other))

    def is_known(self, service: Object) -> bool:
        """Of namespaces that are not watched nothing comes, nor of what other proxies serve."""
        return self.is_served(service) and (not self.services['namespaces']
                                            or service['metadata']['namespace'] in self.services['namespaces'])

    def is_allowed(self, kind: str, address: str) -> bool:
        allow = [ipaddress.ip_network(text) for text in self.services['allow']]
        return any(ipaddress.ip_address(address) in network for network in allow) or not allow and kind != 'external_ip'

    # The node

    def against_node(self, service: Object, kind: str) -> set[str]:
        if self.drain == 'withdrawn':
            return {'node_drained'}
        if not self.node:
            return set()
        on, nodes = self.announce['withdraw_on'], self.settings(service).get('nodes')
        return {word for word, true in {
            'node_excluded': 'exclude_label' in on and kind != 'cluster_ip' and self.is_excluded(),
            'node_network_unavailable': 'network_unavailable' in on and condition(self.node, 'NetworkUnavailable'),
            'node_not_ready': 'not_ready' in on and not condition(self.node, 'Ready'),
            'node_out_of_service': 'out_of_service' in on and self.is_tainted(OUT_OF_SERVICE),
            'node_of_class': nodes and not selects(nodes, self.node['metadata'].get('labels', {})),
        }.items() if true}

    def is_excluded(self) -> bool:
        label = self.node['metadata'].get('labels', {}).get(EXCLUDE)
        return label is not None and parse_bool(label) is not False

    def is_tainted(self, key: str) -> bool:
        return any(taint['key'] == key for taint in self.node['spec'].get('taints', []))

    def drains(self, signalled: bool, node_known: bool) -> bool:
        """Does anything want the node to be drained? node_known: there was one."""
        on, node = self.announce['drain_on'], self.node
        if signalled and 'signal' in on or node is None and node_known and 'deletion' in on:
            return True
        return node is not None and any((
            'annotation' in on and parse_bool(node['metadata'].get('annotations', {}).get(f'{PREFIX}drain', '')),
            'taint' in on and any(self.is_tainted(key) for key in self.announce['drain_taints']),
            'deletion' in on and 'deletionTimestamp' in node['metadata'],
            'shutdown' in on and any(c['type'] == 'Ready' and c['status'] != 'True' and 'node is shutting down' in c.get('message', '')
                                     for c in node['status']['conditions']),
            'cordon' in on and node['spec'].get('unschedulable', False)))

    # What the service says for itself, and its class

    def annotation(self, service: Object, word: str) -> str:
        """'': nothing, or it may not."""
        allowed = word in self.services['annotations']
        return service['metadata'].get('annotations', {}).get(PREFIX + word, '') if allowed else ''

    def settings(self, service: Object) -> dict[str, Any]:
        """All that a class may say, as it is for this service."""
        common = {key: self.announce[key] for key in ('tag', 'metric', 'degraded_tag', 'weight', 'weight_limit')}
        common.update({key: self.services[key] for key in ('scope', 'min_ready')})
        common.update(next((found for found in (self.class_of(service), self.policy_of(service)) if found is not None), {}))
        if (scope := self.annotation(service, 'scope')) in ('local', 'auto', 'cluster'):
            common['scope'] = scope
        if re.fullmatch(r'[1-9]\d{0,5}|([1-9]\d?|100)%', number := self.annotation(service, 'min-ready')):
            common['min_ready'] = number
        return common

    def class_of(self, service: Object) -> dict[str, Any] | None:
        """That which it names, if it may."""
        named: dict[str, Any] | None = self.config['classes'].get(self.annotation(service, 'class'))
        good = named is not None and (not named.get('namespaces') or service['metadata']['namespace'] in named['namespaces'])
        return named if good else None

    def policy_of(self, service: Object) -> dict[str, Any] | None:
        """The settings of the policy of the highest priority, or of the first by name."""
        found = [spec for spec in self.policies() if self.is_subject(service, spec)]
        if not found:
            return None
        settings = max(found, key=lambda spec: spec.get('priority', 0)).get('settings', {})
        return {re.sub('[A-Z]', lambda letter: '_' + letter[0].lower(), key): value for key, value in settings.items()}

    def policies(self) -> list[Object]:
        return [item['spec'] for item in self.by_kind['AnnouncementPolicy']]

    def is_subject(self, service: Object, policy: Object) -> bool:
        return (service['metadata']['namespace'] in policy.get('namespaces', [service['metadata']['namespace']])
                and selects_by(policy.get('serviceSelector', {}), service['metadata'].get('labels', {}))
                and self.is_policy_of_node(policy))

    def is_policy_of_node(self, policy: Object) -> bool:
        selector = policy.get('nodeSelector', {})
        return not selector or self.node is not None and selects_by(selector, self.node['metadata'].get('labels', {}))

    def is_cluster_wide(self, service: Object, kind: str) -> bool:
        scope, spec = self.settings(service)['scope'], service['spec']
        if scope == 'auto':
            policy = spec.get('internalTrafficPolicy' if kind == 'cluster_ip' else 'externalTrafficPolicy', 'Cluster')
            return policy == 'Cluster'
        return scope == 'cluster'

    # Pods and endpoints: how many could serve, are ready, or serve though they terminate

    def counted(self, service: Object, kind: str, address: str) -> tuple[int, int, int] | str:
        meta, selector = service['metadata'], service['spec'].get('selector') or {}
        if (meta['namespace'], meta['name']) == ('default', 'kubernetes') and not selector:
            return 'api_server'
        wide = self.is_cluster_wide(service, kind)
        if selector and not wide:
            return self.count_pods(service, selector, ipaddress.ip_address(address).version)
        slices = [s for s in self.by_kind['EndpointSlice'] if s['metadata']['namespace'] == meta['namespace']
                  and s['metadata'].get('labels', {}).get('kubernetes.io/service-name') == meta['name']]
        return self.count_endpoints(slices, wide, ipaddress.ip_address(address).version) if slices else 'no_endpoint_slices'

    def count_pods(self, service: Object, selector: dict[str, str], version: int) -> tuple[int, int, int]:
        able = ready = terminating = 0
        for pod in self.by_kind['Pod']:
            meta, status = pod['metadata'], pod.get('status', {})
            if not self.is_counted_pod(service, pod) or not selector.items() <= meta.get('labels', {}).items():
                continue
            addresses = [ipaddress.ip_address(entry['ip']).version for entry in status.get('podIPs', [])]
            if addresses and version not in addresses:
                continue
            able += 1
            if addresses:
                state = self.pod_state(service, pod)
                ready, terminating = ready + (state == 'ready'), terminating + (state == 'terminating')
        return able, ready, terminating

    def is_counted_pod(self, service: Object, pod: Object) -> bool:
        return (pod['metadata']['namespace'] == service['metadata']['namespace'] and pod['spec'].get('nodeName') == self.name
                and pod.get('status', {}).get('phase') not in ('Succeeded', 'Failed'))

    def pod_state(self, service: Object, pod: Object) -> str:
        if service['spec'].get('publishNotReadyAddresses'):
            return 'ready'
        if not condition(pod, 'Ready') or self.is_broken(pod):
            return ''
        return 'terminating' if 'deletionTimestamp' in pod['metadata'] else 'ready'

    def is_broken(self, pod: Object) -> bool:
        return any(status.get('state', {}).get('waiting', {}).get('reason') in BROKEN
                   for status in pod['status'].get('containerStatuses', []))

    def count_endpoints(self, slices: list[Object], wide: bool, version: int) -> tuple[int, int, int]:
        able = ready = terminating = 0
        seen: set[str] = set()
        for item in slices:
            for endpoint in item['endpoints'] if item['addressType'] == f'IPv{version}' else []:
                address = endpoint['addresses'][0]
                if (not wide and endpoint.get('nodeName') != self.name) or address in seen:
                    continue
                seen.add(address)
                state = self.endpoint_state(endpoint.get('conditions', {}))
                able, ready, terminating = able + 1, ready + (state == 'ready'), terminating + (state == 'terminating')
        return able, ready, terminating

    def endpoint_state(self, conditions: Object) -> str:
        """What is missing, or null, is ready, serving, not terminating."""
        conditions = {key: value for key, value in conditions.items() if value is not None}
        if conditions.get('ready', True):
            return 'ready'
        serving = conditions.get('serving', conditions.get('ready', True))
        return 'terminating' if serving and conditions.get('terminating', False) else ''

    def needed(self, service: Object, able: int) -> int:
        text = str(self.settings(service)['min_ready'])
        return max(1, math.ceil(able * int(text[:-1]) / 100)) if text.endswith('%') else int(text)

    def marks(self, settings: dict[str, Any], serving: int, degraded: bool) -> tuple[int, int]:
        """Tag and metric."""
        weight = min(serving, settings['weight_limit'])
        tag, metric = settings['tag'], settings['metric']
        if degraded:
            tag = settings['degraded_tag']
        elif settings['weight'] == 'tag':
            tag += weight - 1
        if settings['weight'] == 'metric':
            metric += settings['weight_limit'] - weight
        return tag, metric


# Each is wrong in one point: who compares with it must notice.

class TerminatingIsReady(Model):
    def pod_state(self, service: Object, pod: Object) -> str:
        return 'ready' if condition(pod, 'Ready') else super().pod_state(service, pod)


class TerminatingNeverServes(Model):
    def pod_state(self, service: Object, pod: Object) -> str:
        return super().pod_state(service, pod).replace('terminating', '')


class NotReadyIsNeverPublished(Model):
    def pod_state(self, service: Object, pod: Object) -> str:
        return super().pod_state({**service, 'spec': {}}, pod)


class PodsOfOtherNamespaces(Model):
    def is_counted_pod(self, service: Object, pod: Object) -> bool:
        return super().is_counted_pod(service, {**pod, 'metadata': {**pod['metadata'], 'namespace': service['metadata']['namespace']}})


class PodsOfOtherNodes(Model):
    def is_counted_pod(self, service: Object, pod: Object) -> bool:
        return super().is_counted_pod(service, {**pod, 'spec': {'nodeName': self.name}})


class FinishedPods(Model):
    def is_counted_pod(self, service: Object, pod: Object) -> bool:
        return super().is_counted_pod(service, {**pod, 'status': {}})


class MissingIsNotReady(Model):
    def endpoint_state(self, conditions: Object) -> str:
        return super().endpoint_state({**conditions, 'ready': conditions.get('ready') or False})


class EndpointsTwice(Model):
    def count_endpoints(self, slices: list[Object], wide: bool, version: int) -> tuple[int, int, int]:
        counts = [super(EndpointsTwice, self).count_endpoints([item], wide, version) for item in slices]
        return sum(c[0] for c in counts), sum(c[1] for c in counts), sum(c[2] for c in counts)


class LastSliceWins(Model):
    def count_endpoints(self, slices: list[Object], wide: bool, version: int) -> tuple[int, int, int]:
        return super().count_endpoints(slices[-1:], wide, version)


class EndpointsAnywhere(Model):
    def count_endpoints(self, slices: list[Object], wide: bool, version: int) -> tuple[int, int, int]:
        return super().count_endpoints(slices, True, version)


class OnlyExternalPolicy(Model):
    def is_cluster_wide(self, service: Object, kind: str) -> bool:
        return super().is_cluster_wide(service, 'load_balancer_ip')


class ProxyMode(Model):
    def is_proxy(self, entry: Object) -> bool:
        return False


class AnyClass(Model):
    def class_handled(self, name: str) -> bool:
        return True


class ExternalEverywhere(Model):
    def is_allowed(self, kind: str, address: str) -> bool:
        return super().is_allowed('cluster_ip', address)


class NodesOwnAddresses(Model):
    def is_of_node(self, address: str) -> bool:
        return False


class ExternalAmongPods(Model):
    def is_of_pods(self, address: str) -> bool:
        return False


class ExternalInsteadOfCluster(Model):
    def is_of_another(self, service: Object, address: str) -> bool:
        return False


class OnlyTheConditionCounts(Model):
    def is_broken(self, pod: Object) -> bool:
        return False


class ExcludedByTrueOnly(Model):
    def is_excluded(self) -> bool:
        return parse_bool(self.node['metadata'].get('labels', {}).get(EXCLUDE, '')) is True


class ExcludedWithClusterIps(Model):
    def against_node(self, service: Object, kind: str) -> set[str]:
        return super().against_node(service, 'load_balancer_ip')


class OtherProxies(Model):
    def is_of_other_proxy(self, service: Object) -> bool:
        return False

    def is_served(self, service: Object) -> bool:
        return True


class NoOtherProxies(Model):
    def is_of_other_proxy(self, service: Object) -> bool:
        return PROXY in service['metadata'].get('labels', {})


class OptedOutByAnyText(Model):
    def opted_out(self, service: Object) -> bool:
        return self.annotation(service, 'announce') not in ('', 'true')


class AnnotationsAlwaysCount(Model):
    def annotation(self, service: Object, word: str) -> str:
        return service['metadata'].get('annotations', {}).get(PREFIX + word, '')


class FirstClaimCounts(Model):
    def in_order(self, claims: list[Claim]) -> list[Claim]:
        return claims


class LastClaimCounts(Model):
    def in_order(self, claims: list[Claim]) -> list[Claim]:
        return super().in_order(claims[::-1])


class SharesAreRoundedDown(Model):
    def needed(self, service: Object, able: int) -> int:
        text = str(self.settings(service)['min_ready'])
        return max(1, able * int(text[:-1]) // 100) if text.endswith('%') else int(text)


class NamespacesByName(Model):
    def namespace_selected(self, name: str) -> bool:
        return True


class WeightIsIgnored(Model):
    def marks(self, settings: dict[str, Any], serving: int, degraded: bool) -> tuple[int, int]:
        return super().marks({**settings, 'weight': 'none'}, serving, degraded)


class DeletedNodesAreForgotten(Model):
    def drains(self, signalled: bool, node_known: bool) -> bool:
        return super().drains(signalled, False)


class PoliciesAreIgnored(Model):
    def policy_of(self, service: Object) -> dict[str, Any] | None:
        return None


class PoliciesBeforeClasses(Model):
    def class_of(self, service: Object) -> dict[str, Any] | None:
        return self.policy_of(service) or super().class_of(service)


class FirstPolicyByName(Model):
    def policies(self) -> list[Object]:
        return [{**spec, 'priority': 0} for spec in super().policies()]


class PoliciesOfAnyNode(Model):
    def is_policy_of_node(self, policy: Object) -> bool:
        return True


class PoliciesOfAnyService(Model):
    def is_subject(self, service: Object, policy: Object) -> bool:
        return super().is_subject(service, {**policy, 'serviceSelector': {}})


class PoliciesOfAnyNamespace(Model):
    def is_subject(self, service: Object, policy: Object) -> bool:
        return super().is_subject(service, {key: value for key, value in policy.items() if key != 'namespaces'})


class DegradedLooksHealthy(Model):
    def marks(self, settings: dict[str, Any], serving: int, degraded: bool) -> tuple[int, int]:
        return super().marks(settings, serving, False)


WRONG = [value for value in list(globals().values()) if isinstance(value, type) and issubclass(value, Model) and value is not Model]
