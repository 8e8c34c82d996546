#!/usr/bin/python3
"""Random objects, faults, configurations and restarts: whatever happens, the daemon agrees with tests/lab/model.py.

A simulated API server (or a directory of manifests) tells of services, pods, the node, EndpointSlices and namespaces as
they come, go and change. At every quiet point the daemon's own word, the kernel's local routes and zebra's routes (now
and then the ToR's table, too) must be what the model says: which addresses, their tags and metrics, and for those that are
not announced a reason that the model knows.

    tests/scenario/test_model.py --seed 7 --rounds 500 [--layer slow] [--source files]      what CI found, once more
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterator

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / 'lab'), str(Path(__file__).resolve().parent)]
import pytest  # noqa: E402
from cosmolet import NODE, Cosmolet  # noqa: E402
from fake_api import Certificates  # noqa: E402
from lab import OPERATOR_ROUTES, Lab  # noqa: E402
from model import BROKEN, EXCLUDE, OUT_OF_SERVICE, PREFIX, PROXY, SCALE_DOWN, WRONG, Model, Object, key_of  # noqa: E402
from sandbox import public_directory, wait_until  # noqa: E402
from sim_api import SimApi  # noqa: E402

LONG = bool(os.environ.get('COSMOLET_TEST_LONG'))
NAMESPACES = ('default', 'shop', 'mail')
V4 = [f'10.96.0.{i}' for i in range(1, 21)]
V6 = [f'fd00:96::{i:x}' for i in range(1, 11)]
BALANCED = ['198.18.0.1', '198.18.0.2', '198.18.0.3', '2001:db8:5::1', '2001:db8:5::2', *V4[:3]]
EXTERNAL = ['203.0.113.1', '203.0.113.2', '203.0.113.3', '2001:db8:5::9', *V4[:3], V6[0], '169.254.9.9', '127.0.0.9', 'fe80::9']
OF_PODS = ['203.0.113.3/32', '10.244.0.0/24']  # nobody's addresses but an external IP
OF_NODE = [V4[19], BALANCED[0]]  # at times the node says that they are its own
TAG, DEGRADED_TAG, DRAIN_TAG, GOLD_TAG, SILVER_TAG, POLICY_TAG = 5000, 5900, 4713, 5100, 5200, 5300
TAGS = [*(tag + i for tag in (TAG, GOLD_TAG, SILVER_TAG, POLICY_TAG) for i in range(9)), DEGRADED_TAG, DRAIN_TAG]
SELECTORS: list[Object] = [
    {'matchLabels': {'tier': 'gold'}}, {'matchExpressions': [{'key': 'tier', 'operator': 'In', 'values': ['gold', 'silver']}]},
    {'matchExpressions': [{'key': 'tier', 'operator': 'NotIn', 'values': ['gold']}]}, {'matchLabels': {'tier': 'gold', 'team': 'web'}},
    {'matchExpressions': [{'key': 'tier', 'operator': 'Exists'}, {'key': 'team', 'operator': 'DoesNotExist'}]}]
REFUSED: list[Object] = [{'settings': {'tag': 100}}, {'settings': {'minReady': 'all'}}, {'priority': 'high'}, {'settings': {'colour': 1}},
                         {'serviceSelector': {'matchLabels': 7}}]
WITHOUT_EFFECT: Object = {  # of a service, on where it is announced
    'trafficDistribution': 'PreferSameNode', 'loadBalancerSourceRanges': ['192.0.2.0/24'], 'healthCheckNodePort': 30123,
    'allocateLoadBalancerNodePorts': False, 'sessionAffinity': 'ClientIP'}
QUIET = 30  # seconds at most; an event takes milliseconds, but a watch that was cut comes back after a second or two


class Disagreement(AssertionError):
    pass


class Cluster:
    """The objects, and what may become of them."""

    def __init__(self, r: random.Random, put: Callable[[Object], None], delete: Callable[[tuple[str, str, str]], None]) -> None:
        self.r, self._put, self._delete = r, put, delete
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.refused: set[tuple[str, str, str]] = set()  # policies whose last good text counts, which is in good
        self.good: dict[tuple[str, str, str], Object] = {}
        self.endpoints: dict[tuple[str, str], Object] = {}  # by namespace and address: an endpoint may be in several slices
        self.events = 0
        self.node_known = False  # to the daemon's process, which drains when it is deleted
        self.node_stays = False  # until it has been seen

    def put(self, item: Object, refused: bool = False) -> None:
        key = key_of(item)
        self.objects[key] = item
        self.refused.discard(key)
        self.node_known = self.node_known or key[0] == 'Node'
        if refused:
            self.refused.add(key)
        elif key[0] == 'AnnouncementPolicy':
            self.good[key] = item
        self.events += 1
        self._put(item)

    def delete(self, key: tuple[str, str, str]) -> None:
        if self.objects.pop(key, None) is not None:
            self.good.pop(key, None)
            self.refused.discard(key)
            self.events += 1
            self._delete(key)

    def forget_good(self) -> None:
        """Who begins anew has never seen what a policy said before it was refused."""
        for key in self.refused:
            self.good.pop(key, None)

    def in_force(self) -> list[Object]:
        return [item for key, item in self.objects.items() if key[0] != 'AnnouncementPolicy'] + list(self.good.values())

    def begin(self) -> None:
        for name in NAMESPACES:
            self.namespace(name)
        self.node(healthy=True)
        self.put({'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'kubernetes', 'namespace': 'default'},
                  'spec': {'type': 'ClusterIP', 'clusterIPs': ['10.96.0.99']}})
        self.put({'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': 'IPv4', 'metadata': {
            'name': 'kubernetes', 'namespace': 'default', 'labels': {'kubernetes.io/service-name': 'kubernetes'}},
            'endpoints': [{'addresses': ['192.0.2.77'], 'nodeName': NODE}]})
        for _ in range(80):
            self.any()
        for _ in range(20):
            self.slice()

    def any(self) -> None:
        """One change, of one object or a few."""
        self.r.choices([self.pod, self.service, self.slice, self.endpoint, self.node, self.namespace, self.policy],
                       [60, 14, 8, 12, 2, 0.7, 1])[0]()

    def chance(self, probability: float) -> bool:
        return self.r.random() < probability

    def labels(self) -> dict[str, str]:
        return {'app': self.r.choice('abcd'), **({'tier': self.r.choice('xy')} if self.chance(0.7) else {})}

    def service(self) -> None:
        r = self.r
        namespace, name = r.choice(NAMESPACES), f's{r.randrange(9)}'
        key = ('Service', namespace, name)
        if self.chance(0.15):
            self.delete(key)
            return
        kind = r.choices(['ClusterIP', 'LoadBalancer', 'ExternalName', 'headless', 'pending'], [50, 50, 3, 5, 3])[0]
        spec: Object = {'type': 'ClusterIP' if kind in ('headless', 'pending') else kind}
        if kind in ('ClusterIP', 'LoadBalancer'):
            spec['clusterIPs'] = r.choice([[r.choice(V4)], [r.choice(V6)], [r.choice(V4), r.choice(V6)]])
        elif kind == 'headless':
            spec['clusterIPs'] = ['None']
        if kind != 'ExternalName' and self.chance(0.85):
            spec['selector'] = {k: v for k, v in self.labels().items() if k == 'app' or self.chance(0.4)}
        if self.chance(0.15):
            spec['externalIPs'] = r.sample(EXTERNAL, r.randint(1, 2))
        if self.chance(0.08):
            spec['publishNotReadyAddresses'] = True
        for policy in ('internalTrafficPolicy', 'externalTrafficPolicy'):
            if self.chance(0.7):
                spec[policy] = r.choice(['Local', 'Cluster'])
        for key in [key for key in WITHOUT_EFFECT if self.chance(0.05)]:
            spec[key] = WITHOUT_EFFECT[key]
        meta: Object = {'name': name, 'namespace': namespace, 'annotations': self.annotations()}
        meta['labels'] = {key: r.choice(values) for key, values in {'tier': ['gold', 'silver'], 'team': ['web', 'ops']}.items()
                          if self.chance(0.4)}
        if self.chance(0.12):
            meta['labels'][PROXY] = r.choice(['other', 'ours'])
        if self.chance(0.04):
            meta['deletionTimestamp'] = '2030-01-01T00:00:00Z'
        status: Object = {}
        if kind == 'LoadBalancer':
            if self.chance(0.3):
                spec['loadBalancerClass'] = r.choice(['example.com/a', 'example.com/b'])
            entries: list[Object] = [{'ip': a, **({'ipMode': r.choice(['Proxy', 'VIP'])} if self.chance(0.2) else {})}
                                     for a in r.sample(BALANCED, r.randint(0, 2))]
            status = {'loadBalancer': {'ingress': entries + ([{'hostname': 'lb.example'}] if self.chance(0.1) else [])}}
        self.put({'apiVersion': 'v1', 'kind': 'Service', 'metadata': meta, 'spec': spec, 'status': status})

    def annotations(self) -> dict[str, str]:
        choices = {'announce': ['false', 'true', '0', 'nope'], 'class': ['gold', 'silver', 'closed', 'nobodys'],
                   'scope': ['local', 'auto', 'cluster', 'here'], 'min-ready': ['1', '2', '3', '50%', '67%', '100%', '0', 'all']}
        return {PREFIX + word: self.r.choice(values) for word, values in choices.items() if self.chance(0.12)}

    def pod(self) -> None:
        r = self.r
        namespace, name = r.choice(NAMESPACES), f'p{r.randrange(16)}'
        key = ('Pod', namespace, name)
        old = self.objects.get(key)
        if old and self.chance(0.1):
            self.delete(key)
        elif old and self.chance(0.75):
            self.put({**old, 'status': self.pod_status()})
        else:
            meta: Object = {'name': name, 'namespace': namespace, 'labels': self.labels()}
            if self.chance(0.15):
                meta['deletionTimestamp'] = '2030-01-01T00:00:00Z'
            self.put({'apiVersion': 'v1', 'kind': 'Pod', 'metadata': meta, 'spec': {'nodeName': NODE if self.chance(0.85) else 'node-2'},
                      'status': self.pod_status()})

    def pod_status(self) -> Object:
        r = self.r
        ips = r.choices([['10.244.0.1', 'fd00:244::1'], ['10.244.0.1'], ['fd00:244::1'], []], [80, 10, 5, 5])[0]
        return {'phase': r.choices(['Running', 'Pending', 'Succeeded', 'Failed'], [85, 5, 5, 5])[0],
                'podIPs': [{'ip': ip} for ip in ips],
                'containerStatuses': [{'name': 'c', 'restartCount': 3, 'state': r.choices(
                    [{'running': {}}, {'waiting': {'reason': 'ContainerCreating'}}, {'waiting': {'reason': r.choice(BROKEN)}}],
                    [94, 2, 4])[0]}],
                'conditions': [{'type': 'ContainersReady', 'status': 'True'},
                               {'type': 'Ready', 'status': r.choices(['True', 'False', 'Unknown'], [75, 22, 3])[0]}]}

    def slice(self) -> None:
        r = self.r
        namespace, of = r.choice(NAMESPACES), f's{r.randrange(9)}'
        key = ('EndpointSlice', namespace, f'{of}-{r.randrange(3)}')
        if self.chance(0.2):
            self.delete(key)
            return
        kind = r.choices(['IPv4', 'IPv6', 'FQDN'], [65, 30, 5])[0]
        pool = {'IPv4': [f'10.244.1.{i}' for i in range(1, 7)], 'IPv6': [f'fd00:244:1::{i}' for i in range(1, 5)],
                'FQDN': ['host.example']}[kind]
        addresses = r.sample(pool, r.randint(0, min(4, len(pool))))
        labels = {} if self.chance(0.03) else {'kubernetes.io/service-name': of}
        if self.chance(0.02):
            labels['service.kubernetes.io/headless'] = ''
        self.put({'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': kind, 'metadata': {
            'name': key[2], 'namespace': namespace, 'labels': labels},
            'endpoints': [self.endpoint_at(namespace, address) for address in addresses], 'ports': []})

    def endpoint_at(self, namespace: str, address: str, anew: bool = False) -> Object:
        r = self.r
        if anew or (namespace, address) not in self.endpoints:
            ready = r.choice([True, True, False, None])
            conditions = {'ready': ready, 'serving': r.choice([True, False, None]), 'terminating': r.choice([True, False, None])}
            made: Object = {'addresses': [address], 'conditions': {k: v for k, v in conditions.items() if v is not None or self.chance(0.2)}}
            if self.chance(0.1):
                made['hints'] = {'forZones': [{'name': 'elsewhere'}]}
            if self.chance(0.1):
                made['hostname'] = NODE  # which is no nodeName
            if self.chance(0.85):
                made['nodeName'] = r.choice([NODE, 'node-2'])
            self.endpoints[namespace, address] = made
        return self.endpoints[namespace, address]

    def endpoint(self) -> None:
        """One endpoint changes, wherever it stands."""
        if not self.endpoints:
            return
        namespace, address = self.r.choice(sorted(self.endpoints))
        made = self.endpoint_at(namespace, address, anew=True)
        for key, item in sorted(self.objects.items()):
            if key[0] == 'EndpointSlice' and key[1] == namespace and any(e['addresses'] == [address] for e in item['endpoints']):
                self.put({**item, 'endpoints': [made if e['addresses'] == [address] else e for e in item['endpoints']]})

    def node(self, healthy: bool = False) -> None:
        def seldom(probability: float = 0.04) -> bool:
            return not healthy and self.chance(probability)

        r = self.r
        if seldom(0.1):
            if not self.node_stays:
                self.delete(('Node', '', NODE))
            return
        meta: Object = {'name': NODE, 'labels': {'rack': r.choice('ab')}, 'annotations': {}}
        if seldom(0.3):
            meta['labels'][EXCLUDE] = r.choice(['true', 'false', '', 'yes'])
        if seldom(0.08):
            meta['annotations'][f'{PREFIX}drain'] = r.choice(['true', 'false', 'soon'])
        if seldom(0.03):
            meta['deletionTimestamp'] = '2030-01-01T00:00:00Z'
        taints = [{'key': key, 'effect': 'NoSchedule'} for key in (SCALE_DOWN, OUT_OF_SERVICE, 'example.com/other') if seldom()]
        self.put({'apiVersion': 'v1', 'kind': 'Node', 'metadata': meta,
                  'spec': {'unschedulable': seldom(0.1), 'taints': taints, 'podCIDRs': OF_PODS},
                  'status': {'addresses': [{'type': 'Hostname', 'address': NODE}] + [
                      {'type': r.choice(['InternalIP', 'ExternalIP']), 'address': a} for a in OF_NODE if seldom(0.3)],
                      'conditions': [{'type': 'Ready', 'status': 'False' if seldom(0.08) else 'True', 'reason': 'KubeletReady',
                                      'message': 'node is shutting down' if seldom(0.3) else 'kubelet is posting ready status'},
                                     {'type': 'NetworkUnavailable', 'status': 'True' if seldom() else 'False'}]}})

    def namespace(self, name: str = '') -> None:
        name = name or self.r.choice(NAMESPACES)
        if self.objects.get(('Namespace', '', name)) and self.chance(0.2):
            self.delete(('Namespace', '', name))
            return
        self.put({'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name, 'labels': {
            'team': self.r.choice(['web', 'ops']), **({'private': ''} if self.chance(0.2) else {})}}})

    def policy(self) -> None:
        r = self.r
        name = f'y{r.randrange(4)}'
        if self.chance(0.25):
            self.delete(('AnnouncementPolicy', '', name))
            return
        spec: Object = {'settings': {'tag': POLICY_TAG, 'weight': r.choice(['none', 'tag', 'metric']), 'weightLimit': r.choice([2, 3, 8]),
                                     'degradedTag': r.choice([0, DEGRADED_TAG])}}
        for key, values in {'scope': ['local', 'auto', 'cluster'], 'minReady': [1, 2, '50%'], 'metric': [20, 30]}.items():
            if self.chance(0.4):
                spec['settings'][key] = r.choice(values)
        for key, selectors in {'serviceSelector': SELECTORS, 'nodeSelector': [{'matchLabels': {'rack': 'a'}}],
                               'namespaces': [['shop'], ['shop', 'mail']], 'priority': [-1, 5, 5, 10]}.items():
            if self.chance(0.5):
                spec[key] = r.choice(selectors)
        self.put(policy_object(name, spec))


def policy_object(name: str, spec: Object) -> Object:
    return {'apiVersion': 'cosmolet.platformbuilds.io/v1alpha1', 'kind': 'AnnouncementPolicy', 'metadata': {'name': name}, 'spec': spec}


def live_config(r: random.Random) -> dict[str, dict[str, Any]]:
    """Keys that take effect without anything being made anew."""
    def some(words: list[str]) -> list[str]:
        return [word for word in words if r.random() < 0.7]

    def fewer(words: list[str]) -> list[str]:
        return [word for word in words if r.random() < 0.4]

    return {
        'services': {'addresses': r.choice([['cluster_ip', 'load_balancer_ip', 'external_ip']] * 6 + [['load_balancer_ip'], ['cluster_ip']]),
                     'allow': r.choice([[], [], ['0.0.0.0/0', '::/0'], ['203.0.113.0/24', '10.0.0.0/8', 'fd00::/8', '198.18.0.0/15'],
                                        ['0.0.0.0/0', '::/0'], ['2001:db8::/32', '203.0.113.2/32', '10.96.0.0/28']]),
                     'load_balancer_classes': r.choice([['*'], ['*'], ['', 'example.com/a'], ['example.com/b']]),
                     'scope': r.choices(['local', 'auto', 'cluster'], [60, 30, 10])[0],
                     'min_ready': r.choice([1, 1, 1, 2, '50%', '100%', '34%']),
                     'annotations': r.choice([['announce', 'class', 'scope', 'min-ready']] * 3 + [['announce'], []])},
        # What stability puts off comes in the end: it is as if it were not there, at a quiet point.
        'stability': r.choices([{}, {'rise_seconds': 1}, {'fall_seconds': 1}, {'anchor_percent': 30, 'anchor_seconds': 5, 'anchor_hold_seconds': 2},
                                {'damping_half_life_seconds': 1, 'damping_suppress': 1500, 'damping_max_seconds': 3}], [80, 5, 5, 5, 5])[0],
        'announce': {'metric': r.choice([0, 0, 10]),
                     'withdraw_on': some(['exclude_label', 'network_unavailable', 'service_deletion', 'not_ready', 'out_of_service']),
                     'drain_on': fewer(['annotation', 'taint', 'deletion', 'cordon', 'signal', 'shutdown']), 'drain_seconds': r.choice([0, 1]),
                     'drain_taints': r.choice([[SCALE_DOWN], [SCALE_DOWN], [SCALE_DOWN, 'example.com/other'], [OUT_OF_SERVICE], []])},
    }


def new_life_config(r: random.Random) -> dict[str, dict[str, Any]]:
    """Keys for which the parts are made anew."""
    gold: dict[str, Any] = {'tag': GOLD_TAG, 'metric': 5, 'min_ready': r.choice([1, 2, '50%']), 'degraded_tag': DEGRADED_TAG,
                            'weight': r.choice(['none', 'tag', 'metric']), 'weight_limit': r.choice([2, 3, 8])}
    silver: dict[str, Any] = {'tag': SILVER_TAG, 'scope': r.choice(['local', 'auto', 'cluster'])}
    if r.random() < 0.5:
        silver['nodes'] = r.choice(['rack=a', 'rack in (a,b)', '!rack', f'rack!=b,!{EXCLUDE}'])
    return {'services': {'proxies': r.choice([[], ['ours'], ['ours', 'third']]),
                         'namespaces': r.choice([[], [], [], ['default', 'shop'], ['shop', 'mail']]),
                         'namespace_selector': r.choice([None, None, None, 'team=web', '!private', 'team in (web,ops),team!=ops'])},
            'announce': {'tag': TAG, 'drain_tag': DRAIN_TAG, 'degraded_tag': r.choice([0, 0, DEGRADED_TAG]),
                         'weight': r.choice(['none', 'none', 'tag', 'metric']), 'weight_limit': r.choice([1, 3, 8])},
            'classes': {'gold': gold, 'silver': silver, 'closed': {'tag': GOLD_TAG + 8, 'namespaces': ['shop']}}}


class Session:
    """One seed's way through all of it."""

    def __init__(self, lab: Lab, directory: Path, certificates: Certificates, seed: int, layer: str, source: str) -> None:
        self.lab, self.seed, self.layer, self.source = lab, seed, layer, source
        self.r = random.Random(f'{seed} {layer} {source}')
        self.api = SimApi(lab.node.namespace, certificates) if source == 'api' else None
        self.daemon = Cosmolet(lab.node, directory, announce={
            'policy_tags': [f'{POLICY_TAG}-{POLICY_TAG + 8}', str(DEGRADED_TAG)]}, **({'kubernetes': {
                'source': 'cluster', 'kubeconfig': str(certificates.kubeconfig(directory / 'kubeconfig'))}} if self.api else {}))
        self.files: dict[str, dict[tuple[str, str, str], Object]] = {}
        self.cluster = Cluster(self.r, self.api.put if self.api else self.file_put, self.api.delete if self.api else self.file_delete)
        self.fixed = {section: dict(keys) for section, keys in self.daemon.settings.items()}
        self.parts = [live_config(self.r), new_life_config(self.r)]
        self.signalled = False
        self.round = 0
        self.history: list[str] = []
        self.did: Counter[str] = Counter()
        self.unnoticed = {wrong.__name__: wrong for wrong in WRONG}
        self.configured = 0.0  # when the configuration was written last
        self.read_log = 0

    # The two sources

    def file_of(self, key: tuple[str, str, str]) -> str:
        return f'{key[0].lower()}-{sum(map(ord, "".join(key))) % 5}'

    def file_put(self, item: Object) -> None:
        self.files.setdefault(self.file_of(key_of(item)), {})[key_of(item)] = item
        self.write_file(self.file_of(key_of(item)))

    def file_delete(self, key: tuple[str, str, str]) -> None:
        del self.files[self.file_of(key)][key]
        self.write_file(self.file_of(key))

    def write_file(self, name: str) -> None:
        self.daemon.manifest(name, *self.files[name].values())

    # The configuration

    def configure(self) -> None:
        merged: dict[str, Any] = {section: dict(keys) for section, keys in self.fixed.items()}
        for part in self.parts:
            for section, keys in part.items():
                merged[section] = {**merged.get(section, {}), **{k: v for k, v in keys.items() if v is not None}}
        self.daemon.settings = merged
        self.configured = time.time()
        self.daemon.write_config()

    def wait_configured(self) -> None:
        """Until the daemon has read what was written last: it lets a file settle first."""
        wait_until(lambda: self.daemon.metric('config_last_reload_success_timestamp_seconds') >= self.configured, 20,
                   'the configuration to be read', explain=self.daemon.tail)

    # What is compared

    def model(self, kind: type[Model] | None = None) -> Model:
        kind = kind or Model
        objects = self.cluster.in_force()
        drains = kind(self.daemon.settings, objects, NODE).drains(self.signalled, self.cluster.node_known)
        return kind(self.daemon.settings, objects, NODE, 'withdrawn' if drains else 'none')

    def difference(self, tor: bool = False) -> str:
        """'': none."""
        model = self.model()
        wanted, claims = model.wanted(), model.claims()
        code, answer = self.daemon.get('/status')
        if code != 200:
            return 'the daemon does not answer'
        status = json.loads(answer)
        if not status['kubernetes']['synced']:
            return 'the daemon does not know the cluster yet'
        rows = {plain(row['address']): row for row in status['addresses'] if row['services']}
        said = {address: (row['tag'], row['metric']) for address, row in rows.items() if row['state'] == 'announced'}
        for name, got, want in (('the daemon', said, wanted), ('the kernel', self.kernel(), set(wanted)), ('zebra', self.zebra(), wanted)):
            if got != want:
                return f'{name} differs: {sorted(got.items() if isinstance(got, dict) else got)}'
        for address, row in rows.items():
            of = claims.get(address, [])
            reasons = {of[0].up} if of and of[0].up else set().union(*(claim.against for claim in of))
            if row['state'] not in ('announced', 'down') or row['reason'] not in reasons:
                return f'{address} is {row["state"]} because of {row["reason"]}, and not of {reasons}'
        if tor and (got := {plain(p.split('/')[0]): route.communities for p, route in self.lab.tor.services().items()}) != {
                a: frozenset({f'65001:{tag}'}) for a, (tag, _) in wanted.items()}:
            return f'the ToR differs: {sorted(got)}'
        return ''

    def kernel(self) -> set[str]:
        return {plain(route['dst']) for route in self.lab.node.routes('local') if str(route.get('protocol')) == '237'}

    def zebra(self) -> dict[str, tuple[int, int]]:
        routes = [item for family in ('ip', 'ipv6') for item in
                  json.loads(self.lab.node.vty('zebra', f'show {family} route static json') or '{}').items()]
        return {plain(prefix.split('/')[0]): (entries[0].get('tag', 0), entries[0]['metric'])
                for prefix, entries in routes if prefix not in OPERATOR_ROUTES}

    def agree(self, tor: bool) -> None:
        """Waits until nothing differs."""
        found = ''

        def agrees() -> bool:
            nonlocal found
            found = self.difference(tor)
            return not found

        try:
            wait_until(agrees, QUIET, 'agreement', interval=0.01)
        except TimeoutError:
            raise Disagreement(self.report(found)) from None

    def quiet(self) -> None:
        self.agree(tor=self.layer == 'slow' or self.round % 10 == 0)
        self.cluster.node_stays = False
        wanted = self.model().wanted()
        for name, wrong in list(self.unnoticed.items()):
            if self.model(wrong).wanted() != wanted:
                del self.unnoticed[name]

    def whys(self, model: Model) -> str:
        """What the daemon says of the addresses that differ."""
        code, answer = self.daemon.get('/status')
        said = {plain(a['address']) for a in json.loads(answer)['addresses'] if a['state'] != 'down'} if code == 200 else set()
        return ''.join(self.daemon.get(f'/why?q={address}')[1] for address in sorted(said ^ set(model.wanted())))

    def report(self, found: str) -> str:
        model = self.model()
        return (f'seed {self.seed}, round {self.round}: {found}\n{self.whys(model)}\nmodel: {sorted(model.wanted().items())}\n'
                f'objections: {({a: [c.against for c in cs] for a, cs in model.claims().items() if not cs[0].up})}\n'
                f'last: {self.history[-12:]}\nsettings: {json.dumps(self.daemon.settings)}\n'
                f'objects: {json.dumps(list(self.cluster.objects.values()))}\n'
                f'again: tests/scenario/test_model.py --seed {self.seed} --rounds {self.round} --layer {self.layer} --source {self.source}\n'
                f'{self.daemon.tail(40)}')

    # What happens

    def run(self, rounds: int) -> None:
        try:
            self.configure()
            self.cluster.begin()
            self.cluster.node_known = ('Node', '', NODE) in self.cluster.objects
            self.daemon.start()
            self.quiet()
            for self.round in range(1, rounds + 1):
                self.r.choices([self.busy, self.traced], [80, 20])[0]()
            self.daemon.stop()
        finally:
            self.daemon.close()
            if self.api:
                self.api.close()
        assert self.daemon.command('withdraw', '--config', str(self.daemon.config)).returncode == 0
        self.lab.tor.wait_for(set())
        assert self.kernel() == set() and self.zebra() == {}

    def do(self, act: Callable[[], None]) -> None:
        # A process that has only just been started takes neither signals nor half a file.
        wait_until(lambda: self.daemon.get('/livez')[0] == 200, 10, 'life', explain=self.daemon.tail)
        name = getattr(act, '__name__', str(act))
        self.history.append(f'{self.round} {name}')
        self.did[name] += 1
        act()

    def busy(self) -> None:
        """Anything at once."""
        self.history.append(f'{self.round} busy')
        n = self.r.randint(1, 200)
        faults = self.faults(self.r)
        at = sorted(self.r.randrange(n) for _ in faults)
        for i in range(n):
            while at and at[0] == i:
                at.pop(0)
                self.do(faults.pop(0))
            self.cluster.any()
        self.quiet()

    def traced(self) -> None:
        """Pods alone, one change after the other: what was to be announced all the time was not withdrawn for a moment."""
        self.history.append(f'{self.round} traced')
        # What may seem to agree because it was not read yet.
        self.wait_configured()
        # The other rounds look at the ToR only now and then: what they took away may still be on its way there.
        self.agree(tor=True)
        always = self.model().wanted().keys()
        mark = time.time()
        for act in self.faults(self.r, harmless=True):
            self.do(act)
        always &= self.model().wanted().keys()
        for _ in range(self.r.randint(1, 20)):
            self.cluster.pod()
            always &= self.model().wanted().keys()
        self.quiet()
        gone = {plain(e.prefix.split('/')[0]) for e in self.lab.tor.events(mark, ['withdraw'])} & always
        if gone:
            raise Disagreement(self.report(f'withdrawn though wanted all the time: {sorted(gone)}'))

    def faults(self, r: random.Random, harmless: bool = False) -> list[Callable[[], None]]:
        """Some of what may go wrong; harmless: of what the network must not notice."""
        slow = self.layer == 'slow'
        odds: list[tuple[float, Callable[[], None]]] = [(0.05, self.routes_deleted)]
        if slow:
            odds += [(0.06, self.cosmolet_killed), (0.06, self.cosmolet_terminated)]
        if not harmless:
            odds += [(0.15, self.other_settings), (0.15 if slow else 0.02, self.other_life), (0.05, self.config_broken),
                     (0.05, self.signal), (0.05, self.policy_refused), (0.12 if slow else 0, self.frr_restarted)]
        if self.api:
            odds += [(0.08, self.garbage), (0.03, self.watches_end), (0.04 if slow else 0.01, self.connections_cut)]
            if not harmless:
                odds += [(0.06, self.versions_expire), (0.06, self.events_are_missed)]
        return [act for odd, act in odds if r.random() < odd]

    def other_settings(self) -> None:
        self.parts[0] = live_config(self.r)
        self.configure()

    def other_life(self) -> None:
        self.parts[1] = new_life_config(self.r)
        self.configure()
        # So that a crash does not come between: routes with tags that no later life knows would be nobody's.
        self.wait_configured()

    def config_broken(self) -> None:
        def refused() -> tuple[float]:
            return (self.daemon.total('config_reloads_total', 'result="refused"'),)  # it is logged once as long as it is the same

        before = wait_until(refused, 10, 'an answer', explain=self.daemon.tail)
        self.daemon.config.write_text('announce: {tag: [')
        wait_until(lambda: refused() > before, 10, 'the configuration to be refused', explain=self.daemon.tail)
        self.daemon.write_config()

    def policy_refused(self) -> None:
        """What it said before stays, and must be known before: so nothing else is under way."""
        self.quiet()
        name = f'y{self.r.randrange(4)}'
        self.cluster.put(policy_object(name, self.r.choice(REFUSED)), refused=True)
        wait_until(lambda: any(p['name'] == name and p.get('error') for p in self.daemon.status()['policies']), QUIET,
                   f'policy {name} to be refused', explain=self.daemon.tail)
        self.quiet()

    def signal(self) -> None:
        assert self.daemon.process
        self.signalled = not self.signalled
        self.daemon.process.send_signal(signal.SIGUSR1 if self.signalled else signal.SIGUSR2)

    def routes_deleted(self) -> None:
        """Somebody flushes the kernel's table."""
        for family in ('-4', '-6'):
            # Fails when cosmolet was faster with one of them.
            wait_until(lambda: self.lab.node.run(['ip', family, 'route', 'flush', 'table', 'local', 'proto', '237']).returncode == 0,
                       10, 'the routes to be flushed', explain=self.daemon.tail)

    def cosmolet_killed(self) -> None:
        self.daemon.kill()
        self.begin_again()

    def cosmolet_terminated(self) -> None:
        assert self.daemon.stop() == 0
        self.begin_again()

    def begin_again(self) -> None:
        self.signalled = False
        self.cluster.forget_good()
        self.cluster.node_known = self.cluster.node_stays = ('Node', '', NODE) in self.cluster.objects
        for _ in range(self.r.choice([0, 20])):
            self.cluster.pod()
        self.daemon.start(ready=False)

    def frr_restarted(self) -> None:
        self.lab.node.restart_all()

    # Of the API server

    def garbage(self) -> None:
        assert self.api
        line = self.r.choice([
            b'{"type": "ADDED", "object": {"metadata": {"name": 7}}}\n', b'{"type": "SOMETHING", "object": {}}\n', b'\n \n',
            b'{"type": "MODIFIED", "object": {"metadata": {"name": "s1", "namespace": "shop"}, "spec": [], "status": 7}}\n'])
        with self.api.lock:
            for watch in self.api.watches:
                watch.lines.put(line)

    def watches_end(self) -> None:
        assert self.api
        self.api.end_watches()

    def connections_cut(self) -> None:
        assert self.api
        self.api.end_watches(cleanly=False)

    def versions_expire(self) -> None:
        assert self.api
        self.api.forget()

    def events_are_missed(self) -> None:
        """Changes that no watch tells, and then all must list again."""
        assert self.api
        self.api.deaf = True
        for _ in range(self.r.randint(1, 30)):
            self.cluster.any()
        self.api.deaf = False
        self.api.forget()


