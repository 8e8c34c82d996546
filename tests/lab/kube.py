"""A real Kubernetes API server: etcd and kube-apiserver in a network namespace of their own, with TLS, RBAC and tokens.

There is no kubelet and no controller, so a test writes what those would: nodes, pods, their readiness, ingress addresses.
Labs reach the server through a link that attach() lays; this process reaches it by opening sockets in its namespace.
"""
from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

sys.path.insert(0, str(Path(__file__).resolve().parent))
from sandbox import Sandbox, connect, in_namespace, ip, run, wait_until  # noqa: E402

HERE = Path(__file__).resolve().parent
ADDRESS, PORT = '203.0.113.254', 6443
ADDRESS6 = 'fd00:6443::254'  # by links that were asked to have IPv6, of a server that listens there: --bind-address=::
PORTS = {'apiserver': PORT, 'apiserver2': PORT + 1}
SERVICE_RANGES = '10.96.0.0/12,fd00:96::/108'
WATCH = ('get', 'list', 'watch')
RULES = ({'apiGroups': [''], 'resources': ['services', 'pods', 'nodes'], 'verbs': WATCH},
         {'apiGroups': ['discovery.k8s.io'], 'resources': ['endpointslices'], 'verbs': WATCH},
         {'apiGroups': ['cosmolet.platformbuilds.io'], 'resources': ['announcementpolicies'], 'verbs': WATCH})

PATCHES = {'merge': 'application/merge-patch+json', 'strategic': 'application/strategic-merge-patch+json',
           'json': 'application/json-patch+json'}


class ApiError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(f'{status}: {text[:500]}')
        self.status = status


@dataclass(frozen=True)
class ServiceAccount:
    token: str
    kubeconfig: Path
    directory: Path  # what a pod finds in /var/run/secrets/kubernetes.io/serviceaccount


