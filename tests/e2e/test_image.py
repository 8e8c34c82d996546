"""The image: what can be seen of its Containerfile, and what is in it once it is built, and does, beside a real FRR.

It is built as an operator builds it, but of what tests/lab/image-base has prepared, so without a network: a base by the name
that the Containerfile uses, the same with the compiler for the first stage, and the packages of the last one in a directory.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from cluster import populate, whole_way
from container import ContainerPod, SidecarPod
from cosmolet import NODE
from fixtures import REPOSITORY
from kube import KubeApi
from lab import NODE_V4, Lab, node_config
from manifests import CONTAINER, apply, delete, kustomize, objects_of
from sandbox import landlock, public_directory, wait_until

CONTAINERFILE = CONTAINER / 'Containerfile'
SBOM = CONTAINER / 'sbom'
REVISION = '0123456789ab'
NET_ADMIN = 1 << 12
BUILD_ONLY = {'check', 'git', 'ca-certificates', 'iproute2', 'python3-yaml'}  # of tests/setup build: for the tests


def run(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def installed() -> list[set[str]]:
    """The packages that each stage installs."""
    text = CONTAINERFILE.read_text().replace('\\\n', ' ')
    return [set(found.split()) for found in re.findall(r'--no-install-recommends([^&\n]*)', text)]


def test_its_libraries(cosmolet: Path) -> None:
    """Each library that the daemon is linked to, and no other."""
    needed = re.findall(r'NEEDED.*\[(.*)\]', run('readelf', '-d', cosmolet))
    packages = {run('dpkg-query', '-S', f'*-linux-gnu/{name}').partition(':')[0] for name in needed}
    assert 'libcurl4' in packages
    assert installed()[1] == packages - {'libc6'} | {'ca-certificates'}


def test_what_builds_it() -> None:
    """What tests/setup installs for the same purpose."""
    found = re.search(r'^build=\(([^)]*)\)', (REPOSITORY / 'tests' / 'setup').read_text(), re.M)
    assert found
    assert installed()[0] - {'python3'} == set(found[1].split()) - BUILD_ONLY - {'python3'}


def test_its_sources() -> None:
    """All that meson reads without the tests is let through by .dockerignore, and what is copied by itself."""
    ignored = (REPOSITORY / '.dockerignore').read_text().splitlines()
    assert '*' in ignored
    text = (REPOSITORY / 'meson.build').read_text()
    named = set(re.findall(r"(?:subdir|include_directories)\('([^']+)'", text)) - {'tests'}
    rooms = {name if name.startswith('container/') else name.partition('/')[0] for name in named}
    alone = set(re.findall(r'^COPY (container/\S+)', CONTAINERFILE.read_text(), re.M)) | {'container/sbom'}
    assert {line[1:] for line in ignored if line.startswith('!')} == rooms | alone | {'meson.build', 'meson_options.txt'}


def test_its_bill_of_materials() -> None:
    text = run('sh', SBOM, '1.2.3')
    assert run('sh', SBOM, '1.2.3') == text, 'the same packages, the same bytes'
    bill = json.loads(text)
    packages = {package['name']: package for package in bill['packages']}
    libc = run('dpkg-query', '-W', '-f', '${Version}', 'libc6')
    assert bill['spdxVersion'] == 'SPDX-2.3' and packages['cosmolet']['versionInfo'] == '1.2.3'
    assert packages['libc6']['versionInfo'] == libc
    ids = [package['SPDXID'] for package in bill['packages']]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r'SPDXRef-[A-Za-z0-9.-]+', each) for each in ids)
    assert {each['relatedSpdxElement'] for each in bill['relationships']} == set(ids) - {'SPDXRef-cosmolet'}


class Image:
    """One build, in a storage of its own over the prepared one, which it only reads."""

    def __init__(self, directory: Path, base: Path) -> None:
        self.directory, self.base = directory, base
        self.rootfs: Path
        self.config: dict[str, Any]

    def buildah(self, *argv: str) -> str:
        done = subprocess.run(['buildah', '--root', str(self.directory / 'store'), '--runroot', str(self.directory / 'run'),
                               '--storage-driver=vfs', f'--storage-opt=vfs.imagestore={self.base / "store"}', *argv],
                              cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, f'buildah {argv[0]}: {(done.stdout + done.stderr)[-3000:]}'
        return done.stdout.strip()

    def build(self) -> None:
        self.directory.mkdir()
        # vfs copies the whole tree for each layer, chroot needs no other privileges than ours.
        self.buildah('build', '--layers=false', '--isolation=chroot', '--pull-never', '--timestamp=0',
                     '--build-arg=BUILDER=localhost/cosmolet-builder', f'--build-arg=REVISION={REVISION}',
                     f'--volume={self.base / "packages"}:/srv:ro', f'--volume={self.base / "apt.list"}:/etc/apt/sources.list:ro',
                     f'--file={CONTAINERFILE}', '--tag=cosmolet', str(REPOSITORY))
        inspected = json.loads(self.buildah('inspect', '--type=image', 'cosmolet'))
        self.id = inspected['FromImageID']
        self.config = {**inspected['OCIv1']['config'], 'layers': inspected['OCIv1']['rootfs']['diff_ids'], 'created': inspected['OCIv1']['created'],
                       'docker': inspected['Docker']['config']}

    def layer(self) -> Path:
        """All that is beyond the base, as a tar file."""
        self.buildah('push', '--disable-compression', 'cosmolet', f'dir:{self.directory / "pushed"}')
        return self.directory / 'pushed' / self.config['layers'][-1].partition(':')[2]

    def mount(self) -> Path:
        self.rootfs = Path(self.buildah('mount', self.buildah('from', '--pull-never', 'cosmolet')))
        return self.rootfs


@pytest.fixture(scope='module')
def images() -> Iterator[list[Image]]:
    """Built twice, at the same time."""
    base = Path(run(REPOSITORY / 'tests' / 'lab' / 'image-base').strip())
    with public_directory() as directory:
        both = [Image(directory / str(number), base) for number in (1, 2)]
        with ThreadPoolExecutor(len(both)) as pool:
            list(pool.map(Image.build, both))
        yield both


@pytest.fixture(scope='module')
def image(images: list[Image]) -> Image:
    images[0].mount()
    return images[0]


def test_built_twice(images: list[Image]) -> None:
    """The same sources and the same packages of Debian: the same image, to the last bit."""
    one, two = images
    assert one.config['layers'] == two.config['layers'], different(one, two)
    assert one.id == two.id
    assert one.config['created'].startswith('1970-01-01T00:00:00')


def different(one: Image, two: Image) -> list[str]:
    def contents(image: Image) -> dict[str, Any]:
        with tarfile.open(image.layer()) as layer:
            return {m.name: (m.get_info(), layer.extractfile(m).read() if m.isreg() else b'') for m in layer}  # type: ignore[union-attr]

    first, second = contents(one), contents(two)
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


def test_its_labels(image: Image) -> None:
    version = re.search(r"^ *version: '([^']+)'", (REPOSITORY / 'meson.build').read_text(), re.M)
    assert version
    labels = {key.removeprefix('org.opencontainers.image.'): value for key, value in image.config['Labels'].items()}
    assert (labels['title'], labels['version'], labels['revision'], labels['licenses']) == ('cosmolet', version[1], REVISION, 'Apache-2.0')
    assert labels['source'].startswith('https://') and labels['description']
    assert (image.config['Entrypoint'], image.config['Cmd']) == (['/usr/bin/cosmolet'], ['run'])
    assert 'Healthcheck' not in image.config['docker'] and not image.config.get('Volumes')
    assert run('chroot', image.rootfs, 'cosmolet', 'version').strip() == f'cosmolet {version[1]} ({REVISION})'


def test_what_it_adds(image: Image) -> None:
    """Beyond the base: little, nothing that was only needed to make it, nothing with somebody else's rights."""
    with tarfile.open(image.layer()) as layer:  # what the base has and it removes is there as .wh.NAME
        added = {'/' + member.name: member for member in layer}
    files = [member for member in added.values() if member.isreg()]
    assert sum(member.size for member in files) <= 30 << 20
    assert {member.mtime for member in added.values()} == {0}
    assert not [name for name, member in added.items() if member.mode & 0o6000]
    assert not [name for name, member in added.items() if member.mode & 0o002 and not member.issym() and not member.mode & 0o1000]
    left = ('/var/cache/', '/var/log/', '/var/lib/apt/lists/', '/tmp/', '/root/', '/build', '/install', '/cosmolet', '/mnt/', '/srv/')
    assert not [name for name, member in added.items() if not member.isdir() and name.startswith(left) and '/.wh.' not in name]
    assert not shutil.which('gcc', path=str(image.rootfs / 'usr/bin')) and added['/usr/bin/cosmolet'].mode & 0o777 == 0o755
    assert (image.rootfs / 'etc/ssl/certs/ca-certificates.crt').stat().st_size > 100_000
    assert (image.rootfs / 'usr/share/cosmolet/seccomp.json').read_bytes() == (CONTAINER / 'seccomp.json').read_bytes()