def plain(address: str) -> str:
    return str(ipaddress.ip_address(address))


@contextlib.contextmanager
def prepared(lab: Lab) -> Iterator[None]:
    """An operator who has a community for each of our tags."""
    for name in ('SVC', 'SVC6'):
        lines = [line for i, tag in enumerate(TAGS) for line in (
            f'route-map {name} permit {100 + i}', f'match tag {tag}', f'set community 65001:{tag} additive')]
        lab.node.configure(*lines)
        lab.node.config += '\n'.join(line if line.startswith('route-map') else f' {line}' for line in lines) + '\n'
    (lab.node.directory / 'etc' / 'frr.conf').write_text(lab.node.config)
    yield


def play(lab: Lab, seed: int, rounds: int, layer: str, source: str) -> Session:
    print(f'seed {seed}, {rounds} rounds, {layer}, {source}', flush=True)
    began = time.monotonic()
    with public_directory() as keys, public_directory() as directory:
        session = Session(lab, directory, Certificates(keys), seed, layer, source)
        session.run(rounds)
    print(f'{session.cluster.events} events, {time.monotonic() - began:.0f} s, {dict(session.did)}; '
          f'unnoticed: {list(session.unnoticed)}', flush=True)
    return session


@pytest.fixture(scope='module')
def network() -> Iterator[Lab]:
    with Lab() as lab, prepared(lab):
        yield lab


