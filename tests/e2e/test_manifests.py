"""The manifests of container/kustomize: a real API server takes all of them, and what they allow is just what is needed.

Nothing here runs an image. The pod is run by hand (pod.py), as the API server has its DaemonSet.
"""
from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import yaml
from cluster import SLICES, apply as apply_objects, populate, service, slice_of, wait_rights
from cosmolet import NODE
from fixtures import REPOSITORY
from kube import KubeApi
from lab import RELEASES, Lab, ReleaseMissing, Router, frr_root
from manifests import CONTAINER, FOREIGN, apply, crd, delete, kustomize, lost, objects_of, program
from pod import Pod, privileges
from sandbox import Sandbox, wait_until

OVERLAYS = CONTAINER / 'kustomize' / 'overlays'
COMPONENTS = CONTAINER / 'kustomize' / 'components'
NET_ADMIN = 12
RECOMMENDED = 'app.kubernetes.io/'
ROLE = '/apis/rbac.authorization.k8s.io/v1/clusterroles/cosmolet'
Apply = Callable[[Path], list[dict[str, Any]]]
Start = Callable[[str], tuple[Lab, Pod]]


@pytest.fixture
def applied(kube: KubeApi) -> Iterator[Apply]:
    """Builds and applies an overlay; its objects are taken away afterwards."""
    made: list[dict[str, Any]] = []

    def make(overlay: Path) -> list[dict[str, Any]]:
        text = kustomize(overlay)
        made.extend(objects_of(text))
        apply(kube, text)
        return made

    kube.clean()
    # Those that other tests give to their accounts have the same name, and another owner.
    kube.kubectl('delete', '--ignore-not-found', 'clusterrole/cosmolet', 'clusterrolebinding/cosmolet')
    for kind in ('PodMonitor', 'PrometheusRule'):
        crd(kube, kind)
    yield make
    delete(kube, made)


