"""The daemon under container/seccomp.json: everything it does works, and nothing else does.

The profile is loaded here as a runtime loads it, by libseccomp (tests/lab/under-profile). With a real runtime, which makes
calls of its own under it, test_image.py runs the image. All end-to-end tests run under it, others like this:

    COSMOLET_SECCOMP=$PWD/container/seccomp.json pytest tests/integration
"""
from __future__ import annotations

import errno as errors
import fcntl
import functools
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Any, Callable

from cluster import populate, prefixes, set_ready, wait_connected
from container import runtime_default
from cosmolet import NODE, Cosmolet, pod, service
from fixtures import REPOSITORY
from kube import KubeApi
from lab import DEGRADED_COMMUNITY, DEGRADED_TAG, Lab
from sandbox import landlock, wait_until

PROFILE = REPOSITORY / 'container' / 'seccomp.json'
UNDER = [str(REPOSITORY / 'tests/lab/under-profile'), str(PROFILE)]
CONTAINER = ['setpriv', '--reuid=0', '--regid=0', '--clear-groups', '--no-new-privs', '--inh-caps=-all',
             '--bounding-set=-all,+net_admin,+setuid,+setgid']
V4, V6 = '10.96.0.1', 'fd00:96::1'


def names(profile: dict[str, Any]) -> set[str]:
    return {name for rule in profile['syscalls'] if rule['action'] == 'SCMP_ACT_ALLOW' for name in rule['names']}


def test_it_is_an_allow_list() -> None:
    """Far shorter than the runtime's own, and in nothing beyond it."""
    profile = json.loads(PROFILE.read_text())
    assert (profile['defaultAction'], profile['defaultErrnoRet']) == ('SCMP_ACT_ERRNO', 38)  # ENOSYS: libc does without then
    assert {rule['action'] for rule in profile['syscalls'] if rule['names'] != ['clone3']} == {'SCMP_ACT_ALLOW'}
    usual = names(runtime_default(['CAP_NET_ADMIN', 'CAP_SETUID', 'CAP_SETGID']))
    assert names(profile) <= usual and len(names(profile)) < len(usual) / 2


def test_the_whole_way(cosmolet: Path, lab: Callable[..., Lab], kube: KubeApi, tmp_path: Path) -> None:
    """From a real API server, over TLS, to the far end of BGP and back; all that an operator may ask meanwhile."""
    kube.clean()
    kube.node(NODE)
    there = lab(node='8.4')
    kube.attach(there.node.namespace)
    account = str(kube.service_account().directory)
    daemon = Cosmolet(there.node, tmp_path, kubernetes={'source': 'cluster', 'service_account': account}, frr={'verify_bgp': 'on'},
                      announce={'drain_seconds': 1})
    daemon.environment.update(kube.environment)
    daemon.wrapper, daemon.confined = [*CONTAINER, *UNDER], []
    everything = populate(kube, 3)
    try:
        daemon.start()
        there.tor.wait_for(everything)
        assert is_under_it(daemon)
        set_ready(kube, 'p1', False)
        there.tor.wait_for(everything - prefixes(1))
        set_ready(kube, 'p1', True)
        there.tor.wait_for(everything)
        wait_connected(daemon)
        questions(daemon)

        # A reload that changes the tag, and one that makes the parts anew.
        daemon.settings['announce']['tag'] = DEGRADED_TAG
        daemon.write_config()
        there.tor.wait_for(lambda table: {route.communities for route in table.values()} == {frozenset({DEGRADED_COMMUNITY})})
        daemon.settings['http'] = {'listen': '0.0.0.0:9474'}
        daemon.write_config()
        daemon.wait_log('changed', 'http.listen')
        daemon.wait_ready()

        mark = time.time()
        daemon.kill()
        daemon.start()
        wait_until(lambda: daemon.status()['states']['announced'] == len(everything), 10, 'all to be announced again', explain=daemon.tail)
        assert there.tor.events(mark) == []
        daemon.process.send_signal(signal.SIGUSR1)  # type: ignore[union-attr]
        there.tor.wait_for(set())
        daemon.process.send_signal(signal.SIGUSR2)  # type: ignore[union-attr]
        there.tor.wait_for(everything)
        assert daemon.stop() == 0
        done = daemon.command('withdraw', '--config', str(daemon.config))
        assert done.returncode == 0, done.stderr
        there.tor.wait_for(set())
        assert not daemon.log_lines('Operation not permitted'), daemon.tail()
        assert landlock() == (not daemon.log_lines('Function not implemented')), daemon.tail()
    finally:
        daemon.close()


def is_under_it(daemon: Cosmolet) -> bool:
    assert daemon.process
    tasks = [file.read_text() for file in Path(f'/proc/{daemon.process.pid}/task').glob('*/status')]
    return len(tasks) > 1 and all('\nSeccomp:\t2\n' in text and '\nNoNewPrivs:\t1\n' in text for text in tasks)


def questions(daemon: Cosmolet) -> None:
    wait_until(lambda: 'cosmolet_bgp_neighbor_up{' in daemon.get('/metrics')[1], 10, 'bgpd to be asked', explain=daemon.tail)
    assert 'process_resident_memory_bytes ' in daemon.get('/metrics')[1]
    assert [daemon.get(path)[0] for path in ('/', '/livez', '/readyz', '/status', '/version')] == [200] * 5
    config = ['--config', str(daemon.config)]
    for arguments, answer in ((['status', *config], 'announced'), (['why', 'default/s0', *config], 'is announced'),
                              (['zebra', *config], 'FRR 8.2-9.0'), (['check', str(daemon.config)], 'redistribute'), (['version'], 'cosmolet ')):
        done = daemon.command(*arguments)
        assert done.returncode == 0 and answer in done.stdout, (arguments, done)


