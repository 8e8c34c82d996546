"""cosmolet itself, run in the lab's node as its operator would run it: a configuration and a process."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from lab import Router
from sandbox import NotYet, connect, wait_until

BINARY = Path(os.environ.get('COSMOLET', Path(__file__).resolve().parents[2] / 'build' / 'cosmolet'))
# COSMOLET_SECCOMP=…/container/seccomp.json: it always runs under that profile.
CONFINED = [str(Path(__file__).with_name('under-profile')), os.environ['COSMOLET_SECCOMP']] if 'COSMOLET_SECCOMP' in os.environ else []
TAG = 4711
NODE = 'node-1'


class Cosmolet:
    """One configuration; the process can be started, stopped and killed any number of times."""

    def __init__(self, node: Router, directory: Path, word: str = 'static', **settings: Any) -> None:
        self.node = node
        self.directory = directory
        self.manifests = directory / 'manifests'
        self.manifests.mkdir(parents=True, exist_ok=True)
        self.config = directory / 'cosmolet.yaml'
        self.log = directory / 'cosmolet.log'
        self.binary = BINARY
        self.wrapper: list[str] = []  # a command that becomes cosmolet, in a situation of its own
        self.confined = CONFINED
        self.process: subprocess.Popen[Any] | None = None
        self.environment = dict(os.environ)
        self.address = '127.0.0.1'  # where it is asked
        files = {'source': 'files', 'path': str(self.manifests)}
        self.settings: dict[str, dict[str, Any]] = {
            'kubernetes': {} if settings.get('kubernetes', {}).get('source') == 'cluster' else files,
            'announce': {'redistribute': word, 'tag': TAG},
            'frr': {'socket_path': str(node.zserv)},
            'http': {'listen': '127.0.0.1:9474'},
            'logging': {'level': 'info'},
        }
        for section, keys in settings.items():
            self.settings[section] = {**self.settings.get(section, {}), **keys}
        self.write_config()

    def write_config(self) -> None:
        self.config.write_text(json.dumps({'node': NODE, **self.settings}, indent=1))

    def manifest(self, name: str, *objects: dict[str, Any]) -> None:
        """Writes a manifest file as kubectl's users do: whole, and moved into place."""
        new = self.directory / f'.{name}.new'
        new.write_text(json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': objects}))
        new.rename(self.manifests / f'{name}.json')

    def start(self, *options: str, ready: bool = True) -> Cosmolet:
        with self.log.open('ab') as log:
            self.process = self.node.popen([*self.wrapper, *self.confined, str(self.binary), 'run', '--config', str(self.config), *options],
                                           stdout=log, stderr=log, env=self.environment)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, timeout: float = 20) -> None:
        wait_until(lambda: self.get('/readyz')[0] == 200, timeout, 'cosmolet to be ready', explain=self.tail)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A cosmolet command, run beside the daemon."""
        return self.node.run([*self.wrapper, *self.confined, str(self.binary), *arguments], check=False, env=self.environment)

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A question that its operator puts to the running daemon, by a command."""
        return self.command(*arguments, '--config', str(self.config))

    def get(self, path: str, method: str = 'GET') -> tuple[int, str]:
        """Asks the daemon over HTTP; (0, '') if it does not answer."""
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f'cosmolet is not running ({self.process and self.process.poll()}):\n{self.tail()}')
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(self.address, 9474)
            connection.sock = connect(self.node.namespace, self.address, 9474, 10)
            with contextlib.closing(connection):
                connection.request(method, path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
        return 0, ''

    def answer(self, path: str) -> str:
        code, text = self.get(path)
        if code != 200:
            raise NotYet(f'{path}: {code} {text}\n{self.tail()}')
        return text

    def status(self) -> dict[str, Any]:
        return json.loads(self.answer('/status'))

    def metric(self, sample: str) -> float:
        """One sample of /metrics, named as it stands there, but without the prefix."""
        lines = self.answer('/metrics').splitlines()
        return next(float(line.rpartition(' ')[2]) for line in lines if line.startswith(f'cosmolet_{sample} '))

    def total(self, name: str, label: str = '') -> float:
        """The sum of all samples of a metric, or of those with this label."""
        lines = self.answer('/metrics').splitlines()
        return sum(float(line.rpartition(' ')[2]) for line in lines if line.startswith(f'cosmolet_{name}{{') and label in line)

    def descriptors(self) -> int:
        assert self.process
        return len(list(Path(f'/proc/{self.process.pid}/fd').iterdir()))

    def resident(self) -> int:
        """Octets of memory in use; 0 of a build with sanitizers, which keep what is freed."""
        assert self.process
        if b'__asan_init' in self.binary.read_bytes():
            return 0
        return int(Path(f'/proc/{self.process.pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGESIZE')

    def sent(self) -> int:
        """ZAPI messages that it has sent since its start."""
        return int(self.total('zapi_messages_total', 'direction="out"'))

    def streams(self) -> dict[str, dict[str, Any]]:
        """What /status says of each watch, or manifest, by its name."""
        return {stream['name']: stream for stream in self.status()['kubernetes']['streams']}

    def states(self) -> dict[str, str]:
        return {a['address']: a['state'] for a in self.status()['addresses']}

    def wait_states(self, wanted: dict[str, str], timeout: float = 10) -> None:
        wait_until(lambda: self.states() == wanted, timeout, f'{wanted}',
                   explain=lambda: f'{self.states()}\n{self.tail()}')

    def log_lines(self, *words: str) -> list[str]:
        """Lines of the log that have all these words, of all lives."""
        lines = self.log.read_text(errors='replace').splitlines() if self.log.exists() else []
        return [line for line in lines if all(word in line for word in words)]

    def wait_log(self, *words: str, timeout: float = 10, more_than: int = 0) -> list[str]:
        wait_until(lambda: len(self.log_lines(*words)) > more_than, timeout, f'a log line with {words}', explain=self.tail)
        return self.log_lines(*words)

    def tail(self, lines: int = 30) -> str:
        return '\n'.join(self.log.read_text(errors='replace').splitlines()[-lines:]) if self.log.exists() else ''


# Manifests

def service(name: str, cluster_ips: list[str] = (), namespace: str = 'default', ingress: list[str] = (),
            external_ips: list[str] = (), selector: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name, 'namespace': namespace},
            'spec': {'type': 'LoadBalancer' if ingress else 'ClusterIP',
                     'selector': {'app': name} if selector is None else selector,
                     'clusterIPs': list(cluster_ips), 'externalIPs': list(external_ips), **spec},
            'status': {'loadBalancer': {'ingress': [{'ip': ip} for ip in ingress]}}}


def pod(name: str, app: str, ready: bool = True, node: str = NODE, namespace: str = 'default',
        ips: list[str] = ('10.244.0.1', 'fd00:244::1'), deleting: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {'name': name, 'namespace': namespace, 'labels': {'app': app}}
    if deleting:
        metadata['deletionTimestamp'] = '2030-01-01T00:00:00Z'
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': metadata, 'spec': {'nodeName': node},
            'status': {'phase': 'Running', 'podIPs': [{'ip': ip} for ip in ips],
                       'conditions': [{'type': 'Ready', 'status': 'True' if ready else 'False'}]}}
