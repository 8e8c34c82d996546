"""The kubelet of these tests, with the image: a DaemonSet's containers as a container runtime (runc) runs them.

What pod.py lays by hand is here an OCI configuration: the image's root, its entry point, user, groups, capabilities, seccomp,
namespaces. The network is the lab's node, as with hostNetwork.
"""
from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

from cosmolet import Cosmolet
from kube import KubeApi
from lab import Router
from pod import ACCOUNT, Pod
from sandbox import wait_until

DEFAULT_PROFILE = Path('/usr/share/containers/seccomp.json')  # RuntimeDefault, as CRI-O and podman have it
PROFILE_DIRECTORY = '/var/lib/kubelet/seccomp'
NAMESPACES = ('pid', 'ipc', 'uts', 'mount')
MASKED = ('/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/sched_debug', '/proc/scsi')
# What CRI-O gives to a container that does not drop it; containerd gives more.
GIVEN = ('CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE', 'KILL')
READ_ONLY = ('/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger')


class ContainerPod(Pod):
    """One pod whose container is the image's. process is the runtime, which waits for it; pid is the container's."""

    def __init__(self, kube: KubeApi, node: Router, directory: Path, rootfs: Path, entrypoint: list[str], runtime: str = 'runc') -> None:
        self.rootfs, self.entrypoint = rootfs, entrypoint
        self.name = f'cosmolet-{uuid.uuid4().hex[:8]}'
        self.runtime = [runtime, '--root', str(directory / 'runtime')]
        self.directory = directory
        self.bundle = self.bundle_of('cosmolet')
        self.profiles = directory / 'profiles'  # the kubelet's
        super().__init__(kube, node, directory)

    @property
    def pid(self) -> int:
        return int((self.bundle / 'pid').read_text())

    def bundle_of(self, name: str) -> Path:
        return self.directory / f'bundle-{name}'

    def start(self, *options: str, ready: bool = True) -> Cosmolet:
        for each in self.spec.get('initContainers', []):
            assert self.run_to_end(each).returncode == 0, self.tail()
        self.start_container(*options)
        if ready:
            self.wait_ready()
        return self

    def start_container(self, *options: str) -> None:
        """Of cosmolet, alone, as the kubelet does again when it has ended."""
        self.process = self.run_container(self.container, [*self.entrypoint, *self.container['args'], *options])
        # The runtime says who it is before it becomes the program.
        wait_until(lambda: self.process.poll() is not None or self.runs_its_program(), 20, 'the container to run', explain=self.tail)

    def run_container(self, container: dict[str, Any], arguments: list[str]) -> subprocess.Popen[Any]:
        bundle = self.write_bundle(container, arguments)
        (bundle / 'pid').unlink(missing_ok=True)
        with self.log.open('ab') as log:
            return self.node.popen([*self.in_root_of(container), *self.runtime, 'run', '--bundle', str(bundle),
                                    '--pid-file', str(bundle / 'pid'), self.id_of(container)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def id_of(self, container: dict[str, Any]) -> str:
        return self.name if container is self.container else f'{self.name}-{container["name"]}'

    def root_of(self, container: dict[str, Any]) -> Path:
        return self.rootfs

    def in_root_of(self, container: dict[str, Any]) -> list[str]:
        """What has to precede the runtime, for this root to be there."""
        return []

    def beside(self, container: dict[str, Any]) -> list[str]:
        """The same once it runs."""
        return []

    def runs_its_program(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return os.readlink(f'/proc/{self.pid}/exe').endswith(self.entrypoint[0])
        return False

    def run_to_end(self, container: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """Another container of the pod."""
        bundle = self.write_bundle(container, container['command'])
        with self.log.open('ab') as log:
            return self.node.run([*self.in_root_of(container), *self.runtime, 'run', '--bundle', str(bundle), self.id_of(container)],
                                 check=False, capture_output=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30) -> int:
        """The runtime's exit code: 128 and more after a signal."""
        assert self.process is not None
        os.kill(self.pid, number)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                os.kill(self.pid, signal.SIGKILL)
            self.process.wait(20)

    def run_inside(self, *argv: str, stdin: str = '', container: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """kubectl exec: a command in the container, under all that confines it."""
        container = container or self.container
        environment = [word for pair in self.variables(container).items() for word in ('--env', '='.join(pair))]
        return self.node.run([*self.beside(container), *self.runtime, 'exec', *environment, self.id_of(container), *argv],
                             input=stdin, check=False)

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run_inside('cosmolet', *arguments)

    def variables(self, container: dict[str, Any]) -> dict[str, str]:
        return {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', **self.kube.environment,
                **{each['name']: self._value(each) for each in container.get('env', [])}}

    def write_bundle(self, container: dict[str, Any], arguments: list[str]) -> Path:
        bundle = self.bundle_of(container['name'])
        bundle.mkdir(exist_ok=True)
        (bundle / 'config.json').write_text(json.dumps(self.oci_config(container, arguments), indent=1))
        return bundle

    def oci_config(self, container: dict[str, Any], arguments: list[str]) -> dict[str, Any]:
        security = container['securityContext']
        given = [] if security['capabilities'].get('drop') == ['ALL'] else GIVEN
        capabilities = [f'CAP_{name}' for name in dict.fromkeys([*given, *security['capabilities'].get('add', [])])]
        user, group = security.get('runAsUser', 0), security.get('runAsGroup', 0)
        groups = [self.spec['securityContext']['fsGroup']] if 'fsGroup' in self.spec.get('securityContext', {}) else []
        mounts = [mount('/proc', 'proc', 'proc', 'nosuid', 'noexec', 'nodev'),
                  mount('/dev', 'tmpfs', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
                  mount('/dev/pts', 'devpts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
                  mount('/dev/shm', 'tmpfs', 'shm', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
                  *(mount(each['mountPath'], 'bind', str(self._source(each['name'])), 'rbind', 'rprivate', 'ro' if each.get('readOnly') else 'rw')
                    for each in container['volumeMounts'])]
        if container is self.container:
            mounts.append(mount(ACCOUNT, 'bind', str(self._account()), 'rbind', 'rprivate', 'ro'))
        return {
            'ociVersion': '1.0.2',
            'process': {
                'user': {'uid': user, 'gid': group, 'additionalGids': groups},
                'args': arguments, 'cwd': '/', 'env': ['='.join(pair) for pair in self.variables(container).items()],
                # What is given to another user than root is in the bounding set only: Kubernetes sets no ambient ones.
                'capabilities': {'bounding': capabilities, **{kind: capabilities if user == 0 else [] for kind in ('effective', 'permitted')}},
                'noNewPrivileges': not security.get('allowPrivilegeEscalation', True)},
            'root': {'path': str(self.root_of(container)), 'readonly': security.get('readOnlyRootFilesystem', False)},
            'mounts': mounts,
            'linux': {'namespaces': [{'type': each} for each in NAMESPACES], 'maskedPaths': MASKED, 'readonlyPaths': READ_ONLY,
                      **({'seccomp': self.seccomp(security['seccompProfile'], capabilities)} if 'seccompProfile' in security else {})}}

    def seccomp(self, profile: dict[str, str], capabilities: list[str]) -> dict[str, Any]:
        if profile['type'] == 'RuntimeDefault':
            return runtime_default(capabilities)
        assert profile['type'] == 'Localhost'
        return json.loads((self.profiles / profile['localhostProfile']).read_text())

    def _source(self, name: str) -> Path:
        volume = next(v for v in self.spec['volumes'] if v['name'] == name)
        if volume.get('hostPath', {}).get('path') == PROFILE_DIRECTORY:
            assert volume['hostPath']['type'] == 'DirectoryOrCreate'
            self.profiles.mkdir(mode=0o755, exist_ok=True)
            return self.profiles
        return super()._source(name)


class SidecarPod(ContainerPod):
    """One pod with FRR in it: of a release of the lab's, since FRR's image is not at hand, but started as the image starts."""

    # /usr/lib/frr/docker-start, which Debian leaves out: watchfrr, in the foreground, over what /etc/frr/daemons names.
    FRR = ['bash', '-c', '. /lib/lsb/init-functions && . /usr/lib/frr/frrcommon.sh && exec /usr/lib/frr/watchfrr $(daemon_list)']

    def __init__(self, kube: KubeApi, node: Router, directory: Path, rootfs: Path, entrypoint: list[str]) -> None:
        super().__init__(kube, node, directory, rootfs, entrypoint)
        self.frr = next(each for each in self.spec['containers'] if each['name'] == 'frr')
        self.frr_root = directory / 'frr'
        self.frr_root.mkdir(parents=True)
        node.stop_all()
        node.run_directory = self._source('frr')  # the lab asks it as it asks its own
        node.zserv = node.run_directory / 'zserv.api'

    def start(self, *options: str, ready: bool = True) -> Cosmolet:
        super().start(*options, ready=False)
        self.start_frr()
        if ready:
            self.wait_ready()
        return self

    def start_frr(self) -> None:
        self.frr_process = self.run_container(self.frr, self.FRR)

    def kill_frr(self) -> None:
        os.kill(int((self.bundle_of('frr') / 'pid').read_text()), signal.SIGKILL)
        self.frr_process.wait(20)

    def close(self) -> None:
        super().close()
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self.kill_frr()

    def root_of(self, container: dict[str, Any]) -> Path:
        return self.rootfs if container is self.container else self.frr_root / 'root'

    def in_root_of(self, container: dict[str, Any]) -> list[str]:
        """Every container's own layer over FRR's root, gone with it."""
        if container is self.container:
            return []
        layers = (f'mount -t tmpfs tmpfs {self.frr_root}; cd {self.frr_root}; mkdir upper work root; '
                  f'mount -t overlay -o lowerdir={self.node.root},upperdir=upper,workdir=work overlay root; exec "$@"')
        return ['unshare', '--mount', 'sh', '-euc', layers, 'sh']

    def beside(self, container: dict[str, Any]) -> list[str]:
        return [] if container is self.container else ['nsenter', f'--target={self.frr_process.pid}', '--mount', '--']

    def _source(self, name: str) -> Path:
        volume = next(v for v in self.spec['volumes'] if v['name'] == name)
        if 'emptyDir' not in volume:
            return super()._source(name)
        path = self.directory / 'empty' / name
        if not path.exists():  # as the kubelet makes it, for all users and the pod's group
            path.mkdir(parents=True)
            os.chown(path, 0, self.spec['securityContext']['fsGroup'])
            path.chmod(0o2777)
        return path


def mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {'destination': destination, 'type': kind, 'source': source, 'options': list(options)}


def runtime_default(capabilities: list[str]) -> dict[str, Any]:
    """The profile that containers get whose pods say RuntimeDefault: its rules for this machine and these capabilities."""
    text = json.loads(DEFAULT_PROFILE.read_text())
    machine = {'x86_64': 'amd64', 'aarch64': 'arm64'}[os.uname().machine]
    architectures = {'amd64': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'], 'arm64': ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']}

    def holds(rule: dict[str, Any]) -> bool:
        includes, excludes = rule.get('includes') or {}, rule.get('excludes') or {}
        return (machine in includes.get('arches', [machine]) and machine not in excludes.get('arches', [])
                and set(includes.get('caps', [])) <= set(capabilities) and not set(excludes.get('caps', [])) & set(capabilities))

    rules = [{key: rule[key] for key in ('names', 'action', 'args', 'errnoRet') if rule.get(key) is not None}
             for rule in text['syscalls'] if holds(rule)]
    return {'defaultAction': text['defaultAction'], 'defaultErrnoRet': text['defaultErrnoRet'], 'architectures': architectures[machine],
            'syscalls': rules}
