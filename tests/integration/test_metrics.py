"""/metrics: what a real Prometheus, its promtool, and the OpenMetrics rules make of it, beside a real FRR."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import time
import urllib.parse
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml
from cosmolet import NODE, Cosmolet, pod, service
from lab import DEGRADED_TAG, Lab
from sandbox import connect, wait_until

POD_MONITOR = Path(__file__).resolve().parents[2] / 'container/kustomize/components/pod-monitor/podmonitor.yaml'
V4, V6 = '10.96.0.10', 'fd00:96::10'
UP = {V4: 'announced', V6: 'announced'}
OPENMETRICS = 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,' \
              'text/plain;version=0.0.4;q=0.5,*/*;q=0.1'  # as Prometheus asks
TEXT = 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1'


@pytest.fixture(scope='module')
def network() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture
def daemon(network: Lab, cosmolet: Path, tmp_path: Path) -> Iterator[Cosmolet]:
    made = Cosmolet(network.node, tmp_path, announce={'degraded_tag': DEGRADED_TAG})
    made.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'), pod('web-2', 'web'))
    made.start()
    made.wait_states(UP)
    yield made
    made.close()
    assert made.command('withdraw', '--config', str(made.config)).returncode == 0


def scrape(daemon: Cosmolet, accept: str) -> tuple[str, str]:
    """The content type and the body."""
    connection = http.client.HTTPConnection('127.0.0.1', 9474)
    connection.sock = connect(daemon.node.namespace, '127.0.0.1', 9474, 10)
    with contextlib.closing(connection):
        connection.request('GET', '/metrics', headers={'Accept': accept})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.headers['Content-Type'], answer.read().decode()


def families(text: str) -> dict[str, tuple[str, list[str]]]:
    """Type and samples of each family; what the formats forbid (twice the same, samples of nobody) is an error."""
    found: dict[str, tuple[str, list[str]]] = {}
    current = ''
    for line in text.splitlines():
        if described := re.fullmatch(r'# TYPE (\S+) (\S+)', line):
            current = described[1]
            assert current not in found, f'{current}: twice'
            found[current] = (described[2], [])
        elif not line.startswith('#'):
            assert re.match(re.escape(current) + r'(_total|_info|_bucket|_sum|_count)?[ {]', line), f'{current}: {line}'
            found[current][1].append(line)
    samples = [line.rpartition(' ')[0] for _, lines in found.values() for line in lines]
    assert len(samples) == len(set(samples))
    return found


def test_a_scrape_shorter_than_the_last(daemon: Cosmolet) -> None:
    """Room is made as for the one before; no more comes of that."""
    daemon.manifest('more', *(service(f's{i}', [f'10.96.1.{i}'], selector={'app': 'web'}) for i in range(50)))
    wait_until(lambda: len(daemon.states()) == 52, 5, 'all addresses', explain=daemon.tail)
    long = scrape(daemon, TEXT)[1]
    daemon.manifest('more')
    wait_until(lambda: daemon.states() == UP, 5, 'the first addresses', explain=daemon.tail)
    short = scrape(daemon, TEXT)[1]
    assert len(short) < len(long) - 50 * 100
    assert short.splitlines()[-1].startswith('process_start_time_seconds ') and short.endswith('\n') and '\0' not in short


def test_formats(daemon: Cosmolet) -> None:
    daemon.manifest('od"d\\', service('dns', ['10.96.0.53']))
    daemon.wait_log('stream="od\\"d\\\\.json"')
    kind, text = scrape(daemon, TEXT)
    assert kind == 'text/plain; version=0.0.4; charset=utf-8'
    done = subprocess.run(['promtool', 'check', 'metrics'], input=text, text=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    plain = families(text)
    assert 'cosmolet_watch_connected{resource="od\\"d\\\\.json",namespace=""} 1' in plain['cosmolet_watch_connected'][1]

    kind, text = scrape(daemon, OPENMETRICS)
    assert kind == 'application/openmetrics-text; version=1.0.0; charset=utf-8'
    assert text.endswith('\n# EOF\n') and text.count('# EOF') == 1
    open_metrics = families(text)
    assert [re.sub('_total$|_info$', '', name) for name in plain] == list(open_metrics)
    for name, (type_, lines) in open_metrics.items():
        assert type_ in ('gauge', 'counter', 'histogram', 'info')
        assert not name.endswith(('_total', '_info'))
        if type_ in ('counter', 'info'):
            assert all(line.startswith((f'{name}_total', f'{name}_info')) for line in lines), name
        assert all(re.search(r'le="([^"]*\.[^"]*|\+Inf)"', line) for line in lines if '_bucket' in line)

    for accept, wanted in {'': 'text/plain', '*/*': 'text/plain', 'application/openmetrics-text': 'application/openmetrics',
                           'application/openmetrics-text;q=0,text/plain': 'text/plain',
                           'application/openmetrics-text ; version=1.0.0 ; Q=0.3, text/plain; q=0.5': 'text/plain',
                           'application/openmetrics-text; q=0.6, text/plain; q=0.5': 'application/openmetrics',
                           'text/plain, application/openmetrics-text;version=1.0.0;q=0.3': 'text/plain'}.items():
        assert scrape(daemon, accept)[0].startswith(wanted), accept


def test_every_metric_is_documented(daemon: Cosmolet) -> None:
    """Each family of the table is there, with a sample, whatever has not happened yet, and with the labels that it names."""
    table = re.findall(r'^\| `(\S+)` \| (\S+) \| (.*?) \|', daemon.command('check', '--metrics').stdout, re.M)
    found = families(scrape(daemon, TEXT)[1])
    assert [name for name, *_ in table] == list(found)
    # Only with metrics.per_service: aggregated, frr.verify_bgp, http.tls_certificate_file, damping, or a policy that is wrong.
    empty = {'cosmolet_namespace_vips', 'cosmolet_vip_neighbors', 'cosmolet_bgp_neighbor_up', 'cosmolet_bgp_neighbor_addresses',
             'cosmolet_bgp_age_seconds', 'cosmolet_http_certificate_expiry_timestamp_seconds', 'cosmolet_vip_penalty',
             'cosmolet_announcement_policy_invalid'}
    for name, _, labels in table:
        lines = found[name][1]
        assert bool(lines) == (name not in empty), name
        for line in lines:
            assert set(re.findall(r'[{,](\w+)="', line)) - {'le'} == set(filter(None, labels.split(', '))), line


def test_a_service_comes_and_goes(daemon: Cosmolet) -> None:
    def of_dns() -> list[str]:
        return [line for line in scrape(daemon, TEXT)[1].splitlines() if '"10.96.0.53"' in line or '"dns"' in line]

    daemon.manifest('dns', service('dns', ['10.96.0.53'], namespace='kube-system'),
                    pod('dns-1', 'dns', namespace='kube-system'))
    daemon.wait_states({**UP, '10.96.0.53': 'announced'})
    assert daemon.metric('addresses_bound') == 3
    assert of_dns() == [
        'cosmolet_vip_state{namespace="kube-system",service="dns",address="10.96.0.53",kind="cluster_ip",state="announced"} 1',
        'cosmolet_vip_confirmed{address="10.96.0.53"} 1',
        f'cosmolet_endpoints_ready{{service="dns",namespace="kube-system",node="{NODE}"}} 1']
    (daemon.manifests / 'dns.json').unlink()
    daemon.wait_states(UP)
    assert of_dns() == [] and daemon.metric('addresses_bound') == 2


@pytest.mark.parametrize('how', ['aggregated', 'off'])
def test_per_service(daemon: Cosmolet, how: str) -> None:
    few = service('few', ['10.96.0.20'])
    few['metadata']['annotations'] = {'cosmolet.platformbuilds.io/min-ready': '2'}
    daemon.manifest('few', few, pod('few-1', 'few'))
    daemon.wait_states({**UP, '10.96.0.20': 'announced'})
    daemon.settings['metrics'] = {'per_service': how}
    daemon.write_config()
    wait_until(lambda: V4 not in scrape(daemon, TEXT)[1], 5, 'the change', explain=daemon.tail)
    text = scrape(daemon, TEXT)[1]
    assert V6 not in text and '"web"' not in text
    assert daemon.metric('vips{state="announced"}') == 2 and daemon.metric('vips{state="degraded"}') == 1
    aggregated = families(text)['cosmolet_namespace_vips'][1]
    for state, n in {'announced': 2, 'degraded': 1, 'draining': 0}.items():
        assert (f'cosmolet_namespace_vips{{namespace="default",state="{state}"}} {n}' in aggregated) == (how == 'aggregated')
    assert bool(aggregated) == (how == 'aggregated')


def test_propagation(daemon: Cosmolet, network: Lab) -> None:
    """Each stage of each change is timed once; together they are the whole."""
    def count(direction: str) -> float:
        return daemon.metric(f'propagation_duration_seconds_count{{direction="{direction}"}}')

    before = {direction: count(direction) for direction in ('announce', 'withdraw')}
    daemon.manifest('web', service('web', [V4, V6]))
    network.tor.wait_for(set())
    daemon.wait_states(dict.fromkeys(UP, 'down'))  # what comes sooner ends the timing of the withdrawal
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    daemon.wait_states(UP)
    for direction in before:
        assert count(direction) == before[direction] + 2
        parts = [daemon.metric(f'propagation_stage_duration_seconds_sum{{direction="{direction}",stage="{stage}"}}')
                 for stage in ('decode', 'decide', 'bind', 'zebra')]
        assert all(part > 0 for part in parts)
        assert sum(parts) == pytest.approx(daemon.metric(f'propagation_duration_seconds_sum{{direction="{direction}"}}'), rel=1e-6)
        assert daemon.metric(f'propagation_stage_duration_seconds_count{{direction="{direction}",stage="zebra"}}') == count(direction)


@contextlib.contextmanager
def prometheus(daemon: Cosmolet, port: int = 9090) -> Iterator[Any]:
    """One that scrapes the daemon twice a second, in its namespace; yields what answers a query with values by labels.

    What it scrapes it labels as the operator does for our PodMonitor.
    """
    (endpoint,) = yaml.safe_load(POD_MONITOR.read_text())['spec']['podMetricsEndpoints']
    config = daemon.directory / 'prometheus.yml'
    config.write_text(json.dumps({'global': {'scrape_interval': '500ms'}, 'scrape_configs': [
        {'job_name': 'cosmolet', 'honor_labels': endpoint.get('honorLabels', False), 'static_configs': [
            {'targets': ['127.0.0.1:9474'], 'labels': {'namespace': 'kube-system', 'pod': 'cosmolet-x', 'container': 'cosmolet'}}]}]}))
    log = (daemon.directory / 'prometheus.log').open('wb')
    process = daemon.node.popen(['prometheus', f'--config.file={config}', f'--web.listen-address=127.0.0.1:{port}',
                                 f'--storage.tsdb.path={daemon.directory / "tsdb"}'], stdout=log, stderr=log)

    def query(text: str) -> list[tuple[dict[str, str], float]]:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection('127.0.0.1', port)
            connection.sock = connect(daemon.node.namespace, '127.0.0.1', port, 10)
            with contextlib.closing(connection):
                connection.request('GET', f'/api/v1/query?query={urllib.parse.quote(text)}')
                response = connection.getresponse()
                if response.status == 503:  # it is starting
                    return []
                answer = json.load(response)
                assert answer['status'] == 'success', answer
                return [(sample['metric'], float(sample['value'][1])) for sample in answer['data']['result']]
        return []

    try:
        yield query
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_prometheus(daemon: Cosmolet, network: Lab) -> None:
    with prometheus(daemon) as query:
        def value(text: str) -> float | None:
            found = query(text)
            return found[0][1] if found else None

        wait_until(lambda: value('up{job="cosmolet"}') == 1, 20, 'the first scrape')
        assert value('sum(cosmolet_vip_confirmed)') == 2
        assert {(m['address'], m['state']) for m, _ in query('cosmolet_vip_state == 1')} == set(UP.items())
        assert value('cosmolet_zapi_connected') == 1 and value('cosmolet_stale_seconds') == 0
        assert value('cosmolet_build_info{frr_version!=""}') == 1
        assert value('scrape_samples_scraped') == value('scrape_samples_post_metric_relabeling')
        for _ in range(2):
            daemon.manifest('web', service('web', [V4, V6]))
            network.tor.wait_for(set())
            daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
            daemon.wait_states(UP)
            time.sleep(1.1)
        quantile = 'histogram_quantile(0.99, sum by (le) (rate(cosmolet_propagation_duration_seconds_bucket{direction="announce"}[1m])))'
        wait_until(lambda: (value(quantile) or 0) > 0, 10, 'a rate')
        assert value('sum(rate(cosmolet_vip_advertised_total[1m])) + sum(rate(cosmolet_vip_withdrawn_total[1m]))') > 0
