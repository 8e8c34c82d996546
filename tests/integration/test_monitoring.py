"""container/monitoring: the alerts, by promtool and by hand-made series; and every query of alerts and dashboard in a real
Prometheus that scrapes a daemon beside real FRR. (Grafana itself is not in Debian; the dashboard is checked as data.)"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import wait_until
from test_metrics import prometheus

REPOSITORY = Path(__file__).resolve().parents[2]
KIT = REPOSITORY / 'container' / 'monitoring'
RULES = KIT / 'prometheusrule.yaml'
V4, V6 = '10.96.0.10', 'fd00:96::10'
TLS_ONLY = {'cosmolet_http_certificate_expiry_timestamp_seconds'}  # test_tls sees it
VIPS, REDISTRIBUTED = 'cosmolet_vips{instance="%s",state="%s"}', 'cosmolet_routes_redistributed{instance="%s"}'
NORMAL, TRANSITIONS = '1x400', 'cosmolet_vip_transitions_total{instance="%s",direction="withdraw",reason="%s"}'

# The same alert, where there are other metrics.
MORE_CASES: list[tuple[str, str, set[str], dict[str, str]]] = [
    ('CosmoletVipNotConfirmed', '4m', {'a'}, {  # no series for each address
        VIPS % ('a', 'rejected'): '0x8 1x20', VIPS % ('a', 'pending'): '0x28', REDISTRIBUTED % 'a': '1x28',
        VIPS % ('b', 'pending'): '0x8 1x2 0x20', VIPS % ('b', 'announced'): '3x28', REDISTRIBUTED % 'b': '1x28',
        VIPS % ('dry', 'pending'): '9x28'}),
    ('CosmoletVipNotConfirmed', '4m', {V4}, {  # one for each, and so one alert
        VIPS % ('a', 'rejected'): '0x8 1x20', REDISTRIBUTED % 'a': '1x28',
        f'cosmolet_vip_confirmed{{instance="a",address="{V4}"}}': '1x8 0x20',
        f'cosmolet_vip_confirmed{{instance="a",address="{V6}"}}': '1x28'}),
    ('CosmoletVipAnnouncedByNobody', '9m', {V4}, {  # all who knew of it were restarted
        **{f'cosmolet_vip_state{{namespace="shop",service="{name}",instance="a",address="{address}",state="announced"}}': '1x8 stale'
           for name, address in (('web', V4), ('gone', '10.96.0.66'), ('moved', '10.96.0.67'))},
        **{f'cosmolet_vip_state{{namespace="shop",service="{name}",instance="a",address="{address}",state="down"}}': '_x9 1x8 stale'
           for name, address in (('web', V4), ('gone', '10.96.0.66'))},
        'cosmolet_vip_state{namespace="shop",service="moved",instance="a",address="10.96.0.68",state="announced"}': '_x9 1x40',
        'cosmolet_vip_state{namespace="shop",service="dead",instance="b",address="10.96.0.69",state="announced"}': '1x8 stale',
        **{f'kube_service_created{{namespace="shop",service="{name}"}}': '7x50' for name in ('web', 'moved', 'dead')},
        'kube_service_created{namespace="shop",service="gone"}': '7x12 stale',
        REDISTRIBUTED % 'a': '1x50', REDISTRIBUTED % 'b': '1x8 stale'})]  # of b nobody knows

# Of each alert: when it must fire and for what (a label's value), and the series; those of b never make it fire.
CASES: dict[str, tuple[str, set[str], dict[str, str]]] = {
    'CosmoletDown': ('17m', {'a'}, {'cosmolet_synced{instance="a",pod="a-1"}': '1x20 _x80',
                                    'cosmolet_synced{instance="b",pod="b-1"}': '1x20 stale',  # its pod was replaced
                                    'cosmolet_synced{instance="b",pod="b-2"}': '_x22 1x80'}),
    'CosmoletZebraDown': ('4m', {'a'}, {'cosmolet_zapi_connected{instance="a"}': '1x8 0x20',
                                        'cosmolet_zapi_connected{instance="b"}': '1x8 0x2 1x20'}),  # FRR was restarted
    'CosmoletBgpdDeaf': ('4m', {'a'}, {'cosmolet_bgpd_deaf{instance="a"}': '0x8 1x20', 'cosmolet_bgpd_deaf{instance="b"}': '0x40'}),
    'CosmoletWatchDown': ('6m', {'a'}, {'cosmolet_watch_connected{instance="a",resource="pods"}': '1x8 0x20',
                                        'cosmolet_watch_connected{instance="b",resource="pods"}': '1x8 0x6 1x20'}),
    'CosmoletVipNotConfirmed': ('4m', {'a'}, {f'cosmolet_vip_confirmed{{instance="a",address="{V4}"}}': '1x8 0x20',
                                              f'cosmolet_vip_confirmed{{instance="b",address="{V4}"}}': '1x8 0x2 1x20'}),
    'CosmoletVipNotAdvertised': ('9m', {'a'}, {f'cosmolet_vip_neighbors{{instance="a",address="{V4}"}}': '1x8 0x40',
                                               f'cosmolet_vip_confirmed{{instance="a",address="{V4}"}}': NORMAL,
                                               f'cosmolet_vip_neighbors{{instance="b",address="{V4}"}}': '1x8 0x12 2x40',
                                               f'cosmolet_vip_confirmed{{instance="b",address="{V4}"}}': NORMAL,
                                               f'cosmolet_vip_neighbors{{instance="b",address="{V6}"}}': '0x40',  # not confirmed
                                               f'cosmolet_vip_confirmed{{instance="b",address="{V6}"}}': '0x40'}),
    'CosmoletVipAnnouncedByNobody': ('4m', {V4}, {
        f'cosmolet_vip_state{{namespace="shop",service="web",instance="a",address="{V4}",state="announced"}}': '1x8 stale',
        f'cosmolet_vip_state{{namespace="shop",service="web",instance="a",address="{V4}",state="down"}}': '_x9 1x20',
        f'cosmolet_vip_state{{namespace="shop",service="web",instance="b",address="{V4}",state="down"}}': '1x28',
        f'cosmolet_vip_state{{namespace="shop",service="web",instance="a",address="{V6}",state="down"}}': '1x28',  # b has it
        f'cosmolet_vip_state{{namespace="shop",service="web",instance="b",address="{V6}",state="announced"}}': '1x28',
        **{f'cosmolet_vip_state{{namespace="shop",service="web",instance="a",address="10.96.0.{i}",state="{state}"}}': '1x28'
           for i, state in enumerate(('degraded', 'draining'))},
        'cosmolet_vip_state{namespace="",service="",instance="a",address="10.96.0.99",state="withdrawing"}': '1x28',
        'cosmolet_vip_state{namespace="shop",service="new",instance="dry",address="10.96.0.77",state="pending"}': '1x28',
        **{f'cosmolet_routes_redistributed{{instance="{name}"}}': '1x28' for name in 'ab'}}),
    'CosmoletVipFlap': ('12m', {'a'}, {TRANSITIONS % ('a', 'not_ready'): '0x4 0+1x40', TRANSITIONS % ('b', 'deleted'): '0+5x40',
                                       TRANSITIONS % ('b', 'not_ready'): '0+0.05x40'}),
    'CosmoletAnchorHolds': ('3m', {'a'}, {'cosmolet_vips_held{instance="a",hold="anchor"}': '0x4 3x20',
                                          'cosmolet_vips_held{instance="b",hold="fall"}': '0x4 3x20'}),
    'CosmoletVipSuppressed': ('18m', {'a'}, {'cosmolet_vips_held{instance="a",hold="suppressed"}': '0x4 1x100',
                                             'cosmolet_vips_held{instance="b",hold="suppressed"}': '0x4 1x16 0x80'}),
    'CosmoletConfigRejected': ('4m', {'a'}, {'cosmolet_config_last_reload_successful{instance="a"}': '1x8 0x20',
                                             'cosmolet_config_last_reload_successful{instance="b"}': NORMAL}),
    'CosmoletPolicyRefused': ('8m', {'a'}, {'cosmolet_announcement_policies{instance="a",state="invalid"}': '0x8 2x40',
                                            'cosmolet_announcement_policies{instance="a",state="in_force"}': '3x40',
                                            'cosmolet_announcement_policies{instance="b",state="invalid"}': '0x8 1x10 0x30'}),
    'CosmoletCertificateExpires': ('20m', {'a'}, {'cosmolet_http_certificate_expiry_timestamp_seconds{instance="a"}': '604000x400',
                                                  'cosmolet_http_certificate_expiry_timestamp_seconds{instance="b"}': '700000x400'}),
    'CosmoletDrainedForLong': ('70m', {'a'}, {'cosmolet_drain_state{instance="a",state="withdrawn",trigger="x"}': '0x8 1x400',
                                              'cosmolet_drain_state{instance="b",state="withdrawn",trigger="x"}': '0x8 1x100 0x300',
                                              'cosmolet_drain_state{instance="b",state="none",trigger=""}': NORMAL}),
    'CosmoletVersionSkew': ('70m', {'2'}, {'cosmolet_build_info{instance="a",version="1"}': NORMAL,
                                           'cosmolet_build_info{instance="b",version="2"}': NORMAL,
                                           'cosmolet_build_info{instance="c",version="2"}': NORMAL}),
    'CosmoletMemory': ('20m', {'a'}, {'process_resident_memory_bytes{job="c",instance="a"}': '10e6x8 100e7x100',
                                      'process_resident_memory_bytes{job="c",instance="b"}': '10e6x100',
                                      'process_resident_memory_bytes{job="other",instance="a"}': '100e9x100',
                                      'cosmolet_build_info{job="c",instance="a"}': NORMAL, 'cosmolet_build_info{job="c",instance="b"}': NORMAL}),
}


def rules() -> dict[str, dict[str, Any]]:
    return {rule['alert']: rule for group in yaml.safe_load(RULES.read_text())['spec']['groups'] for rule in group['rules']
            if 'alert' in rule}


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    """The rules alone, made as the file itself says."""
    command = next(line.strip('# \n') for line in RULES.read_text().splitlines() if 'sed -n' in line)
    subprocess.run(command.replace('prometheusrule.yaml', str(RULES)).replace('cosmolet.rules.yaml', str(tmp_path / 'rules')),
                   shell=True, check=True)
    return tmp_path / 'rules'


def test_every_alert_fires_when_it_should(rule_file: Path, tmp_path: Path) -> None:
    """And neither before, nor where nothing is wrong."""
    assert set(CASES) == set(rules())
    for cases in ([(name, *case) for name, case in CASES.items()], *([case] for case in MORE_CASES)):
        check_cases(rule_file, tmp_path, cases)
    assert 'SUCCESS' in subprocess.run(['promtool', 'check', 'rules', str(rule_file)], capture_output=True, text=True, check=True).stdout


def check_cases(rule_file: Path, tmp_path: Path, cases: list[tuple[str, str, set[str], dict[str, str]]]) -> None:
    tests = [{'interval': '15s', 'input_series': [{'series': name, 'values': values} for name, values in series.items()],
              'alert_rule_test': [{'eval_time': '30s', 'alertname': name}, {'eval_time': time, 'alertname': name}]}
             for name, time, _, series in cases]
    # promtool compares texts in full: let it tell what it got, and look at what matters.
    (tmp_path / 'test.yaml').write_text(json.dumps({'rule_files': [str(rule_file)], 'evaluation_interval': '15s', 'tests': tests}))
    done = subprocess.run(['promtool', 'test', 'rules', str(tmp_path / 'test.yaml')], capture_output=True, text=True)
    told = re.findall(r'alertname: (\w+), time: (\w+),\s*\n\s*exp:\[\s*\],\s*\n\s*got:\[(.*?)\n\s*\]', done.stdout + done.stderr, re.S)
    fired = {name: (time, re.findall(r'Labels:\{(.*?)\}\s+Annotations:\{(.*?)\}', text, re.S)) for name, time, text in told}
    assert set(fired) == {name for name, *_ in cases}, done.stdout + done.stderr
    for name, time, wanted, _ in cases:
        assert duration(fired[name][0]) == duration(time)
        assert len(fired[name][1]) == len(wanted)
        for labels, texts in fired[name][1]:
            assert any(f'"{value}"' in labels or f'{value} ' in texts for value in wanted), f'{labels} {texts}'
            assert '<no value>' not in texts and '%!' not in texts


def duration(text: str) -> int:
    return sum(int(n) * {'h': 3600, 'm': 60, 's': 1}[unit] for n, unit in re.findall(r'(\d+)([hms])', text))


def test_every_alert_has_its_runbook() -> None:
    books = {path.stem: path.read_text() for path in (KIT / 'runbooks').iterdir()}
    assert set(books) == set(rules())
    for name, rule in rules().items():
        assert rule['annotations']['runbook_url'].endswith(f'/container/monitoring/runbooks/{name}.md')
        assert books[name].startswith(f'# {name}\n') and '**What to do.**' in books[name]
        assert rule['labels']['severity'] in ('warning', 'critical') and rule['for']


def test_every_query_has_an_answer(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> None:
    made = lab()
    daemon = Cosmolet(made.node, tmp_path, frr={'verify_bgp': 'on', 'verify_bgp_seconds': 1})
    try:
        daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
        daemon.start()
        with prometheus(daemon) as query:
            for ready in (False, True, False, True):
                count = transitions(query)
                daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web', ready))
                daemon.wait_states({V4: 'announced' if ready else 'down', V6: 'announced' if ready else 'down'})
                wait_until(lambda n=count: transitions(query) > n, 10, 'a scrape')
            queries = {target['expr'] for panel in dashboard()['panels'] for target in panel.get('targets', [])}
            assert len(queries) > 20
            for text in (queries | {selector for rule in rules().values() for selector in selectors(rule['expr'])}) - TLS_ONLY:
                text = text.replace('$__rate_interval', '5m').replace('$instance', '.*')
                found = wait_until(lambda: query(text), 10, f'an answer to {text}')
                assert all(value == value for _, value in found), f'{text}: {found}'
            for rule in rules().values():
                query(rule['expr'])  # raises unless Prometheus takes it
            # One that fires for a true reason.
            assert query(rules()['CosmoletZebraDown']['expr']) == query(rules()['CosmoletVipNotConfirmed']['expr']) == []
            made.node.kill('zebra')
            wait_until(lambda: query(rules()['CosmoletZebraDown']['expr']), 10, 'zebra to be missed')
            wait_until(lambda: len(query(rules()['CosmoletVipNotConfirmed']['expr'])) == 2, 10, 'both addresses to be missed')
            found = wait_until(lambda: query(rules()['CosmoletVipAnnouncedByNobody']['expr']), 10, 'nobody to announce')
            assert {(labels['namespace'], labels['service']) for labels, _ in found} == {('default', 'web')}
            assert not any('namespace' in labels for labels, _ in query('cosmolet_watch_connected'))
    finally:
        daemon.close()


def transitions(query: Callable[[str], Any]) -> float:
    return sum(value for _, value in query('sum(cosmolet_vip_transitions_total)'))


def dashboard() -> dict[str, Any]:
    return json.loads((KIT / 'dashboard.json').read_text())


def selectors(expression: str) -> set[str]:
    """Each metric of an expression, without the labels that it has only when something is wrong."""
    return set(re.findall(r'\b(?:cosmolet|process)_\w+', expression))


def test_the_dashboard_is_sound() -> None:
    panels = dashboard()['panels']
    assert len({panel['id'] for panel in panels}) == len(panels) and all(panel['title'] for panel in panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel['gridPos']
        cells = {(x, y) for x in range(at['x'], at['x'] + at['w']) for y in range(at['y'], at['y'] + at['h'])}
        assert at['x'] + at['w'] <= 24 and not taken & cells, f'{panel["title"]} lies upon another panel'
        taken |= cells
        for target in panel.get('targets', []):
            assert target['datasource']['uid'] == '${datasource}' and '$instance' in target['expr']
