"""A host with systemd as its first process: a root with FRR's package in it, beside the FRR of a lab's router.

Its own are the root (a copy in memory), the processes, the mounts, the name and the control group; the network and zebra's
sockets are the router's. What it does to its disk, nobody else sees, and it goes away with the lab.
"""
from __future__ import annotations

import contextlib
import shlex
import subprocess
from pathlib import Path
from typing import Any

from lab import HERE, Router, frr_root
from sandbox import PREFIX, run, wait_until

NAME = 'node-1'

# Not the machine's devices, nor may anything write settings of the kernel: those are not all of a namespace.
BOOT = '''\
mount -t tmpfs tmpfs {disk}
mkdir {disk}/up {disk}/work {disk}/root
mount -t overlay overlay -o lowerdir={lower},upperdir={disk}/up,workdir={disk}/work {disk}/root
cd {disk}/root
hostname {name}
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  : >dev/$device
  mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
mkdir run/lock run/frr
mount --bind {frr} run/frr
echo {name} >etc/hostname
ln -s /dev/null etc/systemd/system/timers.target  # what Debian does daily would write, or have apt's lock
container=cosmolet-lab exec chroot . /lib/systemd/systemd --unit=basic.target --log-level=warning
'''


class Machine:
    """Up when it is made; close() it before its router's sandbox."""

    def __init__(self, node: Router, packages: list[str]) -> None:
        self.node = node
        self.disk = node.directory / 'disk'
        self.disk.mkdir()
        self.log = node.directory / 'log' / 'machine.out'
        # A control group of its own, which becomes the root of those it sees.
        mounted = run(['findmnt', '-n', '-o', 'TARGET', '-t', 'cgroup2']).split()
        self.cgroup = Path(mounted[0]) / node.namespace
        for left in self.cgroup.parent.glob(f'{PREFIX}-*'):  # by a run that was killed
            if not Path('/proc', left.name.split('-')[1]).exists():
                remove_groups(left)
        self.cgroup.mkdir()
        layer = run([str(HERE / 'machine-layer'), node.release, *packages]).strip()
        boot = BOOT.format(disk=self.disk, lower=f'{layer}:{frr_root(node.release)}', name=NAME, frr=node.run_directory)
        enter = ['unshare', '--mount', '--uts', '--ipc', '--cgroup', '--pid', '--fork', '--kill-child', 'bash', '-euc', boot]
        with self.log.open('ab') as log:
            self._process = node.popen(['sh', '-euc', f'echo $$ >{self.cgroup}/cgroup.procs; exec {shlex.join(enter)}'],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'})
        wait_until(self._is_up, 60, f'{NAME} to be up', interval=0.2, explain=self.log.read_text)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        wait_until(lambda: remove_groups(self.cgroup), 10, 'its control groups to be empty')

    def run(self, *argv: str, check: bool = True, **keywords: Any) -> subprocess.CompletedProcess[str]:
        """A command of root's."""
        enter = ['nsenter', f'--target={self._first()}', '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd=/', '--']
        environment = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive'}
        done = subprocess.run([*enter, *argv], stdin=subprocess.DEVNULL, text=True, capture_output=True, env=environment, **keywords)
        if check and done.returncode != 0:
            raise RuntimeError(f'{shlex.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{self.journal()}')
        return done

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        lines = self.run('systemctl', 'show', unit, *(f'--property={each}' for each in properties)).stdout.splitlines()
        return dict(line.split('=', 1) for line in lines)

    def journal(self) -> str:
        return self.run('journalctl', '--no-pager', '--lines=40', '--output=cat', check=False).stdout

    def path(self, inside: str) -> Path:
        """A file of its disk, from outside."""
        return Path(f'/proc/{self._first()}/root') / inside.lstrip('/')

    def _first(self) -> int:
        """Its first process, from outside."""
        return int(Path(f'/proc/{self._process.pid}/task/{self._process.pid}/children').read_text().split()[0])

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        done = subprocess.run(['nsenter', f'--target={self._process.pid}', 'true'], check=False)
        if done.returncode != 0 or not Path(f'/proc/{self._process.pid}/task/{self._process.pid}/children').read_text():
            return False
        # Until it is in its own root, it is this machine's systemd that would answer, and of this machine's disk.
        if Path(f'/proc/{self._first()}/comm').read_text() != 'systemd\n':
            return False
        return self.run('systemctl', 'is-active', 'basic.target', check=False).stdout == 'active\n'


def remove_groups(top: Path) -> bool:
    with contextlib.suppress(OSError):  # its processes are gone a moment later than the first one
        for group in sorted(top.rglob('*/'), reverse=True):
            group.rmdir()
        top.rmdir()
    return not top.exists()
