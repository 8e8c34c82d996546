"""The Helm chart, as far as it can be tried without Helm, which Debian does not have.

Helm's rendering, merging of values, lint and installing are NOT covered here. What is: the schema, by a real JSON Schema
validator; the templates, by the libraries that Helm's engine is made of (gotemplate/main.go tells what that leaves out);
and what these make of them, by a real API server.
"""
from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml
from cosmolet import BINARY
from fixtures import REPOSITORY
from kube import KubeApi
from manifests import CONTAINER, apply, crd, delete, kustomize, lost, objects_of

CHART = CONTAINER / 'chart'
SECRET = '/etc/cosmolet-tls'
Values = dict[str, Any]
FRR_CONF = (CONTAINER / 'frr' / 'unnumbered.conf').read_text()

# What people write, as they write it: each is accepted, rendered and applied.
GOOD: dict[str, str] = {
    'default': '',
    'the original\'s': '''
        replicaCount: 1
        image: {repository: platformbuilds/cosmolet, pullPolicy: IfNotPresent, tag: latest}
        config:
          services: {namespaces: [default, kube-system]}
          loopIntervalSeconds: 30
          bgp: {enabled: true, asn: 65001}
          logging: {level: info, format: text}
          frr: {socketPath: /var/run/frr, configPath: /etc/frr/frr.conf}
        resources: {limits: {cpu: 200m, memory: 256Mi}, requests: {cpu: 100m, memory: 128Mi}}
        tolerations: [{operator: Exists}]
        serviceAccount: {create: true, annotations: {}, name: ""}
        rbac: {create: true}
        securityContext: {privileged: true, runAsUser: 0}
        daemonset: {hostNetwork: true, hostPID: true}''',
    'sidecar': f'frr: {{layout: sidecar, sidecar: {{config: {json.dumps(FRR_CONF)}}}}}',
    'sidecar, own ConfigMap': 'frr: {layout: sidecar, sidecar: {existingConfigMap: my-frr}}',
    'watched': '''
        serviceMonitor: {enabled: true, interval: 30s, scrapeTimeout: 10s, additionalLabels: {release: prometheus}}
        podMonitor: {enabled: true, relabelings: [{action: labeldrop, regex: pod}], metricRelabelings: [{action: keep, sourceLabels: [__name__]}]}
        prometheusRule: {enabled: true, additionalLabels: {release: prometheus}, rules: [{alert: Mine, expr: vector(1)}]}
        dashboard: {enabled: true}
        networkPolicy: {enabled: true, from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}''',
    'TLS': '''
        metrics: {tls: {secretName: cosmolet-tls, clientCA: true}}
        startupProbe: {httpGet: {path: /livez, port: metrics}}
        podMonitor: {enabled: true, tlsConfig: {ca: {secret: {name: cosmolet-tls, key: ca.crt}}, serverName: cosmolet}}
        serviceMonitor: {enabled: true, tlsConfig: {insecureSkipVerify: true}, authorization: {credentials: {name: token, key: token}}}''',
    'namespaces by label': 'config: {services: {namespace_selector: team=shop}}',
    'classes': 'config: {classes: {gold: {tag: 4720, min_ready: 2, namespaces: [shop]}}}',
    'shares, numbers, on and off': '''
        config:
          services: {min_ready: 50%}
          classes: {gold: {min_ready: 100%}}
          announce: {policy_tags: [4720, 4730-4739]}
          frr: {verify_bgp: on}
          metrics: {per_service: off}''',
    'on and off as text': 'config: {frr: {verify_bgp: "on"}, metrics: {per_service: "off"}}',
    'addresses on lo': 'config: {announce: {redistribute: connected}, loopback: {mode: address}}',
    'its own seccomp profile': f'seccomp: {{enabled: true}}\nfrr: {{layout: sidecar, sidecar: {{config: {json.dumps(FRR_CONF)}}}}}',
    'no metrics outside': 'metrics: {enabled: false, port: 9999}',
    'without loopback': '''
        hostNetwork: false
        config: {loopback: {mode: none}, announce: {redistribute: openfabric, tag: 4200000000}}''',
    'without loopback, no metrics outside': 'hostNetwork: false\nmetrics: {enabled: false}\nconfig: {loopback: {mode: none}}',
    'names, pull secrets, extras': '''
        nameOverride: announcer
        fullnameOverride: the-announcer
        image: {registry: registry.example:5000, digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
        imagePullSecrets: [{name: pull}]
        serviceAccount: {create: false, name: mine}
        rbac: {create: false}
        podAnnotations: {a: b}
        podLabels: {team: network}
        podSecurityContext: {fsGroup: 0}
        nodeSelector: {kubernetes.io/os: linux}
        affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: edge, operator: Exists}]}]}}}
        startupProbe: {httpGet: {path: /livez, port: metrics}}
        extraArgs: [--dry-run]
        extraEnv: [{name: REGION, value: eu}]
        extraVolumes: [{name: kubeconfig, secret: {secretName: kubeconfig}}]
        extraVolumeMounts: [{name: kubeconfig, mountPath: /etc/kubeconfig}]
        extraContainers: [{name: beside, image: busybox}]
        extraObjects:
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: 'of-{{ .Release.Name }}', namespace: '{{ .Release.Namespace }}'}}
          - "apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: as-text, namespace: {{ .Release.Namespace }}}"''',
}