class KubeApi:
    """Started when made; a context manager, gone afterwards."""

    def __init__(self, arguments: Iterable[str] = ()) -> None:
        """arguments: more flags for kube-apiserver."""
        binary = subprocess.run([HERE / 'kube-apiserver'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if binary.returncode != 0:
            raise RuntimeError('tests/lab/kube-apiserver failed: see above')
        self._binary, self._arguments = binary.stdout.strip(), list(arguments)
        self._running: dict[str, subprocess.Popen[Any]] = {}
        self._local = threading.local()
        self._links = 0
        self.starting = False  # a server is on its way up
        self.sandbox = Sandbox()
        try:
            self.directory = self.sandbox.directory
            self.namespace_name = self.sandbox.namespace('kube')
            ip('-n', self.namespace_name, 'address', 'add', f'{ADDRESS}/32', 'dev', 'lo')
            ip('-n', self.namespace_name, 'address', 'add', f'{ADDRESS6}/128', 'dev', 'lo')
            self._make_keys()
            self.start('etcd')
            self.start('apiserver')
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.sandbox.close()

    def __enter__(self) -> KubeApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Life of the servers: 'etcd', 'apiserver', and 'apiserver2' for those who want another one, on the next port

    def start(self, server: str, *arguments: str) -> None:
        """arguments: more flags for this one."""
        argv = [*(self._etcd() if server == 'etcd' else self._apiserver(PORTS[server])), *arguments]
        with open(self.directory / f'{server}.log', 'ab') as log:
            # etcd refuses processors that it is less sure of, unless told.
            self._running[server] = self.sandbox.popen(
                self.namespace_name, argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                env={**os.environ, 'ETCD_UNSUPPORTED_ARCH': 'arm64'})
        ready = self._etcd_ready if server == 'etcd' else lambda: self._apiserver_ready(PORTS[server])
        self.starting = True
        wait_until(lambda: self._alive(server) and ready(), 300, server, interval=0.05, explain=self.tail)
        self.starting = False

    def stop(self, server: str = 'apiserver', number: int = signal.SIGTERM) -> None:
        process = self._running.pop(server)
        process.send_signal(number)
        process.wait(90)

    def kill(self, server: str = 'apiserver') -> None:
        self.stop(server, signal.SIGKILL)

    def restart(self, server: str = 'apiserver') -> None:
        self.stop(server)
        self.start(server)

    def signal(self, server: str, number: int) -> None:
        """A signal that does not end it: SIGSTOP freezes it with its connections open, SIGCONT thaws it."""
        self._running[server].send_signal(number)

    @property
    def pids(self) -> dict[str, int]:
        return {server: p.pid for server, p in self._running.items() if p.poll() is None}

    # For those who use it

    @property
    def server(self) -> str:
        return f'https://{ADDRESS}:{PORT}'

    @property
    def environment(self) -> dict[str, str]:
        """What a pod has in its environment."""
        return {'KUBERNETES_SERVICE_HOST': ADDRESS, 'KUBERNETES_SERVICE_PORT': str(PORT)}

    @property
    def admin_kubeconfig(self) -> Path:
        return self.directory / 'admin.kubeconfig'

    def attach(self, namespace: str, ipv6: bool = False) -> None:
        """Lays a link, named kube, from another namespace (a lab's node) to the server."""
        near, far = (f'203.0.113.{128 + 2 * (self._links % 60) + end}' for end in (0, 1))
        link = f'link{self._links}'
        self._links += 1
        ip('link', 'add', link, 'netns', self.namespace_name, 'type', 'veth', 'peer', 'name', 'kube', 'netns', namespace)
        for where, name, address in ((self.namespace_name, link, near), (namespace, 'kube', far)):
            ip('-n', where, 'address', 'add', f'{address}/31', 'dev', name)
            ip('-n', where, 'link', 'set', name, 'up')
        ip('-n', namespace, 'route', 'add', f'{ADDRESS}/32', 'via', near)
        if ipv6:
            near, far = (f'fd00:6443::1:{2 * self._links + end:x}' for end in (0, 1))
            ip('-n', self.namespace_name, 'address', 'add', f'{near}/127', 'dev', link)
            ip('-n', namespace, 'address', 'add', f'{far}/127', 'dev', 'kube')
            ip('-n', namespace, 'route', 'add', f'{ADDRESS6}/128', 'via', near)

    def service_account(self, name: str = 'cosmolet', namespace: str = 'cosmolet', rules: Iterable[dict[str, Any]] = RULES,
                        seconds: int = 3600) -> ServiceAccount:
        """An account that may do what the rules say, cluster-wide."""
        self.namespace(namespace)
        self.ensure(f'/api/v1/namespaces/{namespace}/serviceaccounts', {'metadata': {'name': name}})
        rbac = '/apis/rbac.authorization.k8s.io/v1'
        self.ensure(f'{rbac}/clusterroles', {'metadata': {'name': name}, 'rules': list(rules)})
        self.ensure(f'{rbac}/clusterrolebindings', {
            'metadata': {'name': name}, 'subjects': [{'kind': 'ServiceAccount', 'name': name, 'namespace': namespace}],
            'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole', 'name': name}})
        directory = self.directory / 'accounts' / f'{namespace}-{name}'
        directory.mkdir(parents=True, exist_ok=True)
        (directory / 'ca.crt').write_bytes((self.directory / 'ca.crt').read_bytes())
        (directory / 'namespace').write_text(namespace)
        token = self.renew_token(name, namespace, seconds)
        return ServiceAccount(token, self._kubeconfig(directory / 'kubeconfig', {'token': token}), directory)

    def renew_token(self, name: str = 'cosmolet', namespace: str = 'cosmolet', seconds: int = 3600) -> str:
        """A fresh token, put in place in one move, as kubelet does."""
        answer = self.request('POST', f'/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token', {
            'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenRequest', 'spec': {'expirationSeconds': seconds}})
        token: str = answer['status']['token']
        self._put_token(name, namespace, token)
        return token

    def _put_token(self, name: str, namespace: str, token: str) -> None:
        directory = self.directory / 'accounts' / f'{namespace}-{name}'
        (directory / 'token.new').write_text(token)
        (directory / 'token.new').rename(directory / 'token')

    def brief_token(self, seconds: int, name: str = 'cosmolet', namespace: str = 'cosmolet') -> str:
        """One that the API server would not make, since it ends so soon, but takes; put in place as by renew_token()."""
        uid = self.request('GET', f'/api/v1/namespaces/{namespace}/serviceaccounts/{name}')['metadata']['uid']
        now, issuer = int(time.time()), 'https://kubernetes.default.svc'
        claims = {'iss': issuer, 'aud': [issuer], 'sub': f'system:serviceaccount:{namespace}:{name}',
                  'iat': now - 120, 'nbf': now - 120, 'exp': now + seconds - 60,  # a server is generous by a minute
                  'kubernetes.io': {'namespace': namespace, 'serviceaccount': {'name': name, 'uid': uid}}}
        signed = b'.'.join(_base64url(json.dumps(part).encode()) for part in ({'alg': 'ES256', 'typ': 'JWT'}, claims))
        der = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', self.directory / 'ca.key'], input=signed, check=True,
                             stdout=subprocess.PIPE).stdout  # a sequence of two integers
        middle = 4 + der[3]
        pair = b''.join(int.from_bytes(number, 'big').to_bytes(32, 'big') for number in (der[4:middle], der[middle + 2:]))
        token = (signed + b'.' + _base64url(pair)).decode()
        self._put_token(name, namespace, token)
        return token

    def kubectl(self, *arguments: str, stdin: str | None = None, program: str = 'kubectl') -> str:
        argv = [program, f'--kubeconfig={self.admin_kubeconfig}', f'--cache-dir={self.directory / "kubectl"}', *arguments]
        done = subprocess.run(in_namespace(self.namespace_name, argv), input=stdin or '', text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f'kubectl {" ".join(arguments)}: {done.stderr.strip()}')
        return done.stdout

    def request(self, method: str, path: str, body: Any = None, patch: str = 'merge') -> Any:
        """One request as administrator, over a connection that stays open; a thread each may call it."""
        headers = {'Accept': 'application/json', 'Content-Type': PATCHES[patch] if method == 'PATCH' else 'application/json'}
        data = None if body is None else json.dumps(body)
        kept: _Connection | None = getattr(self._local, 'connection', None)
        self._local.connection = None  # until we know that it is still good
        for connection in [kept, _Connection(self)] if kept else [_Connection(self)]:
            try:
                connection.request(method, path, data, headers)
                response = connection.getresponse()
                text = response.read()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                if connection is not kept:
                    raise
        self._local.connection = connection
        if response.status >= 400:
            raise ApiError(response.status, text.decode(errors='replace'))
        return json.loads(text) if response.headers.get_content_type() == 'application/json' else text.decode()

    # Objects

    def ensure(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        """Creates an object, or leaves it if it is there."""
        try:
            return self.request('POST', collection, body)
        except ApiError as error:
            if error.status != 409:
                raise
            return self.request('GET', f'{collection}/{body["metadata"]["name"]}')

    def namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        self.ensure('/api/v1/namespaces', {'metadata': {'name': name, 'labels': labels or {}}})

    def node(self, name: str, labels: dict[str, str] | None = None, **spec: Any) -> None:
        self.ensure('/api/v1/nodes', {'metadata': {'name': name, 'labels': labels or {}}, 'spec': spec})
        # Admission taints a new node as not ready; a controller would take that away.
        self.request('PATCH', f'/api/v1/nodes/{name}', {'spec': {'taints': spec.get('taints')}})
        self.request('PATCH', f'/api/v1/nodes/{name}/status', {'status': {'conditions': [_condition('Ready', True)]}})

    def service(self, name: str, selector: dict[str, str] | None = None, namespace: str = 'default', ingress: Iterable[str] = (),
                annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        """Of type LoadBalancer if it has ingress addresses, unless spec says otherwise."""
        addresses = list(ingress)
        spec = {'selector': selector, 'ports': [{'port': 80}], 'type': 'LoadBalancer' if addresses else 'ClusterIP', **spec}
        made = self.request('POST', f'/api/v1/namespaces/{namespace}/services', {
            'metadata': {'name': name, 'annotations': annotations or {}, 'labels': labels or {}}, 'spec': spec})
        return self.set_ingress(name, addresses, namespace) if addresses else made

    def set_ingress(self, name: str, addresses: Iterable[str], namespace: str = 'default') -> dict[str, Any]:
        """What a load balancer's controller writes."""
        return self.request('PATCH', f'/api/v1/namespaces/{namespace}/services/{name}/status',
                            {'status': {'loadBalancer': {'ingress': [{'ip': a} for a in addresses]}}})

    def pod(self, name: str, node: str, labels: dict[str, str], namespace: str = 'default', ready: bool = True,
            address: str = '192.0.2.200') -> None:
        self.request('POST', f'/api/v1/namespaces/{namespace}/pods', {
            'metadata': {'name': name, 'labels': labels},
            'spec': {'nodeName': node, 'terminationGracePeriodSeconds': 0, 'containers': [{'name': 'c', 'image': 'none'}]}})
        self.set_ready(name, ready, namespace, address)

    def set_ready(self, name: str, ready: bool, namespace: str = 'default', address: str = '192.0.2.200') -> None:
        """What kubelet writes when a readiness probe changes its mind."""
        self.request('PATCH', f'/api/v1/namespaces/{namespace}/pods/{name}/status', {'status': {
            'phase': 'Running', 'podIP': address, 'podIPs': [{'ip': address}],
            'conditions': [_condition('ContainersReady', ready), _condition('Ready', ready)],
            'containerStatuses': [{'name': 'c', 'image': 'none', 'imageID': '', 'ready': ready, 'started': True, 'restartCount': 0,
                                   'state': {'running': {}}}]}}, patch='strategic')

    def delete(self, kind: str, name: str, namespace: str = 'default', grace: int = 0) -> None:
        """kind: pods, services, nodes, …"""
        where = f'/api/v1/{kind}' if kind in ('nodes', 'namespaces') else f'/api/v1/namespaces/{namespace}/{kind}'
        self.request('DELETE', f'{where}/{name}?gracePeriodSeconds={grace}')

    def clean(self) -> None:
        """Takes away every pod, service and node, for the next test. Namespaces stay: nobody here could finish them."""
        for kind in ('pods', 'services', 'nodes'):
            for item in self.request('GET', f'/api/v1/{kind}')['items']:
                if (kind, item['metadata']['name']) != ('services', 'kubernetes'):
                    self.delete(kind, item['metadata']['name'], item['metadata'].get('namespace', ''))

    def tail(self, lines: int = 10) -> str:
        return '\n'.join(f'--- {log.name}\n' + '\n'.join(log.read_text(errors='replace').splitlines()[-lines:])
                         for log in sorted(self.directory.glob('*.log')))

    # Details

    def _etcd(self) -> list[str]:
        client, peer = 'http://127.0.0.1:2379', 'http://127.0.0.1:2380'
        return ['etcd', '--name=lab', f'--data-dir={self.directory}/etcd', '--unsafe-no-fsync',
                f'--listen-client-urls={client}', f'--advertise-client-urls={client}', f'--listen-peer-urls={peer}',
                f'--initial-advertise-peer-urls={peer}', f'--initial-cluster=lab={peer}']

    def _apiserver(self, port: int) -> list[str]:
        d = self.directory
        return [self._binary, '--etcd-servers=http://127.0.0.1:2379', f'--secure-port={port}', '--insecure-port=0',
                f'--advertise-address={ADDRESS}', '--endpoint-reconciler-type=none', '--authorization-mode=RBAC',
                f'--service-cluster-ip-range={SERVICE_RANGES}', '--feature-gates=IPv6DualStack=true',
                '--service-node-port-range=10000-60000', '--allow-privileged', f'--cert-dir={d}/generated',
                f'--tls-cert-file={d}/server.crt', f'--tls-private-key-file={d}/server.key', f'--client-ca-file={d}/ca.crt',
                '--service-account-issuer=https://kubernetes.default.svc',
                f'--service-account-key-file={d}/ca.crt', f'--service-account-signing-key-file={d}/ca.key',
                '--disable-admission-plugins=ServiceAccount', *self._arguments]

    def _alive(self, server: str) -> bool:
        status = self._running[server].poll()
        if status is not None:
            raise RuntimeError(f'{server} ended with {status}\n{self.tail()}')
        return True

    def _etcd_ready(self) -> bool:
        try:
            with connect(self.namespace_name, '127.0.0.1', 2379, 2) as s:
                s.sendall(b'GET /health HTTP/1.0\r\n\r\n')
                return b'"true"' in s.makefile('rb').read()
        except OSError:
            return False

    def _apiserver_ready(self, port: int) -> bool:
        try:  # "ready" comes before the default namespace
            connection = _Connection(self, port)
            connection.request('GET', '/readyz')
            return connection.getresponse().read() == b'ok' and bool(self.request('GET', '/api/v1/namespaces/default'))
        except (OSError, http.client.HTTPException, ApiError):
            return False

    def _make_keys(self) -> None:
        """One authority, the server, the administrator. The authority's key signs tokens too: it is only a test."""
        names = f'DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:::1,IP:{ADDRESS},IP:{ADDRESS6},IP:10.96.0.1'
        self._certificate('ca', '/CN=lab-ca', 'basicConstraints=critical,CA:TRUE')
        self._certificate('server', '/CN=kube-apiserver', f'subjectAltName={names}', 'extendedKeyUsage=serverAuth', issuer='ca')
        self._certificate('admin', '/O=system:masters/CN=admin', 'extendedKeyUsage=clientAuth', issuer='ca')
        certificate, key = (base64.b64encode((self.directory / f'admin.{e}').read_bytes()).decode() for e in ('crt', 'key'))
        self._kubeconfig(self.admin_kubeconfig, {'client-certificate-data': certificate, 'client-key-data': key})

    def _certificate(self, name: str, subject: str, *extensions: str, issuer: str | None = None) -> None:
        d = self.directory
        plain = d / 'openssl.cnf'
        plain.write_text('[req]\ndistinguished_name = dn\n[dn]\n')
        run(['openssl', 'req', '-x509', '-config', str(plain), '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
             '-days', '3650', '-subj', subject, '-keyout', f'{d}/{name}.key', '-out', f'{d}/{name}.crt',
             *(a for e in extensions for a in ('-addext', e)),
             *(('-CA', f'{d}/{issuer}.crt', '-CAkey', f'{d}/{issuer}.key') if issuer else ())])

    def _kubeconfig(self, path: Path, user: dict[str, str]) -> Path:
        authority = base64.b64encode((self.directory / 'ca.crt').read_bytes()).decode()
        path.write_text(json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'lab',
            'clusters': [{'name': 'lab', 'cluster': {'server': self.server, 'certificate-authority-data': authority}}],
            'users': [{'name': 'user', 'user': user}],
            'contexts': [{'name': 'lab', 'context': {'cluster': 'lab', 'user': 'user'}}]}, indent=1))
        return path


class _Connection(http.client.HTTPSConnection):
    """TLS with the administrator's certificate, from inside the server's own namespace."""

    def __init__(self, kube: KubeApi, port: int = PORT) -> None:
        context = ssl.create_default_context(cafile=str(kube.directory / 'ca.crt'))
        context.load_cert_chain(kube.directory / 'admin.crt', kube.directory / 'admin.key')
        super().__init__(ADDRESS, port, context=context, timeout=30)
        self._namespace, self._tls = kube.namespace_name, context

    def connect(self) -> None:
        plain = connect(self._namespace, ADDRESS, self.port, 30)
        self.sock = self._tls.wrap_socket(plain, server_hostname=ADDRESS)


def _base64url(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b'=')


def _condition(kind: str, true: bool) -> dict[str, str]:
    now = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
    return {'type': kind, 'status': 'True' if true else 'False', 'lastTransitionTime': now}
