"""TLS of the listener, as curl and openssl find it: who is let in, what is refused, and certificates that are replaced meanwhile."""

from __future__ import annotations

import contextlib
import re
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import connect, wait_until
from terminal import Terminal

V4 = '10.96.0.10'
URL = 'https://127.0.0.1:9474'


class Authority:
    """A certificate authority, in a directory of its own."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory, self.name = directory, name
        self.certificate = directory / f'{name}.crt'
        self._request(name, '-x509', '-days', '30', '-out', str(self.certificate))

    def _request(self, name: str, *options: str) -> None:
        subprocess.run(['openssl', 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', f'/CN={name}',
                        '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', str(self.directory / f'{name}.key'), *options],
                       check=True, capture_output=True)

    def issue(self, name: str, days: int = 5) -> tuple[Path, Path]:
        """A certificate and its key; in days below 0 it has expired."""
        request, certificate = self.directory / f'{name}.csr', self.directory / f'{name}.crt'
        self._request(name, '-out', str(request))
        subprocess.run(['openssl', 'x509', '-req', '-in', str(request), '-CA', str(self.certificate),
                        '-CAkey', str(self.directory / f'{self.name}.key'), '-CAcreateserial', '-copy_extensions', 'copy',
                        '-days', str(days), '-out', str(certificate)], check=True, capture_output=True)
        return certificate, self.directory / f'{name}.key'


class Secret:
    """A Secret as the kubelet mounts it: all its files change at once, by one symlink."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.count = directory, 0
        directory.mkdir()
        for name in ('tls.crt', 'tls.key', 'ca.crt'):
            (directory / name).symlink_to(f'..data/{name}')

    def put(self, certificate: Path, key: Path, ca: Path) -> None:
        self.count += 1
        made = self.directory / f'..{self.count}'
        made.mkdir()
        for name, file in {'tls.crt': certificate, 'tls.key': key, 'ca.crt': ca}.items():
            (made / name).write_bytes(file.read_bytes())
        (self.directory / '..new').symlink_to(made.name)
        (self.directory / '..new').rename(self.directory / '..data')


class Stage:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.ca, self.clients, self.others = (Authority(lab.directory, name) for name in ('ca', 'clients', 'others'))
        self.first, self.second = self.ca.issue('first'), self.ca.issue('second')
        self.secret = Secret(lab.directory / 'secret')
        self.secret.put(*self.first, self.clients.certificate)
        files = {f'{key}_file': str(self.secret.directory / name)
                 for key, name in {'tls_certificate': 'tls.crt', 'tls_key': 'tls.key', 'client_ca': 'ca.crt'}.items()}
        self.daemon = Cosmolet(lab.node, lab.directory / 'cosmolet', http={'listen': '127.0.0.1:9474', **files})
        self.daemon.manifest('web', service('web', [V4]), pod('web-1', 'web'))

    def curl(self, path: str, *options: str, shows: tuple[Path, Path] | None = None, ca: Path | None = None) -> tuple[int, str]:
        """The status of an answer, 0 without one, and its text or curl's error."""
        client = ['--cert', str(shows[0]), '--key', str(shows[1])] if shows else []
        done = self.lab.node.run(['curl', '--silent', '--show-error', '--max-time', '10', '--cacert', str(ca or self.ca.certificate),
                                  '--write-out', '\n%{http_code}', *client, *options, path if '://' in path else URL + path], check=False)
        text, _, status = done.stdout.rpartition('\n')
        return int(status), text or done.stderr

    def shown(self) -> str:
        """The name in the certificate that the daemon shows now."""
        done = self.lab.node.run(['openssl', 's_client', '-connect', '127.0.0.1:9474'], check=False, stdin=subprocess.DEVNULL)
        return next((line.rpartition('=')[2].strip() for line in done.stdout.splitlines() if line.startswith('subject')), '')


@pytest.fixture(scope='module')
def stage() -> Iterator[Stage]:
    with Lab() as lab:
        made = Stage(lab)
        try:
            made.daemon.start(ready=False)
            wait_until(lambda: made.curl('/readyz')[0] == 200, 20, 'the daemon', explain=made.daemon.tail)
            yield made
        finally:
            made.daemon.close()


def test_who_is_let_in(stage: Stage) -> None:
    known, stranger = stage.clients.issue('prometheus'), stage.others.issue('stranger')
    late = stage.clients.issue('late', days=-1)
    status, metrics = stage.curl('/metrics', shows=known)
    expiry = re.search(r'^cosmolet_http_certificate_expiry_timestamp_seconds (\S+)$', metrics, re.M)
    assert status == 200 and expiry and 4 < (float(expiry[1]) - time.time()) / 86400 < 5
    assert V4 in stage.curl('/status', '--tls-max', '1.2', shows=known)[1]
    assert stage.curl('/livez') == (200, 'ok\n')  # kubelet has no certificate
    assert stage.curl('/metrics') == (403, 'this needs a certificate of http.client_ca_file\n')
    for wrong in (stranger, late, stage.first[:1] + known[1:]):
        status, error = stage.curl('/metrics', shows=wrong)
        assert status == 0, error
    assert 'unknown ca' in stage.curl('/livez', shows=stranger)[1]
    assert 'expired' in stage.curl('/livez', shows=late)[1]


