"""The way of a newcomer, as README.md tells it: the commands and answers there are those that are run and got here.

The API server, FRR on the host and its ToR are real. There is no kubelet and no controller: what those would do after a
command, a pod that runs and becomes ready, an address for a service, is done by hand.
"""
from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest
from cosmolet import NODE
from fixtures import REPOSITORY
from kube import KubeApi
from lab import Lab, frr_root
from manifests import delete, objects_of
from pod import Pod
from sandbox import wait_until

ADDRESSES = {'web': '198.51.100.10', 'shop': '198.51.100.11'}


def told() -> list[tuple[str, str]]:
    """The commands of the README's walk, each with the answer below it."""
    walk = re.search(r'<!-- walk: begin .*?-->(.*)<!-- walk: end -->', (REPOSITORY / 'README.md').read_text(), re.S)
    assert walk
    blocks = re.findall(r'^ *```console\n(.*?)```', walk[1], re.S | re.M)
    return [(command, answer) for block in blocks for command, answer in re.findall(r'^ *\$ (.*)\n((?:(?! *\$ ).*\n)*)', block, re.M)]


class Walk:
    def __init__(self, kube: KubeApi, lab: Callable[..., Lab], directory: Path) -> None:
        self.kube, self.make_lab, self.directory = kube, lab, directory
        self.config = ''
        self.lab: Lab
        self.daemon: Pod | None = None

    def run(self, command: str) -> Callable[[], str]:
        """Runs a command as far as it is done once; the answer may take its time."""
        argv = shlex.split(command)
        if argv[:2] == ['sed', '-i']:
            shipped = (frr_root('8.4') / 'etc/frr/daemons').read_text()
            done = subprocess.run([*argv[:1], *argv[2:-1]], input=shipped, check=True, stdout=subprocess.PIPE, text=True)
            assert argv[-1] == '/etc/frr/daemons' and done.stdout.count('\nbgpd=yes\n') == 1 != shipped.count('\nbgpd=yes\n')
            return lambda: ''
        if argv[0] == 'sed':
            self.config = subprocess.run(argv[:argv.index('>')], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
            return lambda: ''
        if argv[0] == 'systemctl':
            self.lab = self.make_lab(config=self.config)
            self.kube.attach(self.lab.node.namespace)
            return lambda: ''
        if argv[0] == 'vtysh':
            return lambda: self.lab.tor.vtysh(*argv[2::2])
        if '--' in argv:
            assert self.daemon is not None
            return lambda: self.daemon.execute(*argv[argv.index('--') + 1:])
        answer = self.kube.kubectl(*(str(REPOSITORY / a) if a.startswith('container/') else a for a in argv[1:]))
        self.cluster(argv)
        return lambda: answer

    def cluster(self, argv: list[str]) -> None:
        """What happens of itself in a cluster."""
        if argv[1] == 'apply':
            self.daemon = Pod(self.kube, self.lab.node, self.directory)
            self.daemon.start()
        elif argv[1:3] == ['create', 'deployment']:
            self.kube.pod(f'{argv[3]}-1', NODE, {'app': argv[3]}, ready=argv[3] == 'web')
        elif argv[1:3] == ['create', 'service']:
            self.kube.set_ingress(argv[4], [ADDRESSES[argv[4]]])


@pytest.fixture
def walk(kube: KubeApi, lab: Callable[..., Lab], tmp_path: Path) -> Iterator[Walk]:
    tidy(kube)
    kube.namespace('cosmolet')  # here it lasts; of its making the README tells all the same
    kube.node(NODE)
    made = Walk(kube, lab, tmp_path)
    yield made
    if made.daemon:
        made.daemon.close()
    tidy(kube)


def tidy(kube: KubeApi) -> None:
    deployments = [{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': name}} for name in ADDRESSES]
    delete(kube, [*objects_of((REPOSITORY / 'container' / 'cosmolet.yaml').read_text()), *deployments])
    kube.clean()


def test_the_walk(walk: Walk) -> None:
    for command, answer in told():
        ask = walk.run(command)
        wait_until(lambda: normal(ask()) == normal(answer), 10, f'$ {command}', explain=ask)


def normal(text: str) -> list[str]:
    """Without margins, and without what differs each time: versions, and what a namespace already was."""
    text = re.sub(r'namespace/cosmolet \w+', 'namespace/cosmolet', text)
    text = re.sub(r'(resourceVersion|version is) \d+', r'\1 N', text)
    return [re.sub(r'\s+', ' ', line).strip() for line in text.splitlines() if line.strip()]