def test_its_bill_inside(image: Image) -> None:
    bill = json.loads((image.rootfs / 'usr/share/doc/cosmolet/sbom.spdx.json').read_text())
    listed = {(package['name'], package['versionInfo']) for package in bill['packages'] if package['name'] != 'cosmolet'}
    assert listed == {tuple(line.split()) for line in
                      run('dpkg-query', f'--admindir={image.rootfs}/var/lib/dpkg', '-W', '-f', '${Package} ${Version}\n').splitlines()}


# As a pod

OVERLAYS = {'RuntimeDefault': [], 'Localhost': ['seccomp']}  # components beside those of host-frr
OWN_FRR_CONF = {'name': 'frr', 'namespace': 'cosmolet', 'behavior': 'merge', 'files': ['frr.conf']}
Start = Callable[..., tuple[Lab, ContainerPod]]


@pytest.fixture
def start(kube: KubeApi, lab: Callable[..., Lab], image: Image, tmp_path: Path) -> Iterator[Start]:
    """Applies the manifests, with more components, and makes the pod of the DaemonSet, which is not started yet."""
    made: list[dict[str, Any]] = []
    pods: list[ContainerPod] = []

    def make(components: list[str], layout: str = 'host-frr', release: str = '8.4') -> tuple[Lab, ContainerPod]:
        overlay = tmp_path / 'overlay'
        overlay.mkdir()
        (overlay / 'kustomization.yaml').write_text(json.dumps({
            'resources': [os.path.relpath(CONTAINER / 'kustomize/overlays' / layout, overlay)],
            'components': [os.path.relpath(CONTAINER / 'kustomize/components' / each, overlay) for each in components],
            **({'configMapGenerator': [OWN_FRR_CONF]} if layout == 'sidecar-frr' else {})}))
        (overlay / 'frr.conf').write_text(node_config().replace(f'router-id {NODE_V4}', 'router-id 192.0.2.99'))
        text = kustomize(overlay)
        made.extend(objects_of(text))
        kube.namespace('cosmolet')
        apply(kube, text)
        kube.node(NODE)
        there = lab(node=release)
        kube.attach(there.node.namespace)
        kind = SidecarPod if layout == 'sidecar-frr' else ContainerPod
        pods.append(kind(kube, there.node, tmp_path / 'pod', image.rootfs, image.config['Entrypoint']))
        return there, pods[-1]

    kube.clean()
    kube.kubectl('delete', '--ignore-not-found', 'clusterrole/cosmolet', 'clusterrolebinding/cosmolet')
    yield make
    for each in pods:
        each.close()
    delete(kube, made)


