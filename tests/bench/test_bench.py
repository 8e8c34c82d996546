"""The benches run and bring their figures. How good those are is for people to judge, on a machine that is quiet."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_bench_flip() -> None:
    few = ['--flips=3', '--services=5', '--loop-flips=2']
    done = subprocess.run([sys.executable, Path(__file__).with_name('bench_flip.py'), *few], text=True, capture_output=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    figures = dict(re.findall(r'^(\S.*?)\s{2,}((?:\d+(?:\.\d+)?\s*)+)$', done.stdout, re.MULTILINE))
    rows = ['cosmolet, API server', 'cosmolet, manifests', 'FRR alone, a static route', 'a vtysh per service',
            'a vtysh per service, every 30 s, on average']
    assert list(figures) == rows, done.stdout
    assert len(figures[rows[0]].split()) == 5 and all(float(f) > 0 for row in figures.values() for f in row.split())