def test_from_files(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> None:
    """Addresses on lo instead of routes, their ledger, and a directory of manifests."""
    there = lab(word='connected', node='10.3')
    daemon = Cosmolet(there.node, tmp_path, word='connected',
                      loopback={'mode': 'address', 'ledger_directory': str(tmp_path / 'run'), 'lease_seconds': 60})
    daemon.confined = []
    daemon.wrapper = ['setarch', '--uname-2.6', *CONTAINER, *UNDER]  # as if of a kernel that does not mark addresses
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    try:
        daemon.start()
        there.tor.wait_for({f'{V4}/32', f'{V6}/128'})
        assert is_under_it(daemon) and len(list((tmp_path / 'run').iterdir())) == 1
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web', ready=False))
        there.tor.wait_for(set())
        (daemon.manifests / 'web.json').unlink()
        daemon.wait_states({})
        assert daemon.stop() == 0
        assert not daemon.log_lines('level=err'), daemon.tail()
    finally:
        daemon.close()


def test_on_a_terminal(cosmolet: Path) -> None:
    """status -w, with keys and a window that changes its size."""
    ours, theirs = pty.openpty()
    seen = b''
    screen = subprocess.Popen([*UNDER, str(cosmolet), 'status', '-w'], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)

    def drawn(what: bytes) -> bool:
        nonlocal seen
        while select.select([ours], [], [], 0)[0]:
            seen += os.read(ours, 65536)
        return what in seen

    try:
        wait_until(lambda: drawn(b'no cosmolet answers'), 20, 'the screen', explain=lambda: repr(seen))
        seen = b''
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 60, 0, 0))
        screen.send_signal(signal.SIGWINCH)
        wait_until(lambda: drawn(b'no cosmolet'), 5, 'the smaller screen')
        os.write(ours, b'q')
        assert screen.wait(10) == 0
    finally:
        screen.kill()
        screen.wait()
        os.close(ours)


# What an intruder would like to do. None of it does harm with these arguments, to a process that may do it.
REFUSED = {
    'ptrace': (16, 0, 0, 0), 'mount': (0, 0, 0, 0, 0), 'umount2': (0, 0), 'unshare': (0,), 'setns': (-1, 0), 'pivot_root': (0, 0), 'chroot': (0,),
    'bpf': (-1, 0, 0), 'perf_event_open': (0, 0, -1, -1, 0), 'io_uring_setup': (0, 0), 'userfaultfd': (-1,), 'keyctl': (-1, 0, 0, 0, 0),
    'add_key': (0, 0, 0, 0, 0), 'init_module': (0, 0, 0), 'finit_module': (-1, 0, 0), 'kexec_load': (0, 0, 0, -1), 'reboot': (0, 0, 0, 0),
    'process_vm_readv': (-1, 0, 0, 0, 0, 1), 'process_vm_writev': (-1, 0, 0, 0, 0, 1), 'kill': (0, 0), 'fork': (), 'vfork': (),
    'clone': (17, 0, 0, 0, 0), 'memfd_create': (0, -1), 'personality': (0xffffffff,), 'setuid': (0,), 'open_by_handle_at': (-1, 0, 0),
    'tgkill': (1, 1, 0), 'socket': (17, 3, 0), 'ioctl': (0, 0x5412, 0), 'swapon': (0, 0), 'sethostname': (0, -1), 'mknod': (0, 0, 0),
}
TWICE = {'fork', 'vfork', 'clone', 'kill'}  # of which we would have two, or none
TRY = '''
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
for name, number, arguments in json.loads(sys.argv[1]):
    ctypes.set_errno(0)
    result = libc.syscall(number, *(ctypes.c_long(argument) for argument in arguments))
    print(name, result, ctypes.get_errno(), flush=True)
'''


def test_what_it_refuses() -> None:
    """Where the kernel would answer something else: not every kernel knows all of these calls."""
    calls = [(name, resolved(name), arguments) for name, arguments in REFUSED.items() if resolved(name) >= 0]
    python = ['/usr/bin/python3', '-I', '-c', TRY]
    once = [call for call in calls if call[0] not in TWICE]
    answered = {name for name, (_, errno) in attempt(python, once).items() if errno != errors.ENOSYS} | TWICE
    assert {'ptrace', 'mount', 'unshare', 'setns', 'chroot', 'socket', 'ioctl', 'tgkill', 'memfd_create'} <= answered
    tried = attempt([*UNDER, *python], calls)
    assert {tried[name] for name in answered & set(tried)} == {(-1, errors.ENOSYS)}


@functools.cache
def resolved(name: str) -> int:
    done = subprocess.run(['/usr/bin/python3', '-c', f'import seccomp; print(seccomp.resolve_syscall(seccomp.Arch(), {name!r}))'],
                          check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def attempt(argv: list[str], calls: list[tuple[str, int, Any]]) -> dict[str, tuple[int, int]]:
    done = subprocess.run([*argv, json.dumps(calls)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return {name: (int(result), int(errno)) for name, result, errno in (line.split() for line in done.stdout.splitlines())}