@pytest.mark.parametrize('profile', OVERLAYS)
def test_as_a_pod(start: Start, kube: KubeApi, profile: str) -> None:
    """As the DaemonSet says: read-only root, three capabilities, seccomp; it does all that the binary does."""
    there, daemon = start(OVERLAYS[profile])
    everything = {prefix for prefix in populate(kube, 2) if ':' in prefix}
    whole_way(there, kube, daemon, everything)
    assert (daemon.probe('livenessProbe'), daemon.probe('readinessProbe')) == (200, 200)
    assert not daemon.log_lines('level=warn'), daemon.tail()
    assert landlock() == (not daemon.log_lines('no Landlock')), daemon.tail()
    assert_confined(there, daemon)

    # kubectl exec: what no program in there may.
    assert 'Read-only file system' in daemon.run_inside('touch', '/etc/touched').stderr
    assert daemon.run_inside('mount', '-t', 'tmpfs', 'tmpfs', '/mnt').returncode != 0


def wait_announced(daemon: ContainerPod, wanted: set[str]) -> None:
    wait_until(lambda: {a for a, state in daemon.states().items() if state == 'announced'} == {prefix.split('/')[0] for prefix in wanted}, 10,
               'all to be announced again', explain=daemon.tail)


def assert_confined(there: Lab, daemon: ContainerPod) -> None:
    process = Path(f'/proc/{daemon.pid}')
    for task in (process / 'task').iterdir():
        lines = dict(line.split(':\t') for line in (task / 'status').read_text().splitlines() if ':\t' in line)
        assert {int(lines[name], 16) for name in ('CapEff', 'CapPrm')} == {NET_ADMIN}
        assert {int(lines[name], 16) for name in ('CapInh', 'CapAmb')} == {0}
        assert int(lines['CapBnd'], 16) == NET_ADMIN | 1 << 6 | 1 << 7  # and SETGID, SETUID
        assert lines['Uid'].split() == [str(there.node.zserv.stat().st_uid)] * 4 != ['0'] * 4
        assert (lines['NoNewPrivs'], lines['Seccomp']) == ('1', '2')
    mounts = [line.split() for line in (process / 'mounts').read_text().splitlines()]
    writable = {path for _, path, _, options, *_ in mounts if options.split(',')[0] == 'rw' and not path.startswith(('/proc', '/dev'))}
    assert writable == {'/run/frr'}


