"""What is shipped for a cluster, as objects: built by a real kustomize, and applied to a real API server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Iterable, Iterator

import yaml
from fixtures import REPOSITORY
from kube import ApiError, KubeApi
from sandbox import wait_until

CONTAINER = REPOSITORY / 'container'
Object = dict[str, Any]
SECRET_KEY = {'name': 'string', 'key': 'string'}
SELECTOR = {'matchLabels': {'*': 'string'}}
RELABELINGS = [{'action': 'string', 'sourceLabels': ['string'], 'targetLabel': 'string', 'regex': 'string'}]
ENDPOINTS = [{'port': 'string', 'scheme': 'string', 'interval': 'string', 'scrapeTimeout': 'string',
              'tlsConfig': {'ca': {'secret': SECRET_KEY}, 'serverName': 'string', 'insecureSkipVerify': 'boolean'},
              'authorization': {'credentials': SECRET_KEY}, 'honorLabels': 'boolean',
              'relabelings': RELABELINGS, 'metricRelabelings': RELABELINGS}]

# Kinds of other people's operators: group, version, plural, and of the specs the fields that our objects have, as the CRDs of
# those operators name them.
FOREIGN: dict[str, tuple[str, str, str, Any]] = {
    'PodMonitor': ('monitoring.coreos.com', 'v1', 'podmonitors', {'selector': SELECTOR, 'podMetricsEndpoints': ENDPOINTS}),
    'ServiceMonitor': ('monitoring.coreos.com', 'v1', 'servicemonitors', {'selector': SELECTOR, 'endpoints': ENDPOINTS}),
    'PrometheusRule': ('monitoring.coreos.com', 'v1', 'prometheusrules', {'groups': [{'name': 'string', 'rules': [{
        'alert': 'string', 'record': 'string', 'expr': 'string', 'for': 'string', 'labels': {'*': 'string'}, 'annotations': {'*': 'string'}}]}]}),
    'Application': ('argoproj.io', 'v1alpha1', 'applications', {
        'project': 'string',
        'source': {'repoURL': 'string', 'targetRevision': 'string', 'path': 'string', 'helm': {'valuesObject': 'any'}},
        'destination': {'server': 'string', 'namespace': 'string'},
        'syncPolicy': {'automated': {'prune': 'boolean', 'selfHeal': 'boolean'}, 'syncOptions': ['string'],
                       'managedNamespaceMetadata': {'labels': {'*': 'string'}}}}),
    'GitRepository': ('source.toolkit.fluxcd.io', 'v1', 'gitrepositories', {
        'url': 'string', 'ref': {'tag': 'string'}, 'interval': 'string'}),
    'HelmRelease': ('helm.toolkit.fluxcd.io', 'v2', 'helmreleases', {
        'interval': 'string', 'chart': {'spec': {'chart': 'string', 'sourceRef': {'kind': 'string', 'name': 'string'}}}, 'values': 'any'}),
    'Kustomization': ('kustomize.toolkit.fluxcd.io', 'v1', 'kustomizations', {
        'interval': 'string', 'path': 'string', 'prune': 'boolean', 'wait': 'boolean', 'sourceRef': {'kind': 'string', 'name': 'string'},
        'patches': [{'target': {'kind': 'string', 'name': 'string'}, 'patch': 'string'}]}),
}


def program(name: str) -> str:
    """Of Debian 13: what Debian 12 has is too old for components."""
    deb = subprocess.run([REPOSITORY / 'tests/lab/deb', 'trixie', name], check=True, stdout=subprocess.PIPE, text=True)
    return f'{deb.stdout.strip()}/usr/bin/{name}'


def kustomize(directory: Path) -> str:
    built = subprocess.run([program('kustomize'), 'build', str(directory)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert not built.stderr, built.stderr  # it warns of what it will drop
    return built.stdout


def objects_of(text: str) -> list[Object]:
    return [each for each in yaml.safe_load_all(text) if each]


def apply(kube: KubeApi, text: str, *options: str) -> str:
    return kube.kubectl('apply', *options, '-f', '-', stdin=text)


def lost(kube: KubeApi, objects: list[Object]) -> list[str]:
    """What of the objects the API server, which has taken them, does not have."""
    found = json.loads(kube.kubectl('get', '-o', 'json', '-f', '-', stdin=yaml.safe_dump_all(objects)))
    found = found['items'] if found['kind'] == 'List' else [found]
    assert len(found) == len(objects)
    return [f'{sent["kind"]}{difference}' for sent, got in zip(objects, found) for difference in differences(sent, got)]


def differences(sent: Any, found: Any, path: str = '') -> Iterator[str]:
    """What was sent and is not there: fields that an API server does not know are dropped without a word."""
    if isinstance(sent, dict) and isinstance(found, dict):
        for key, value in sent.items():
            if key in found:
                yield from differences(value, found[key], f'{path}.{key}')
            elif value not in ({}, [], None, False):
                yield f'{path}.{key}'
    elif isinstance(sent, list) and isinstance(found, list) and len(sent) == len(found):
        for number, (mine, theirs) in enumerate(zip(sent, found)):
            yield from differences(mine, theirs, f'{path}[{number}]')
    elif sent != found:
        yield f'{path}: {sent!r} became {found!r}'


def delete(kube: KubeApi, objects: Iterable[Object]) -> None:
    """All but namespaces: nobody here could finish those. The API server itself finishes kinds, after its answer."""
    rest = [each for each in objects if each['kind'] != 'Namespace']
    if rest:
        kube.kubectl('delete', '--ignore-not-found', '--wait=false', '-f', '-', stdin=yaml.safe_dump_all(rest))
    kinds = {each['metadata']['name'] for each in rest if each['kind'] == 'CustomResourceDefinition'}
    if kinds:
        path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
        wait_until(lambda: kinds.isdisjoint(item['metadata']['name'] for item in kube.request('GET', path)['items']), 30,
                   f'the end of {kinds}')


def crd(kube: KubeApi, kind: str) -> None:
    """A resource of somebody else's operator; a field that it does not have is dropped, and so lost()."""
    group, version, plural, spec = FOREIGN[kind]
    kube.ensure('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
        'metadata': {'name': f'{plural}.{group}'},
        'spec': {'group': group, 'scope': 'Namespaced', 'names': {'kind': kind, 'plural': plural, 'singular': kind.lower()},
                 'versions': [{'name': version, 'served': True, 'storage': True, 'schema': {'openAPIV3Schema': schema({'spec': spec})}}]}})
    wait_served(kube, f'/apis/{group}/{version}/{plural}')


def schema(form: Any) -> Any:
    if isinstance(form, list):
        return {'type': 'array', 'items': schema(form[0])}
    if form == 'any':
        return {'type': 'object', 'x-kubernetes-preserve-unknown-fields': True}
    if isinstance(form, str):
        return {'type': form}
    if '*' in form:
        return {'type': 'object', 'additionalProperties': schema(form['*'])}
    return {'type': 'object', 'properties': {name: schema(each) for name, each in form.items()}}


def wait_served(kube: KubeApi, path: str) -> None:
    """/apis/GROUP/VERSION/PLURAL is there, and in the lists by which kubectl finds kinds: others write those, a little later."""
    group_version, _, plural = path.removeprefix('/apis/').rpartition('/')

    def served() -> bool:
        try:
            versions = {version['groupVersion'] for group in kube.request('GET', '/apis')['groups'] for version in group['versions']}
            return (group_version in versions and 'items' in kube.request('GET', path)
                    and plural in {each['name'] for each in kube.request('GET', f'/apis/{group_version}')['resources']})
        except ApiError as error:
            assert error.status == 404, error
            return False

    wait_until(served, 20, f'{path} to be served')