@pytest.fixture
def start(kube: KubeApi, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[Start]:
    """Makes a lab that reaches the cluster, and in it the pod of the DaemonSet, which is not started yet."""
    pods: list[Pod] = []

    def make(release: str) -> tuple[Lab, Pod]:
        there = lab(node=release)
        kube.attach(there.node.namespace)
        kube.node(NODE)
        pods.append(Pod(kube, there.node, tmp_path))
        return there, pods[-1]

    yield make
    for each in pods:
        each.close()


@pytest.mark.parametrize('overlay', sorted(path.name for path in OVERLAYS.iterdir()))
def test_an_api_server_takes_it(kube: KubeApi, applied: Apply, overlay: str) -> None:
    text = kustomize(OVERLAYS / overlay)
    kube.namespace('cosmolet')
    apply(kube, text, '--dry-run=server')
    apply(kube, text, '--dry-run=server', '--server-side')
    objects = applied(OVERLAYS / overlay)
    assert lost(kube, objects) == []
    # The second time nothing is to be done, and kubectl, as README has it, comes to the same by itself.
    assert kustomize(OVERLAYS / overlay) == text
    for again in (apply(kube, text), kube.kubectl('apply', '-k', str(OVERLAYS / overlay), program=program('kubectl'))):
        lines = again.splitlines()
        assert len(lines) == len(objects) and all(line.endswith(' unchanged') for line in lines), again


@pytest.mark.parametrize('kind', FOREIGN)
def test_a_misspelt_field_is_lost(kube: KubeApi, kind: str) -> None:
    crd(kube, kind)
    kube.namespace('cosmolet')
    group, version, *_ = FOREIGN[kind]
    wrong = [{'apiVersion': f'{group}/{version}', 'kind': kind, 'metadata': {'name': 'wrong', 'namespace': 'cosmolet'}, 'spec': {'speck': 'x'}}]
    try:
        apply(kube, yaml.safe_dump_all(wrong), '--validate=false')
        assert lost(kube, wrong) == [f'{kind}.spec.speck']
    finally:
        delete(kube, wrong)


@pytest.mark.parametrize('overlay', sorted(path.name for path in OVERLAYS.iterdir()))
def test_labels(overlay: str) -> None:
    """All that Kubernetes recommends, on every object and on the pods; selectors, which cannot change, have one of them."""
    objects = objects_of(kustomize(OVERLAYS / overlay))
    pods = [each['spec']['template'] for each in objects if each['kind'] == 'DaemonSet']
    tags = {container['name']: container['image'].partition(':')[2] for pod in pods for container in pod['spec']['containers']}
    for each in objects + pods:
        labels = {name.removeprefix(RECOMMENDED): value for name, value in each['metadata']['labels'].items() if name.startswith(RECOMMENDED)}
        assert sorted(labels) == ['component', 'instance', 'managed-by', 'name', 'part-of', 'version'], each
        assert labels['version'] == tags[labels['name']]
    for each, pod in zip([each for each in objects if each['kind'] == 'DaemonSet'], pods):
        selector = each['spec']['selector']['matchLabels']
        assert list(selector) == [f'{RECOMMENDED}name'] and selector.items() <= pod['metadata']['labels'].items()


def test_every_component_is_taken(kube: KubeApi, applied: Apply, tmp_path: Path) -> None:
    """Those beside the two layouts that exclude each other, all at once."""
    layouts = {'frr-sidecar', 'frr'}
    (tmp_path / 'kustomization.yaml').write_text(yaml.safe_dump({
        'resources': [os.path.relpath(CONTAINER / 'kustomize' / 'base', tmp_path)],
        'components': sorted(os.path.relpath(path, tmp_path) for path in COMPONENTS.iterdir() if path.name not in layouts)
                      + [os.path.relpath(path, tmp_path) for path in (COMPONENTS / 'frr', CONTAINER / 'frr')],
        'namespace': 'cosmolet'}))
    assert lost(kube, applied(tmp_path)) == []


def test_what_is_made_of_something_else() -> None:
    """container/cosmolet.yaml of the overlay, and more."""
    subprocess.run([REPOSITORY / 'tests' / 'rendered'], check=True)


def test_a_release_that_no_test_runs_is_not_listed() -> None:
    path = REPOSITORY / 'tests' / 'rendered'
    program: dict[str, Any] = {'__file__': str(path), '__name__': 'rendered'}
    exec(path.read_text(), program)
    assert all(f'{release} (Debian ' in program['tested_table']() for release in RELEASES)
    program['RELEASES'] = RELEASES[:-1]
    assert f'{RELEASES[-1]} (' not in program['tested_table']()


def test_the_table_names_what_runs(kube: KubeApi) -> None:
    """Each FRR is of the release that it is called by, and the API server says of itself what the README says of it."""
    for release in RELEASES:
        with contextlib.suppress(ReleaseMissing):
            books = frr_root(release) / 'var/lib/dpkg'
            version = subprocess.run(['dpkg-query', f'--admindir={books}', '-W', '-f', '${Version}', 'frr'],
                                     check=True, stdout=subprocess.PIPE, text=True).stdout
            assert re.match(rf'{re.escape(release)}[.-]', version)
    table = (REPOSITORY / 'README.md').read_text()
    assert f'| Kubernetes | {kube.request("GET", "/version")["gitVersion"].removeprefix("v")} |' in table


@pytest.mark.parametrize('overlay', sorted(path.name for path in OVERLAYS.iterdir()))
def test_it_outlives_a_sick_node(overlay: str) -> None:
    """No taint drives its pods away, now or after a while, nor does a pod that wants their place."""
    for each in objects_of(kustomize(OVERLAYS / overlay)):
        if each['kind'] == 'DaemonSet':
            pod = each['spec']['template']['spec']
            assert pod['priorityClassName'] == 'system-node-critical'
            assert pod['tolerations'] == [{'operator': 'Exists', 'effect': effect} for effect in ('NoSchedule', 'NoExecute')]
            assert pod['hostNetwork'] and not pod.get('hostPID') and not pod.get('hostIPC')


def test_the_pod(kube: KubeApi, applied: Apply, start: Start, frr_release: str) -> None:
    """As the DaemonSet has it: its user and capabilities, a read-only root, its account's token, its ConfigMap."""
    applied(OVERLAYS / 'host-frr')
    there, daemon = start(frr_release)
    everything = populate(kube, 2)
    daemon.start()
    there.tor.wait_for({prefix for prefix in everything if ':' in prefix})
    assert (daemon.probe('livenessProbe'), daemon.probe('readinessProbe')) == (200, 200)
    assert not daemon.log_lines('level=warn'), daemon.tail()

    # It has become zebra's user, with one capability and no way to another.
    process = Path(f'/proc/{daemon.process.pid}')
    lines = dict(line.split(':\t') for line in (process / 'status').read_text().splitlines() if ':\t' in line)
    assert process.stat().st_uid == there.node.zserv.stat().st_uid != 0
    assert (lines['CapEff'], lines['CapPrm'], lines['NoNewPrivs']) == (f'{1 << NET_ADMIN:016x}', f'{1 << NET_ADMIN:016x}', '1')

    # The ConfigMap changes, and with it what is announced; the pod stays.
    pid = daemon.process.pid
    text = kube.request('GET', '/api/v1/namespaces/cosmolet/configmaps/cosmolet')['data']['cosmolet.yaml']
    changed = text.replace('[load_balancer_ip]', '[load_balancer_ip, cluster_ip]')
    assert changed != text
    kube.request('PATCH', '/api/v1/namespaces/cosmolet/configmaps/cosmolet', {'data': {'cosmolet.yaml': changed}})
    daemon.write_config()
    there.tor.wait_for(everything)
    assert daemon.process.pid == pid and daemon.process.poll() is None

    # zebra is away: not ready, but alive.
    there.renounce()  # staticd takes long to tell a new zebra what the old one had, on 7.5 for ever
    there.node.stop('zebra')
    wait_until(lambda: daemon.probe('readinessProbe') == 503, 10, 'not ready')
    assert daemon.probe('livenessProbe') == 200
    there.node.start('zebra')
    wait_until(lambda: daemon.probe('readinessProbe') == 200, 20, 'ready again')


def test_each_right_is_needed(kube: KubeApi, applied: Apply, start: Start, tmp_path: Path) -> None:
    # Of everything that needs a right: a selector of namespaces, policies, and a service whose EndpointSlices decide.
    (tmp_path / 'kustomization.yaml').write_text(yaml.safe_dump({
        'resources': [os.path.relpath(OVERLAYS / 'host-frr', tmp_path)],
        'components': [os.path.relpath(COMPONENTS / name, tmp_path) for name in ('namespace-selector', 'policies')],
        'configMapGenerator': [{'name': 'cosmolet', 'namespace': 'cosmolet', 'behavior': 'replace', 'files': ['cosmolet.yaml']}]}))
    config = yaml.safe_load((CONTAINER / 'kustomize' / 'base' / 'cosmolet.yaml').read_text())
    config['services']['namespace_selector'] = '!left-alone'
    (tmp_path / 'cosmolet.yaml').write_text(yaml.safe_dump(config))
    role = next(each for each in applied(tmp_path) if each['kind'] == 'ClusterRole')
    assert {resource for rule in role['rules'] for resource in rule['resources']} == {
        'services', 'pods', 'nodes', 'endpointslices', 'namespaces', 'announcementpolicies'}
    there, daemon = start('8.4')
    everything = {p for p in populate(kube, 2) if ':' in p}
    apply_objects(kube, [service('rights', selector=None, clusterIP='10.96.9.5', type='LoadBalancer')])
    kube.set_ingress('rights', ['198.18.9.5'])
    kube.request('POST', SLICES, slice_of('rights-1', 'rights'))
    everything |= {'198.18.9.5/32'}
    daemon.start()
    there.tor.wait_for(everything)
    assert not daemon.log_lines('level=warn'), daemon.tail()
    daemon.kill()
    for rule in role['rules']:
        for resource in rule['resources']:
            for verb in rule['verbs']:
                without(kube, role, rule['apiGroups'][0], resource, verb)
                missing(there, daemon, resource, verb)
    kube.request('DELETE', f'{SLICES}/rights-1')


def without(kube: KubeApi, role: dict[str, Any], group: str, resource: str, verb: str) -> None:
    """The role less one verb of one resource; waits until the API server goes by it."""
    rules = [{'apiGroups': rule['apiGroups'], 'resources': [each], 'verbs': [v for v in rule['verbs'] if (each, v) != (resource, verb)]}
             for rule in role['rules'] for each in rule['resources']]
    kube.request('PATCH', ROLE, {'rules': [rule for rule in rules if rule['verbs']]})
    wait_rights(kube, 'cosmolet', role['rules'], lambda v, each: (v, each) != (verb, resource))


def missing(lab: Lab, daemon: Pod, resource: str, verb: str) -> None:
    """It does not work, and the log, /status and, where nothing is known yet, /readyz say which right it is."""
    before = len(daemon.log_lines())
    daemon.start(ready=False)
    wanted = f'cannot {verb} resource "{resource}"'

    def told() -> bool:
        found = daemon.get('/status')[1] and daemon.streams().get(resource, {})
        return bool(found) and not found['connected'] and wanted in found.get('error', '')

    wait_until(told, 10, f'/status to say: {wanted}', explain=daemon.tail)
    lines = [line for line in daemon.log_lines('level=warn', f'stream={resource}')[-1:] if wanted in line.replace('\\"', '"')]
    assert lines and len(daemon.log_lines()) > before, daemon.tail()
    code, text = daemon.get('/readyz')
    if verb == 'list' and resource not in ('endpointslices', 'announcementpolicies'):
        assert code == 503 and resource in text, text
    daemon.kill()


@pytest.fixture
def applets(tmp_path: Path) -> Path:
    """The commands of FRR's own image: Alpine's, which are busybox's."""
    busybox = shutil.which('busybox')
    assert busybox, 'no busybox: run tests/setup test'
    directory = tmp_path / 'bin'
    directory.mkdir()
    for name in subprocess.run([busybox, '--list'], check=True, stdout=subprocess.PIPE, text=True).stdout.split():
        (directory / name).symlink_to(busybox)
    return directory


@pytest.mark.parametrize('address, router_id', [('192.0.2.77', '192.0.2.77'), ('2001:db8::77', '73.164.203.208')], ids=['IPv4', 'IPv6'])
def test_frr_in_a_pod_gets_its_files(kube: KubeApi, applied: Apply, applets: Path, address: str, router_id: str) -> None:
    """Its init container makes of the ConfigMap a configuration that a real FRR loads, with a router id of its own."""
    objects = applied(OVERLAYS / 'separate-frr')  # the sidecar's runs as a pod, in test_image.py
    frr = next(each for each in objects if each['kind'] == 'DaemonSet'
               and 'initContainers' in each['spec']['template']['spec'])['spec']['template']['spec']
    files = next(each for each in objects if each['kind'] == 'ConfigMap' and 'frr.conf' in each['data'])
    assert [v['configMap']['name'] for v in frr['volumes'] if v['name'] == 'frr-config'] == [files['metadata']['name']]
    with Sandbox() as sandbox:
        node = Router(sandbox, 'node-7', '10.3', files['data']['frr.conf'])
        source = node.directory / 'config'
        source.mkdir()
        for name, text in files['data'].items():
            (source / name).write_text(text)
        container = frr['initContainers'][0]
        script = container['command'][-1]
        for inside, outside in (('/etc/frr-config', source), ('/etc/frr', node.directory / 'etc'), ('/var/run/frr', node.run_directory)):
            assert inside in [mount['mountPath'] for mount in container['volumeMounts']]
            script = script.replace(inside, str(outside))
        # FRR's image has its user; this machine need not.
        owner = (node.directory / 'etc' / 'frr.conf').stat()
        script = script.replace('frr:frr', f'{owner.st_uid}:{owner.st_gid}')
        os.chown(node.run_directory, 0, 0)  # as the kubelet makes a hostPath
        (node.directory / 'etc').chmod(0o777)  # and an emptyDir
        variables = [f'PATH={applets}', f'NODE_IP={address}']
        for _ in ('first start', 'the node has been restarted'):
            node.run([*privileges(container['securityContext'], {}), 'env', '-i', *variables, str(applets / 'sh'), '-euc', script],
                     check=True)
        node.config = (node.directory / 'etc' / 'frr.conf').read_text()
        assert '\nhostname node\n' in node.config
        node.config = node.config.replace('\nhostname node\n', '\n')
        node.start_all()  # which fails if FRR does not take a line of it
        running = node.vtysh('show running-config')
        assert f'bgp router-id {router_id}\n' in running, running
        assert 'hostname node-7\n' in running, 'FRR goes by the name of the node alone'