# What must be refused, and the name that the refusal must give.
BAD = {
    'imagee: {tag: x}': 'imagee',
    'image: {tag: 1.0}': 'tag',
    'image: {digest: latest}': 'digest',
    'image: {pullPolicy: Sometimes}': 'pullPolicy',
    'frr: {layout: daemonset}': 'layout',
    'frr: {hostPath: run/frr}': 'hostPath',
    'metrics: {port: 99999}': 'port',
    'seccomp: {enabled: cosmolet.json}': 'enabled',
    'seccomp: {hostPath: seccomp}': 'hostPath',
    'metrics: {enabled: "yes"}': 'enabled',
    'metrics: {tls: {secret: cosmolet-tls}}': 'secret',
    'config: {services: {adresses: [cluster_ip]}}': 'adresses',
    'config: {services: {addresses: [clusterIP]}}': 'addresses',
    'config: {announce: {tag: many}}': 'tag',
    'config: {announce: {tag: 0}}': 'tag',
    'config: {announce: {distance: 255}}': 'distance',
    'config: {stability: {anchor_percent: 101}}': 'anchor_percent',
    'config: {services: {min_ready: half}}': 'min_ready',
    'config: {classes: {gold: {min_ready: 0}}}': 'min_ready',
    'config: {loopback: {mode: bridge}}': 'mode',
    'config: {logging: {level: loud}}': 'level',
    'config: {classes: {gold: {tag: many}}}': 'tag',
    'config: []': 'config',
    'tolerations: {operator: Exists}': 'tolerations',
    'serviceMonitor: {interval: 30}': 'interval',
    'podMonitor: {intervall: 30s}': 'intervall',
    'extraArgs: --dry-run': 'extraArgs',
    'updateStrategy: {type: Recreate}': 'type',
    'resources: {memory: 1Gi}': 'memory',
}


def merged(text: str) -> Values:
    """The defaults with these values over them, maps by key. (Helm would also remove what is null.)"""
    def over(base: Any, more: Any) -> Any:
        if isinstance(base, dict) and isinstance(more, dict):
            return {**base, **{key: over(base.get(key), value) for key, value in more.items()}}
        return copy.deepcopy(more)

    return over(yaml.safe_load((CHART / 'values.yaml').read_text()), yaml.safe_load(text) or {})