def test_what_is_refused(stage: Stage) -> None:
    status, error = stage.curl('/livez', ca=stage.others.certificate)
    assert status == 0 and 'certificate' in error
    for version in ('1.0', '1.1'):
        status, error = stage.curl('/livez', '--tls-max', version, '--ciphers', 'DEFAULT@SECLEVEL=0')
        assert status == 0 and 'protocol version' in error
    assert stage.curl('/livez', '--tlsv1.3')[0] == 200
    assert stage.curl('http://127.0.0.1:9474/livez') == (400, 'this port speaks TLS: use https\n')


def test_the_commands(stage: Stage) -> None:
    """They show the server's own certificate, and accept no other."""
    config = ('--config', str(stage.daemon.config))
    assert V4 in stage.daemon.command('status', *config).stdout
    assert stage.daemon.command('status', '-o', 'json', *config).stdout.startswith('{')
    assert V4 in stage.daemon.command('why', V4, *config).stdout
    done = stage.daemon.command('status', '--http', '127.0.0.1:9474')
    assert done.returncode == 1 and 'this port speaks TLS' in done.stderr


def test_a_terminal_may_change_amid_an_answer(stage: Stage) -> None:
    """Its signal interrupts no question."""
    daemon = stage.daemon
    with contextlib.closing(Terminal(daemon, 'status', '-w', '--config', str(daemon.config), rows=24, columns=80)) as terminal:
        terminal.wait(V4)
        assert daemon.process
        daemon.process.send_signal(signal.SIGSTOP)
        for _ in range(30):  # by then it asks
            time.sleep(0.1)
            terminal.process.send_signal(signal.SIGWINCH)
        before = len(terminal.read())  # the answer after this one is long in coming, since this one was
        daemon.process.send_signal(signal.SIGCONT)
        wait_until(lambda: 'q quit' in terminal.read()[before:], 20, 'the next answer', explain=terminal.read)
        assert 'no answer' not in terminal.raw


def test_stalled_handshakes(stage: Stage) -> None:
    """Who says nothing, half a ClientHello, or an octet now and then keeps nobody out, and has to go; then all is as before."""
    daemon, lab = stage.daemon, stage.lab

    def hello() -> bytes:
        out = ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            trusting().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
        return out.read()

    def trusting() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(stage.ca.certificate))

    before, memory = daemon.descriptors(), daemon.resident()
    with contextlib.ExitStack() as held:
        plain = connect(lab.node.namespace, '127.0.0.1', 9474, 5)
        drip = held.enter_context(trusting().wrap_socket(plain, server_hostname='127.0.0.1'))
        half = hello()[:100]
        stalled = [held.enter_context(connect(lab.node.namespace, '127.0.0.1', 9474, 5)) for _ in range(400)]
        for s in stalled[::2]:
            with contextlib.suppress(OSError):  # one that has given way to a later one
                s.send(half)
        for octet, wanted in zip(b'GET ', ([], [pod('web-1', 'web')]) * 2):
            with contextlib.suppress(OSError):  # it has five seconds, as tests/unit/test_door.c counts them
                drip.send(bytes([octet]))
            assert stage.curl('/livez')[0] == 200
            assert daemon.descriptors() <= before + 256 + 10 and daemon.resident() < memory + (32 << 20)
            daemon.manifest('web', service('web', [V4]), *wanted)
            lab.tor.wait_for({f'{V4}/32'} if wanted else set(), 20)
        drip.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert drip.recv(1) == b''
        wait_until(lambda: daemon.descriptors() <= before, 20, 'the descriptors',
                   explain=lambda: f'{daemon.descriptors()}, at first {before}')
        assert daemon.resident() < memory + (16 << 20)