SEED = int(os.environ.get('COSMOLET_TEST_SEED') or (time.time() if LONG else 1))  # 1: short, and every wrong rule comes to light


def test_fast(network: Lab, cosmolet: Path) -> None:
    """Thousands of events; and each wrong rule would have been noticed on the way."""
    session = play(network, SEED, 1500 if LONG else 100, 'fast', 'api')
    assert session.unnoticed == {} or 'COSMOLET_TEST_SEED' in os.environ


def test_manifests(network: Lab, cosmolet: Path) -> None:
    play(network, SEED, 1000 if LONG else 20, 'fast', 'files')


def test_slow(network: Lab, cosmolet: Path) -> None:
    """With ends and restarts of everything, the ToR at each point."""
    play(network, SEED, 400 if LONG else 12, 'slow', 'api')


def test_notices(network: Lab, cosmolet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong rule in the model itself is found, and the report says how to see it again."""
    monkeypatch.setattr(sys.modules[__name__], 'Model', WRONG[0])
    monkeypatch.setattr(sys.modules[__name__], 'QUIET', 2)
    with pytest.raises(Disagreement, match=r'seed 1, round \d+: '):
        play(network, 1, 50, 'fast', 'api')


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--rounds', type=int, default=200)
    parser.add_argument('--layer', choices=['fast', 'slow'], default='fast', help='slow: with ends and restarts of everything')
    parser.add_argument('--source', choices=['api', 'files'], default='api')
    parser.add_argument('--release', default='8.4', help="the node's FRR")
    arguments = parser.parse_args()
    with Lab(arguments.release) as lab, prepared(lab):
        play(lab, arguments.seed, arguments.rounds, arguments.layer, arguments.source)


if __name__ == '__main__':
    main()