def test_without_root(start: Start, kube: KubeApi) -> None:
    """With loopback.mode: none, as zebra's user: no capability at all."""
    there, daemon = start([])
    owner = there.node.zserv.stat()
    security = daemon.container['securityContext']
    security.update(runAsUser=owner.st_uid, runAsGroup=owner.st_gid, capabilities={'drop': ['ALL']})
    text = kube.request('GET', '/api/v1/namespaces/cosmolet/configmaps/cosmolet')['data']['cosmolet.yaml']
    kube.request('PATCH', '/api/v1/namespaces/cosmolet/configmaps/cosmolet', {'data': {'cosmolet.yaml': f'{text}loopback:\n  mode: none\n'}})
    daemon.write_config()
    everything = {prefix for prefix in populate(kube, 1) if ':' in prefix}
    daemon.start()
    there.tor.wait_for(everything)
    lines = dict(line.split(':\t') for line in Path(f'/proc/{daemon.pid}/status').read_text().splitlines() if ':\t' in line)
    assert {int(lines[name], 16) for name in ('CapEff', 'CapPrm', 'CapBnd', 'CapInh', 'CapAmb')} == {0}
    assert not daemon.log_lines('level=warn'), daemon.tail()


def test_frr_in_the_same_pod(start: Start, kube: KubeApi) -> None:
    """sidecar-frr with an operator's own frr.conf: all its containers as one pod, and each of the two restarts alone."""
    there, pod = start([], 'sidecar-frr', '10.3')
    assert isinstance(pod, SidecarPod)
    everything = {prefix for prefix in populate(kube, 2) if ':' in prefix}
    pod.start()
    there.tor.wait_for(everything, 30)
    probe = pod.frr['readinessProbe']['exec']['command']
    wait_until(lambda: pod.run_inside(*probe, container=pod.frr).returncode == 0, 5, 'FRR to be ready')
    assert (pod.probe('livenessProbe'), pod.probe('readinessProbe')) == (200, 200)
    assert_confined(there, pod)
    assert f' bgp router-id {NODE_V4}\n' in there.node.vty('bgpd', 'show running-config')

    # The kubelet starts a container again without the init container. cosmolet's goes unnoticed.
    mark = time.time()
    assert pod.stop(signal.SIGKILL) == 128 + signal.SIGKILL
    pod.start_container()
    pod.wait_ready()
    wait_announced(pod, everything)
    time.sleep(1)  # for what must not come
    assert there.tor.events(mark) == []

    # FRR's finds its files, and what the one before has left in the directory of its sockets.
    pod.kill_frr()
    there.tor.wait_for(set(), 20)
    pod.start_frr()
    there.tor.wait_for(everything, 30)
    wait_announced(pod, everything)