def complaints(values: Values) -> list[str]:
    schema = json.loads((CHART / 'values.schema.json').read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return [f'{"/".join(map(str, error.path))}: {error.message}' for error in jsonschema.Draft7Validator(schema).iter_errors(values)]


@pytest.mark.parametrize('text', GOOD.values(), ids=GOOD)
def test_the_schema_takes(text: str) -> None:
    assert complaints(merged(text)) == []


@pytest.mark.parametrize('text', BAD)
def test_the_schema_refuses(text: str) -> None:
    found = complaints(merged(text))
    assert len(found) == 1 and BAD[text] in found[0], found


def test_every_value_has_a_schema() -> None:
    """A value that the chart has and the schema does not describe would be refused; one described in vain would be taken."""
    def paths(schema: Any, values: Any, path: str = '') -> Iterator[str]:
        for key in {*schema.get('properties', {}), *(values if isinstance(values, dict) else {})}:
            inner = schema.get('properties', {}).get(key)
            if inner is None:
                if 'properties' in schema:
                    yield f'{path}{key}: not in the schema'
            elif key not in values:
                if not (path + key).startswith('config') and not inner.get('deprecated') and path + key != 'global':
                    yield f'{path}{key}: not in values.yaml'
            else:
                yield from paths(inner, values[key], f'{path}{key}.')

    assert list(paths(json.loads((CHART / 'values.schema.json').read_text()), merged(''))) == []


def rendered(text: str, name: str = 'cosmolet', path: Path = CHART) -> dict[str, str]:
    """What the templates come to, by file; NOTES.txt among them. Not by Helm."""
    program = subprocess.run([REPOSITORY / 'tests/e2e/gotemplate/build'], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    chart = yaml.safe_load((path / 'Chart.yaml').read_text())
    data = {'Values': merged(text), 'Chart': {'Name': chart['name'], 'Version': chart['version'], 'AppVersion': chart['appVersion']},
            'Release': {'Name': name, 'Namespace': 'cosmolet', 'Service': 'Helm', 'IsInstall': True, 'IsUpgrade': False}}
    done = subprocess.run([program, str(path)], input=json.dumps(data), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = done.stdout.split('---\n# Source: ')[1:]
    return dict(each.split('\n', 1) for each in files)


def objects_in(files: dict[str, str]) -> list[dict[str, Any]]:
    return objects_of('---\n'.join(text for name, text in files.items() if name != 'NOTES.txt'))


def daemonset_of(files: dict[str, str]) -> dict[str, Any]:
    return dict(yaml.safe_load(files['daemonset.yaml']))


@pytest.fixture
def cluster(kube: KubeApi) -> KubeApi:
    kube.namespace('cosmolet')
    for kind in ('PodMonitor', 'ServiceMonitor', 'PrometheusRule'):
        crd(kube, kind)
    return kube


@pytest.mark.parametrize('text', GOOD.values(), ids=GOOD)
def test_an_api_server_takes_it(cluster: KubeApi, text: str) -> None:
    files = rendered(text)
    notes = files.pop('NOTES.txt')
    manifest = '---\n'.join(files.values())
    objects = objects_of(manifest)
    try:
        apply(cluster, manifest)
        assert lost(cluster, objects) == []
    finally:
        delete(cluster, objects)
    config = next(each['data']['cosmolet.yaml'] for each in objects if each['kind'] == 'ConfigMap' and 'cosmolet.yaml' in each.get('data', {}))
    assert 'original' in notes if 'replicaCount' in text else 'original' not in notes, notes
    for address in ('192.0.2.1', '2001:db8::1'):
        check_config(config, address, warned='loop_interval' in text)


def check_config(text: str, address: str, warned: bool = False) -> None:
    """The program itself takes the configuration, on a node of that address; the Secret's files are made where it names some."""
    with tempfile.TemporaryDirectory() as directory:
        if SECRET in text:
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=x',
                            '-keyout', f'{directory}/tls.key', '-out', f'{directory}/tls.crt'], check=True, capture_output=True)
            shutil.copy(f'{directory}/tls.crt', f'{directory}/ca.crt')
        done = subprocess.run([BINARY, 'check', '/dev/stdin'], input=text.replace(SECRET, directory), capture_output=True, text=True,
                              env={'NODE_NAME': 'n', 'NODE_IP': address})
    assert done.returncode == 0 and bool(done.stderr) == warned, f'{done.stderr}\n{text}'


def test_tls() -> None:
    """The Secret, the probes and who scrapes go together."""
    files = rendered(GOOD['TLS'])
    pod = daemonset_of(files)['spec']['template']['spec']
    (container,) = pod['containers']
    assert [container[probe]['httpGet']['scheme'] for probe in ('livenessProbe', 'readinessProbe', 'startupProbe')] == ['HTTPS'] * 3
    volume = next(mount['name'] for mount in container['volumeMounts'] if mount['mountPath'] == SECRET)
    assert {'name': volume, 'secret': {'secretName': 'cosmolet-tls'}} in pod['volumes']
    http = yaml.safe_load(yaml.safe_load(files['configmap.yaml'])['data']['cosmolet.yaml'])['http']
    assert {key: value for key, value in http.items() if key != 'listen'} == {
        'tls_certificate_file': f'{SECRET}/tls.crt', 'tls_key_file': f'{SECRET}/tls.key', 'client_ca_file': f'{SECRET}/ca.crt'}
    (endpoint,) = yaml.safe_load(files['podmonitor.yaml'])['spec']['podMetricsEndpoints']
    assert endpoint['scheme'] == 'https' and endpoint['tlsConfig']['serverName'] == 'cosmolet'
    assert endpoint['honorLabels'] is True
    (endpoint,) = yaml.safe_load(files['servicemonitor.yaml'])['spec']['endpoints']
    assert endpoint['honorLabels'] is True
    assert endpoint['scheme'] == 'https' and endpoint['authorization'] == {'credentials': {'name': 'token', 'key': 'token'}}
    assert 'https' not in ''.join(text for name, text in rendered(GOOD['watched']).items() if 'monitor.' in name)


@pytest.mark.parametrize('metrics', [True, False], ids=['metrics', 'no metrics'])
@pytest.mark.parametrize('host', [True, False], ids=['host network', 'own network'])
def test_the_kubelet_reaches_where_it_listens(host: bool, metrics: bool) -> None:
    files = rendered(yaml.safe_dump({'hostNetwork': host, 'metrics': {'enabled': metrics}, 'config': {'loopback': {'mode': 'none'}}}))
    pod = daemonset_of(files)['spec']['template']['spec']
    status = {'status.hostIP': '192.0.2.1', 'status.podIP': '192.0.2.1' if pod['hostNetwork'] else '10.244.0.7'}
    (container,) = pod['containers']
    node_ip = next(each['valueFrom']['fieldRef']['fieldPath'] for each in container['env'] if each['name'] == 'NODE_IP')
    http = yaml.safe_load(yaml.safe_load(files['configmap.yaml'])['data']['cosmolet.yaml'])['http']
    asked = {container[probe]['httpGet'].get('host', status['status.podIP']) for probe in ('livenessProbe', 'readinessProbe')}
    assert {f'{address}:9474' for address in asked} == {http['listen'].replace('${NODE_IP}', status[node_ip])}
    assert asked == {'127.0.0.1' if host and not metrics else status['status.podIP']}


def test_a_sidecar_needs_a_configuration() -> None:
    with pytest.raises(AssertionError, match='frr.sidecar.config must hold frr.conf'):
        rendered('frr: {layout: sidecar}')


@pytest.mark.parametrize('text', ['hostNetwork: false', 'hostNetwork: false\nconfig: {loopback: {mode: address}}'])
def test_the_loopback_needs_the_hosts_network(text: str) -> None:
    with pytest.raises(AssertionError, match='hostNetwork: false needs config.loopback.mode: none'):
        rendered(text)


@pytest.mark.parametrize('text', GOOD.values(), ids=GOOD)
def test_twice_is_the_same(text: str) -> None:
    assert rendered(text) == rendered(text)


@pytest.mark.parametrize('call', [
    'now', 'date "2006" 0', 'ago 0', 'randAlphaNum 8', 'randInt 0 9', 'randBytes 8', 'shuffle "ab"', 'uuidv4', 'genPrivateKey "rsa"', 'genCA "ca" 9',
    'genSelfSignedCert "a" nil nil 9', 'htpasswd "a" "b"', 'bcrypt "a"', 'encryptAES "a" "b"', 'env "HOME"', 'getHostByName "a"',
    'lookup "v1" "Node" "" ""'])
def test_a_template_must_not_call(call: str, tmp_path: Path) -> None:
    """What Helm would take: two renderings would differ, and a GitOps tool would apply for ever."""
    chart = shutil.copytree(CHART, tmp_path / 'chart')
    with open(chart / 'templates' / 'serviceaccount.yaml', 'a') as template:
        template.write(f'# {{{{ {call} }}}}\n')
    with pytest.raises(AssertionError, match=f'function "{call.split()[0]}" not defined'):
        rendered('', path=chart)


LABELS = ['component', 'instance', 'managed-by', 'name', 'part-of', 'version']


@pytest.mark.parametrize('text', GOOD.values(), ids=GOOD)
def test_labels(text: str) -> None:
    """All of Helm's own on every object, and on the pods; selectors, which cannot change, have two of them."""
    labels = [f'app.kubernetes.io/{name}' for name in LABELS]
    objects = [each for each in objects_in(rendered(text)) if each['metadata']['name'] not in ('of-cosmolet', 'as-text')]
    for each in objects:
        assert set(labels) | {'helm.sh/chart'} <= set(each['metadata']['labels']), each
    ours = one(objects, 'DaemonSet')
    pod, selector = ours['spec']['template']['metadata']['labels'], ours['spec']['selector']['matchLabels']
    assert {name: ours['metadata']['labels'][name] for name in labels} == {name: pod[name] for name in labels}
    assert sorted(selector) == ['app.kubernetes.io/instance', 'app.kubernetes.io/name'] and selector.items() <= pod.items()


def test_an_update_with_the_same_image_makes_no_new_pods(tmp_path: Path) -> None:
    chart = shutil.copytree(CHART, tmp_path / 'chart')
    (chart / 'Chart.yaml').write_text(re.sub('(?m)^(version|appVersion): .*', r'\1: 99.0.0', (CHART / 'Chart.yaml').read_text()))
    old, new = (daemonset_of(rendered('image: {tag: mine_1.2-}', path=path)) for path in (CHART, chart))
    assert new['metadata'] != old['metadata'] and new['spec'] == old['spec']
    assert new['metadata']['labels']['app.kubernetes.io/version'] == 'mine_1.2'  # a label must end so


def test_the_icon() -> None:
    icon = yaml.safe_load((CHART / 'Chart.yaml').read_text())['icon']
    path = icon.split('/main/')[1]
    assert icon.startswith('https://') and ElementTree.parse(REPOSITORY / path).getroot().tag.endswith('}svg')


def test_the_alerts_and_the_dashboard() -> None:
    files = rendered(GOOD['watched'])
    shipped = yaml.safe_load((CONTAINER / 'monitoring' / 'prometheusrule.yaml').read_text())['spec']['groups']
    *groups, more = yaml.safe_load(files['prometheusrule.yaml'])['spec']['groups']
    assert groups == shipped and more['rules'] == [{'alert': 'Mine', 'expr': 'vector(1)'}]
    data = yaml.safe_load(files['grafana-dashboard.yaml'])['data']
    assert json.loads(data['cosmolet.json']) == json.loads((CONTAINER / 'monitoring' / 'dashboard.json').read_text())


@pytest.mark.parametrize('components', [[], ['seccomp']], ids=['', 'seccomp'])
@pytest.mark.parametrize('layout', ['host', 'sidecar'])
def test_the_same_pod_as_by_kustomize(tmp_path: Path, layout: str, components: list[str]) -> None:
    """Two ways to install, one DaemonSet: what differs are labels, and names that depend on contents."""
    text = f'frr: {{layout: {layout}, sidecar: {{config: {json.dumps(FRR_CONF)}}}}}'
    text += ''.join(f'\n{name}: {{enabled: true}}' for name in components)
    ours = daemonset_of(rendered(text))
    (tmp_path / 'kustomization.yaml').write_text(json.dumps({
        'resources': [os.path.relpath(CONTAINER / 'kustomize' / 'overlays' / f'{layout}-frr', tmp_path)],
        'components': [os.path.relpath(CONTAINER / 'kustomize' / 'components' / name, tmp_path) for name in components]}))
    theirs = one(objects_of(kustomize(tmp_path)), 'DaemonSet')
    assert plain(ours) == plain(theirs)


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(each for each in objects if each['kind'] == kind)


def plain(daemonset: dict[str, Any]) -> dict[str, Any]:
    """Lists by name, no labels, no names of ConfigMaps, no defaults of the chart's own."""
    spec = copy.deepcopy(daemonset['spec'])
    pod = spec['template']['spec']
    del spec['selector'], spec['template']['metadata']
    pod.pop('automountServiceAccountToken', None)
    for container in pod['containers'] + pod.get('initContainers', []):
        container.pop('imagePullPolicy', None)
        container['volumeMounts'].sort(key=lambda mount: mount['name'])
    pod['containers'].sort(key=lambda container: container['name'])
    pod.get('initContainers', []).sort(key=lambda container: container['name'])
    pod['volumes'].sort(key=lambda volume: volume['name'])
    for volume in pod['volumes']:
        volume.get('configMap', {}).pop('name', None)
    return spec
