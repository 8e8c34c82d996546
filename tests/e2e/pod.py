"""The kubelet of these tests: runs cosmolet's container of a DaemonSet as the API server has it, by hand.

From the DaemonSet come the arguments, the environment, the volumes, the user, the capabilities and the read-only root;
from the API server the ConfigMap and the service account's token. Not the image: the program is the one under test.
"""
from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cosmolet import NODE, Cosmolet
from kube import KubeApi
from lab import NODE_V4, Router

ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
FIELDS = {'spec.nodeName': NODE, 'status.hostIP': NODE_V4}


class Pod(Cosmolet):
    """One pod of a DaemonSet; started, stopped and killed as a process is."""

    def __init__(self, kube: KubeApi, node: Router, directory: Path, namespace: str = 'cosmolet', name: str = 'cosmolet') -> None:
        self.kube, self.namespace = kube, namespace
        self.daemonset = kube.request('GET', f'/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}')
        self.spec = self.daemonset['spec']['template']['spec']
        self.container = next(c for c in self.spec['containers'] if c['name'] == 'cosmolet')
        self.volumes = directory / 'volumes'
        super().__init__(node, directory)
        self.address = NODE_V4
        self.environment = {'PATH': os.environ['PATH'], **kube.environment, **{e['name']: self._value(e) for e in self.container['env']}}

    def write_config(self) -> None:
        """A change of the ConfigMap, as kubelet brings it to a pod: all files at once, by one symbolic link."""
        for volume in self.spec['volumes']:
            if 'configMap' in volume:
                data = self.kube.request('GET', f'/api/v1/namespaces/{self.namespace}/configmaps/{volume["configMap"]["name"]}')['data']
                self._write_volume(self.volumes / volume['name'], data)

    def start(self, *options: str, ready: bool = True) -> Pod:
        with self.log.open('ab') as log:
            self.process = self.node.popen(['unshare', '--mount', 'sh', '-euc', self._script([*self.container['args'], *options])],
                                           stdout=log, stderr=log, env=self.environment)
        if ready:
            self.wait_ready()
        return self

    def execute(self, *argv: str) -> str:
        """kubectl exec: a command in the pod's own mounts and environment."""
        assert self.process is not None
        enter = ['nsenter', f'--target={self.process.pid}', '--mount', '--root', '--net', '--', f'/{argv[0]}', *argv[1:]]
        return subprocess.run(enter, env=self.environment, capture_output=True, text=True, check=False).stdout

    def probe(self, name: str) -> int:
        """The status that one of the container's probes finds."""
        request = self.container[name]['httpGet']
        assert request['port'] == 'metrics' and 'host' not in request
        return self.get(request['path'])[0]

    def _script(self, arguments: list[str]) -> str:
        """Lays the pod's own root, and becomes its program."""
        root = self.directory / 'root'
        root.mkdir(exist_ok=True)
        mounts = {**{path: path for path in ('/proc', '/dev', '/usr')}, '/cosmolet': str(self.binary), ACCOUNT: str(self._account()),
                  **{m['mountPath']: str(self._source(m['name'])) for m in self.container['volumeMounts']}}
        lines = [f'mount -t tmpfs tmpfs {root}', f'cd {root}', 'ln -s usr/bin usr/lib usr/lib64 .', 'mkdir -p run', 'mkdir var',
                 'ln -s ../run var/run', ': > cosmolet']
        for inside, outside in mounts.items():
            target = shlex.quote(inside.replace('/var/run/', '/run/').lstrip('/'))
            lines += [f'[ -e {target} ] || mkdir -p {target}', f'mount --rbind {shlex.quote(outside)} {target}']
        security = self.container['securityContext']
        if security['readOnlyRootFilesystem']:
            lines.append(f'mount -o remount,ro {root}')
        lines.append(shlex.join(['exec', 'chroot', str(root), *privileges(security, self.spec['securityContext']), '/cosmolet', *arguments]))
        return '\n'.join(lines)

    def _account(self) -> Path:
        name = self.spec['serviceAccountName']
        directory = self.kube.directory / 'accounts' / f'{self.namespace}-{name}'
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.kube.directory / 'ca.crt', directory)
        (directory / 'namespace').write_text(self.namespace)
        self.kube.renew_token(name, self.namespace)
        # The kubelet keeps a token from everybody else where it knows whose it is.
        group = self.spec['securityContext'].get('fsGroup')
        users = {c.get('securityContext', {}).get('runAsUser') for c in self.spec['containers'] + self.spec.get('initContainers', [])}
        if group is not None or (len(users) == 1 and None not in users):
            (directory / 'token').chmod(0o600 if group is None else 0o640)
        os.chown(directory / 'token', users.pop() if len(users) == 1 else 0, group or 0)
        return directory

    def _source(self, name: str) -> Path:
        volume = next(v for v in self.spec['volumes'] if v['name'] == name)
        if volume.get('hostPath', {}).get('path') == '/run/frr' or name == 'frr':
            return self.node.run_directory
        assert 'configMap' in volume, volume
        return self.volumes / name

    @staticmethod
    def _value(entry: dict[str, Any]) -> str:
        return entry['value'] if 'value' in entry else FIELDS[entry['valueFrom']['fieldRef']['fieldPath']]

    @staticmethod
    def _write_volume(directory: Path, data: dict[str, str]) -> None:
        """As kubelet's atomic writer does: FILE → ..data/FILE, ..data → a directory that is never written again."""
        directory.mkdir(parents=True, exist_ok=True)
        generation = directory / f'..{len(list(directory.glob("..[0-9]*")))}'
        generation.mkdir()
        for name, text in data.items():
            (generation / name).write_text(text)
            if not (directory / name).is_symlink():
                (directory / name).symlink_to(f'..data/{name}')
        (directory / '..data_tmp').symlink_to(generation.name)
        (directory / '..data_tmp').rename(directory / '..data')


def privileges(security: dict[str, Any], of_pod: dict[str, Any]) -> list[str]:
    """How a container runtime would limit the process: only these capabilities, and no way to more."""
    groups = f'--groups={of_pod["fsGroup"]}' if 'fsGroup' in of_pod else '--clear-groups'
    assert security['capabilities']['drop'] == ['ALL'] and not security['allowPrivilegeEscalation']
    kept = ''.join(f',+{name.lower()}' for name in security['capabilities'].get('add', []))
    return ['setpriv', f'--reuid={security["runAsUser"]}', f'--regid={security["runAsGroup"]}', groups, '--no-new-privs',
            '--inh-caps=-all', f'--bounding-set=-all{kept}']
