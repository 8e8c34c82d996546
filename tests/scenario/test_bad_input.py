"""What an operator may get wrong before the first route: one line each says what is wrong and what to change.

The daemon itself is started each time, beside a real zebra; it ends at once, with the exit code that --help promises.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import inside

FAILED, REFUSED = 1, 3
FRR = ['setpriv', '--clear-groups', '--inh-caps=-all']
Settings = dict[str, dict[str, Any]]


def container(*capabilities: str) -> list[str]:
    return ['setpriv', '--no-new-privs', '--inh-caps=-all', f'--bounding-set=-all{"".join(f",+{name}" for name in capabilities)}']


def files(**more: Any) -> Settings:
    """A cluster by a kubeconfig that names these files."""
    return {'kubernetes': {'source': 'cluster', 'path': None, **more}}


@dataclass
class Case:
    words: list[str]
    code: int = FAILED
    wrapper: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)  # variables
    private: str = ''  # a file that only root may read


CASES = {
    'no node name': Case(['node', '${NODE_NAME} is not set', 'write the value itself'], REFUSED, unset=['NODE_NAME'],
                         settings={'node': '${NODE_NAME}'}),
    'a wrong word': Case(['loopback.mode', '"on" is not allowed', 'write local-route, address or none'], REFUSED,
                         settings={'loopback': {'mode': 'on'}}),
    'a wrong number': Case(['announce.tag', '0 is not allowed', 'from 1 to 4294967295'], REFUSED, settings={'announce': {'tag': 0}}),
    'a wrong type': Case(['services.min_ready', 'must be a number'], REFUSED, settings={'services': {'min_ready': 'two'}}),
    'an unknown key': Case(['services', 'adresses'], REFUSED, settings={'services': {'adresses': []}}),
    'no such prefix': Case(['services.allow', '192.0.2.1/24', 'ADDRESS/LENGTH'], REFUSED, settings={'services': {'allow': ['192.0.2.1/24']}}),
    'not on this host': Case(['http', '192.0.2.77'], settings={'http': {'listen': '192.0.2.77:9474'}}),
    'a port that is taken': Case(['http', '127.0.0.1:9999'], settings={'http': {'listen': '127.0.0.1:9999'}}),
    'no such interface': Case(['no interface "eth77"', 'loopback.interface'], settings={'loopback': {'interface': 'eth77'}}),
    'another user': Case(['zserv.api belongs to uid', 'this process is uid 1234 gid 1234', 'as root with CAP_SETUID and CAP_SETGID'],
                         wrapper=[*FRR, '--reuid=1234', '--regid=1234'], settings={'loopback': {'mode': 'none'}}),
    'root that may not become it': Case(['zserv.api belongs to uid', 'this process is uid 0 gid 0', 'CAP_SETUID and CAP_SETGID'],
                                        wrapper=container('net_admin')),
    'root without NET_ADMIN': Case(['CAP_NET_ADMIN', 'add it, or set loopback.mode: none'], wrapper=container('setuid', 'setgid')),
    "a configuration of root's alone": Case(['cosmolet.yaml: Permission denied for uid', 'let it read'], private='cosmolet.yaml'),
    "a kubeconfig of root's alone": Case(['kubeconfig: Permission denied for uid', 'fsGroup'], private='kubeconfig',
                                         settings=files(kubeconfig='{directory}/kubeconfig')),
    "a token of root's alone": Case(['token: Permission denied for uid', 'fsGroup'], private='token',
                                    settings=files(service_account='{directory}')),
    'no service account': Case(['no API server: KUBERNETES_SERVICE_HOST', 'give a kubeconfig'], settings=files(),
                               unset=['KUBERNETES_SERVICE_HOST']),
    'no such kubeconfig': Case(['kubernetes.kubeconfig: /', '/none: No such file'], settings=files(kubeconfig='{directory}/none')),
    'no such manifests': Case(['kubernetes.path: /', '/none: No such file'], settings={'kubernetes': {'source': 'files', 'path': '{directory}/none'}}),
}


def expand(value: Any, directory: Path) -> Any:
    return json.loads(json.dumps(value).replace('{directory}', str(directory)))


@pytest.mark.parametrize('name', CASES)
def test_one_line_says_it(network: Lab, cosmolet: Path, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    for file in ('kubeconfig', 'token', 'ca.crt'):
        (tmp_path / file).write_text('x')
    daemon = Cosmolet(network.node, tmp_path, **{k: v for k, v in expand(case.settings, tmp_path).items() if k != 'node'})
    daemon.manifest('web', service('web', ['10.96.0.10']), pod('web-1', 'web'))
    daemon.settings['kubernetes'] = {k: v for k, v in daemon.settings['kubernetes'].items() if v is not None}
    daemon.write_config()
    if 'node' in case.settings:
        daemon.config.write_text(json.dumps({**daemon.settings, 'node': case.settings['node']}))
    if case.private:
        (tmp_path / case.private).chmod(0o600)
    daemon.wrapper = case.wrapper
    daemon.environment.update(KUBERNETES_SERVICE_HOST='192.0.2.254', KUBERNETES_SERVICE_PORT='6443')
    for variable in case.unset:
        daemon.environment.pop(variable, None)

    with contextlib.ExitStack() as stack:
        stack.callback(daemon.close)
        with inside(network.node.namespace):
            taken = stack.enter_context(socket.create_server(('127.0.0.1', 9999)))
        assert taken.fileno() >= 0
        daemon.start(ready=False)
        assert daemon.process and daemon.process.wait(10) == case.code, daemon.tail()
    complaints = [line for line in daemon.tail().splitlines() if 'level=info' not in line]
    assert len(complaints) == 1, daemon.tail()
    for word in case.words:
        assert word in complaints[0].replace('\\"', '"'), complaints[0]
    assert network.tor.services() == {}


def test_a_socket_that_is_not_there(network: Lab, cosmolet: Path, tmp_path: Path) -> None:
    """Nothing is wrong yet: zebra may come. Said once, by the log and to whoever asks whether it is ready."""
    for path in (tmp_path / 'frr' / 'zserv.api', tmp_path / 'zserv.api'):
        daemon = Cosmolet(network.node, tmp_path / 'daemon', frr={'socket_path': str(path)})
        with contextlib.closing(daemon):
            daemon.start(ready=False)
            daemon.wait_log('level=warn', str(path), 'No such file', 'does zebra run')
            assert daemon.get('/readyz')[0] == 503 and str(path) in daemon.get('/readyz')[1]
            assert len(daemon.log_lines('level=warn')) == 1, daemon.tail()
            assert daemon.stop() == 0
            daemon.log.unlink()


def test_a_run_directory_that_cannot_be_written(network: Lab, cosmolet: Path, tmp_path: Path) -> None:
    """It does not have to be: a read-only mount of FRR's directory is enough."""
    mount = tmp_path / 'frr'
    mount.mkdir()
    daemon = Cosmolet(network.node, tmp_path, frr={'socket_path': str(mount)})
    daemon.manifest('web', service('web', ['10.96.0.10']), pod('web-1', 'web'))
    daemon.wrapper = ['unshare', '--mount', 'sh', '-euc', 'mount --bind "$1" "$0"; mount -o remount,bind,ro "$0"; shift; exec "$@"',
                      str(mount), os.fspath(network.node.run_directory)]
    with contextlib.closing(daemon):
        daemon.start()
        network.tor.wait_for({'10.96.0.10/32'})
        assert daemon.stop() == 0
        assert daemon.command('withdraw', '--config', str(daemon.config)).returncode == 0
        network.tor.wait_for(set())


def test_a_pipe_that_is_slow(cosmolet: Path) -> None:
    """Nothing is wrong with it: kubectl, say, needs a while for what it pipes in."""
    with subprocess.Popen([cosmolet, 'check', '/dev/stdin'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as check:
        assert check.stdin and check.stdout
        for part in ('node: n\nannounce: ', '{tag: 4711}\n'):
            time.sleep(0.3)
            check.stdin.write(part)
            check.stdin.flush()
        check.stdin.close()
        assert '4711' in check.stdout.read() and check.wait(10) == 0