def test_certificates_are_replaced(stage: Stage) -> None:
    """In place of a good one a good one; never a bad one; and those who ask meanwhile do not notice."""
    daemon, over, statuses = stage.daemon, threading.Event(), []

    def ask() -> None:
        while not over.wait(0.1):
            statuses.append(stage.curl('/livez', '--insecure')[0])  # as kubelet does

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert stage.shown() == 'first'
        stage.secret.put(*stage.second, stage.clients.certificate)
        wait_until(lambda: stage.shown() == 'second', 5, 'the second certificate', explain=daemon.tail)
        stage.secret.put(stage.first[0], stage.second[1], stage.clients.certificate)
        daemon.wait_log('cannot be replaced', 'http.tls_key_file', 'is not the key of http.tls_certificate_file')
        stage.secret.put(stage.first[0], stage.first[0], stage.clients.certificate)
        daemon.wait_log('cannot be replaced', 'http.tls_key_file', 'holds no private key')
        stage.secret.put(*stage.first, stage.first[1])
        daemon.wait_log('cannot be replaced', 'http.client_ca_file', 'holds no certificate')
        assert stage.shown() == 'second'
        own = ('--cert', str(stage.second[0]), '--key', str(stage.second[1]))
        assert 'holds no certificate in PEM; the certificate before stays in use' in stage.curl('/status', *own)[1]
        # Another CA counts for those who come from then on.
        stage.secret.put(*stage.first, stage.others.certificate)
        wait_until(lambda: stage.shown() == 'first', 5, 'the first certificate', explain=daemon.tail)
        assert stage.curl('/metrics', shows=stage.others.issue('scraper'))[0] == 200
        assert stage.curl('/metrics', shows=stage.clients.issue('former'))[0] == 0
        expired = stage.ca.issue('expired', days=-1)
        stage.secret.put(*expired, stage.clients.certificate)
        wait_until(lambda: stage.shown() == 'expired', 5, 'the expired certificate')
        assert stage.curl('/livez')[1].count('expired') == 1  # curl's words
        own = ('--insecure', '--cert', str(expired[0]), '--key', str(expired[1]))
        assert 'the certificate has expired' in stage.curl('/status', *own)[1]
        stage.secret.put(*stage.first, stage.clients.certificate)
        wait_until(lambda: stage.shown() == 'first', 5, 'the first certificate', explain=daemon.tail)
    finally:
        over.set()
        asking.join()
    assert len(statuses) > 10 and set(statuses) == {200}
    text = daemon.log.read_text()
    assert 'PRIVATE KEY' not in text and stage.first[1].read_text().splitlines()[1] not in text


BAD: dict[str, tuple[dict[str, str], str, str]] = {
    'no key': ({'tls_certificate_file': 'first.crt'}, 'tls_certificate_file', 'needs http.tls_key_file'),
    'no certificate': ({'tls_key_file': 'first.key'}, 'tls_key_file', 'needs http.tls_certificate_file'),
    'no TLS': ({'client_ca_file': 'ca.crt'}, 'client_ca_file', 'needs TLS'),
    'no file': ({'tls_certificate_file': 'none', 'tls_key_file': 'first.key'}, 'tls_certificate_file', 'No such file'),
    'no PEM': ({'tls_certificate_file': 'first.csr', 'tls_key_file': 'first.key'}, 'tls_certificate_file', 'holds no certificate'),
    'passphrase': ({'tls_certificate_file': 'first.crt', 'tls_key_file': 'locked'}, 'tls_key_file', 'without a passphrase'),
    'another key': ({'tls_certificate_file': 'first.crt', 'tls_key_file': 'second.key'}, 'tls_key_file', 'is not the key'),
    'damaged': ({'tls_certificate_file': 'damaged', 'tls_key_file': 'first.key'}, 'tls_certificate_file', 'damaged'),
}


@pytest.mark.parametrize('kind', BAD)
def test_bad_files(stage: Stage, tmp_path: Path, kind: str) -> None:
    """One clear error, that names the key."""
    files, key, what = BAD[kind]
    directory = stage.lab.directory
    subprocess.run(['openssl', 'ec', '-aes128', '-passout', 'pass:x', '-in', str(directory / 'first.key'),
                    '-out', str(directory / 'locked')], check=True, capture_output=True)
    lines = (directory / 'first.crt').read_text().splitlines()
    (directory / 'damaged').write_text('\n'.join([*lines, *lines[:3], *lines[4:]]))
    http: dict[str, Any] = {'listen': '127.0.0.1:9474', **{name: str(directory / file) for name, file in files.items()}}
    daemon = Cosmolet(stage.lab.node, tmp_path, http=http)
    done = daemon.command('check', str(daemon.config))
    assert done.returncode == 3 and done.stderr.count('\n') == 1
    assert f': http.{key}: ' in done.stderr and what in done.stderr


def test_what_only_root_may_read(stage: Stage, tmp_path: Path) -> None:
    """Named at the start, since cosmolet becomes FRR's user."""
    stage.daemon.close()
    key = tmp_path / 'root.key'
    key.write_bytes(stage.first[1].read_bytes())
    key.chmod(0o600)
    daemon = Cosmolet(stage.lab.node, tmp_path, http={'listen': '127.0.0.1:9475', 'tls_certificate_file': str(stage.first[0]),
                                                      'tls_key_file': str(key)})
    done = daemon.command('run', '--config', str(daemon.config))
    assert done.returncode == 1 and f'{key}: Permission denied' in done.stderr + done.stdout
