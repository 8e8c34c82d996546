"""What the log says, and what it never says: a run at level debug against a real API server holds none of its secrets."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Callable

import cosmolet as manifests
from cluster import apply, pod, service, set_ready
from cosmolet import NODE, Cosmolet
from kube import KubeApi
from lab import Lab
from sandbox import wait_until

V4 = '10.96.9.1'


def secrets_of(kubeconfig: str, token: str) -> set[str]:
    """In every form in which they could slip out: whole, the token's parts, and the keys' base64, line by line."""
    data = re.findall(r'(?:client-key-data|client-certificate-data|token)"?: *"?([\w+/=.-]+)', kubeconfig)
    keys = [base64.b64decode(text).decode() for text in data if text.startswith('LS0t')]
    lines = [line for key in keys for line in key.splitlines() if len(line) > 20 and 'BEGIN' not in line and 'END' not in line]
    found = {token, *token.split('.')[1:], *data, *lines}
    assert len(found) > 5 and all(len(secret) > 20 for secret in found)
    return found


def test_no_secrets(cosmolet: Path, lab: Callable[..., Lab], kube: KubeApi, tmp_path: Path) -> None:
    network = lab()
    kube.clean()
    kube.node(NODE)
    apply(kube, [service('web', clusterIP=V4), pod('web', 'web')])
    set_ready(kube, 'web')
    kube.attach(network.node.namespace)
    account = kube.service_account()
    kubeconfig = tmp_path / 'kubeconfig'
    kubeconfig.write_text(kube.admin_kubeconfig.read_text())
    kubeconfig.chmod(0o644)
    secrets = secrets_of(kubeconfig.read_text(), account.token)

    # By client certificate, by token, and by a token that is refused.
    wrong = tmp_path / 'account'
    wrong.mkdir()
    (wrong / 'ca.crt').write_bytes((account.directory / 'ca.crt').read_bytes())
    (wrong / 'token').write_text(account.token[:-40] + 'x' * 40)
    for n, how in enumerate(({'kubeconfig': str(kubeconfig)}, {'service_account': str(account.directory)}, {'service_account': str(wrong)})):
        refused = how.get('service_account') == str(wrong)
        daemon = Cosmolet(network.node, tmp_path / str(n), kubernetes={'source': 'cluster', **how}, logging={'level': 'debug'})
        daemon.environment.update(kube.environment)
        try:
            daemon.start(ready=not refused)
            if refused:
                daemon.wait_log('Unauthorized')
            else:
                daemon.wait_states({V4: 'announced', '10.96.0.1': 'down'})
            told = [daemon.log.read_text(), *(daemon.get(path)[1] for path in ('/status', '/metrics', f'/why?q={V4}', '/readyz'))]
            assert all(told) and 'room=' in told[0]
            for secret in secrets:
                assert not any(secret in text for text in told), secret[:8]
        finally:
            daemon.close()
    assert daemon.command('withdraw', '--config', str(daemon.config)).returncode == 0


def test_level_and_format_change_while_it_runs(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> None:
    daemon = Cosmolet(lab().node, tmp_path)

    def lines_with(n: int, **settings: str) -> list[str]:
        """What is logged with these settings when a service comes."""
        before = daemon.metric('config_reloads_total{result="applied"}')
        daemon.settings['logging'] = settings
        daemon.write_config()
        wait_until(lambda: daemon.metric('config_reloads_total{result="applied"}') == before + 1, 5, 'the change')
        length = len(daemon.log.read_text())
        daemon.manifest(f'm{n}', manifests.service(f'm{n}', [f'10.96.8.{n}']), manifests.pod(f'm{n}', f'm{n}'))
        daemon.wait_states({f'10.96.8.{i}': 'announced' for i in range(1, n + 1)})
        return daemon.log.read_text()[length:].splitlines()

    try:
        daemon.start()
        assert lines_with(1, level='error') == []
        lines = [json.loads(line) for line in lines_with(2, level='info', format='json')]
        assert [line['address'] for line in lines if line['msg'] == 'announce'] == ['10.96.8.2']
        assert {line['level'] for line in lines} == {'info'}
        assert daemon.metric('log_lines_total{level="info"}') >= len(lines)
    finally:
        daemon.close()
