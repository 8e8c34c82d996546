"""The examples for Argo CD and Flux, as far as they can be tried without them.

Neither runs here: an API server checks their objects' fields by name and type, what they mean nobody does. Tried are what they
point at in this repository, the values they give the chart, and their patches.
"""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml
from fixtures import REPOSITORY
from kube import KubeApi
from manifests import CONTAINER, apply, crd, delete, kustomize, lost, objects_of
from test_chart import complaints, merged, rendered

EXAMPLES = sorted((CONTAINER / 'gitops').glob('*.yaml'))


@pytest.fixture(scope='module')
def operators(kube: KubeApi) -> KubeApi:
    for kind in ('Application', 'GitRepository', 'HelmRelease', 'Kustomization'):
        crd(kube, kind)
    for namespace in ('argocd', 'flux-system', 'cosmolet'):
        kube.namespace(namespace)
    return kube


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.stem)
def test_an_api_server_takes_it(operators: KubeApi, path: Path) -> None:
    text = path.read_text()
    apply(operators, text)
    assert lost(operators, objects_of(text)) == []
    delete(operators, objects_of(text))


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.stem)
def test_what_it_points_at(path: Path, tmp_path: Path) -> None:
    charts, overlays = list(charts_of(path)), list(overlays_of(path))
    assert len(charts) + len(overlays) == 1
    for chart, values in charts:
        assert (REPOSITORY / chart / 'Chart.yaml').exists()
        assert complaints(merged(yaml.safe_dump(values))) == []
        assert rendered(yaml.safe_dump(values))
    for overlay, patches in overlays:
        (tmp_path / 'kustomization.yaml').write_text(yaml.safe_dump({
            'resources': [os.path.relpath(REPOSITORY / overlay, tmp_path)], 'patches': patches}))
        built = kustomize(tmp_path)
        assert 'kind: DaemonSet' in built
        assert bool(patches) == (built != kustomize(REPOSITORY / overlay))


def charts_of(path: Path) -> Iterator[tuple[str, Any]]:
    for each in objects_of(path.read_text()):
        if each['kind'] == 'HelmRelease':
            yield each['spec']['chart']['spec']['chart'], each['spec']['values']
        elif each['kind'] == 'Application' and 'helm' in each['spec']['source']:
            yield each['spec']['source']['path'], each['spec']['source']['helm']['valuesObject']


def overlays_of(path: Path) -> Iterator[tuple[str, Any]]:
    for each in objects_of(path.read_text()):
        if each['kind'] == 'Kustomization':
            yield each['spec']['path'], each['spec']['patches']
        elif each['kind'] == 'Application' and 'helm' not in each['spec']['source']:
            yield each['spec']['source']['path'], []
