"""The benches run and bring their figures. How good those are is for people to judge, on a machine that is quiet.

With COSMOLET_TEST_LONG=1 those of many routes and of single changes run on every release, with more of both.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LONG = os.environ.get('COSMOLET_TEST_LONG') == '1'
RELEASES = ['7.5', '8.4', '10.3', '10.7'] if LONG else ['8.4']


def bench(name: str, *options: str) -> str:
    done = subprocess.run([sys.executable, Path(__file__).with_name(f'bench_{name}.py'), *options], text=True,
                          capture_output=True, timeout=7200 if LONG else 400)
    if 'ReleaseMissing' in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return done.stdout


def tables(output: str) -> list[dict[str, list[str]]]:
    """The figures of each row; a table ends with an empty line."""
    row = re.compile(r'^(\S.*?)\s{2,}((?:(?:\d+(?:\.\d+)?|-)\s*)+)$', re.MULTILINE)
    found = [{name: cells.split() for name, cells in row.findall(part)} for part in re.split(r'\n\s*\n', output)]
    return [table for table in found if table]


def all_positive(table: dict[str, list[str]]) -> bool:
    return all(float(cell) > 0 for cells in table.values() for cell in cells if cell != '-')


def test_bench_flip() -> None:
    options = [] if LONG else ['--flips=3', '--services=5', '--other-flips=2', '--pause=1']
    output = bench('flip', *options)
    figures, ratios = tables(output)
    rows = ['cosmolet, API server', 'raw client of zebra, no API', 'cosmolet, manifests', 'FRR alone, a static route',
            'frr-reload.py, 3 s after the first change', 'a loop, one vtysh per service']
    assert list(figures) == rows and list(ratios) == rows[1:]
    assert len(figures[rows[0]]) == 5 and all_positive(figures) and all_positive(ratios)
    assert len(re.findall(r'^(?:announce|withdraw): -?[\d.]+ ms \(median\) and -?[\d.]+ ms \(p99\) beyond the raw client$', output, re.M)) == 2


def test_bench_load() -> None:
    output = bench('load', *([] if LONG else ['--services=20', '--seconds=1']))
    figures, = tables(output)
    assert list(figures) == ['idle', 'flips'] and all(len(cells) == 2 for cells in figures.values())
    assert 0 <= float(figures['idle'][0]) < 5 and all(float(cells[1]) > 1 for cells in figures.values())
    assert re.search(r'; [1-9]\d* flips in a second$', output, re.M)


@pytest.mark.parametrize('release', RELEASES, ids=lambda release: f'frr-{release}')
def test_bench_bulk(release: str) -> None:
    sizes = ['1000', '10000'] if LONG else ['50', '200']
    found = tables(bench('bulk', f'--release={release}', '--routes', *sizes, f'--repeat={3 if LONG else 1}', '--few=5'))
    assert len(found) == 2 * len(sizes) + 1
    for figures, ratios in zip(found[:-1:2], found[1:-1:2]):
        ours = [f'{word}: cosmolet, {verb}' for word in ('openfabric', 'static') for verb in ('add', 'del')]
        limits = [name.replace('cosmolet', 'raw client') for name in ours]
        assert {*ours, *limits, 'openfabric: raw client with the feed, add'} <= figures.keys()
        assert LONG or {'a vtysh per route (5)', 'one vtysh -f', 'frr-reload.py', 'a gobgp per route (5)',
                        'gobgp, one stream'} <= figures.keys()
        assert set(ours) <= ratios.keys() <= figures.keys() and '-' not in ratios[ours[0]]
        assert all(len(cells) == 6 for cells in figures.values()) and all_positive(figures) and all_positive(ratios)
    memory = found[-1]
    assert list(memory) == [f'octets for each of {n} routes' for n in sizes]


def test_bench_store() -> None:
    """These are no question of who else uses the machine: the same program takes the same octets."""
    many, announced = (200_000, 10_000) if LONG else (5_000, 500)
    found, files = tables(bench('store', f'--services={many}', f'--announced={announced}', f'--manifests={announced}'))
    assert list(found) == [f'of no interest, {many}', f'announced, {announced}'] and all_positive(found)
    assert list(files) == [f'documents, {announced}', f'a list, {announced}'] and all_positive(files)
    octets, blocks = ([float(cells[i]) for cells in found.values()] for i in (0, 1))
    assert octets[0] < 310 and octets[1] < 1100
    assert blocks[0] < 1.1 and blocks[1] < 9


@pytest.mark.parametrize('release', RELEASES, ids=lambda release: f'frr-{release}')
def test_bench_single(release: str) -> None:
    found = tables(bench('single', f'--release={release}', f'--changes={200 if LONG else 5}', '--few=2', '--routes=20'))
    figures, floor, ours = found
    clients = [f'{who}, {word}{what}' for word in ('openfabric', 'static') for who in ('cosmolet', 'raw client')
               for what in ('', ': zebra confirms')]
    others = ['a vtysh', 'frr-reload.py']
    assert list(figures) == [*clients, *others]
    assert all(len(cells) == 5 for cells in figures.values())
    assert list(floor) == [name for name in figures if name != 'raw client, openfabric: zebra confirms']
    assert list(ours) == ['raw client, openfabric', *others]
    assert all(map(all_positive, found))


def test_bench_scrape() -> None:
    output = bench('scrape', f'--addresses={10000 if LONG else 1000}', f'--repeat={20 if LONG else 3}')
    figures, ratios = tables(output)
    assert list(figures) == ['cosmolet', "Python's client"] and all(len(cells) == 3 for cells in figures.values())
    assert list(ratios) == ['ratio'] and all_positive(figures) and all_positive(ratios)
    assert re.search(r'^cosmolet: [\d.]+ ms of the processor; a turn of the loop at most [\d.]+ s$', output, re.M)


def test_bench_loopback() -> None:
    figures, = tables(bench('loopback', f'--addresses={10000 if LONG else 500}', f'--repeat={3 if LONG else 1}'))
    assert list(figures) == [f'{who}, {mode}' for mode in ('local-route', 'address')
                             for who in ('cosmolet', 'ip -batch', 'ip -batch : cosmolet')]
    assert all_positive(figures)
