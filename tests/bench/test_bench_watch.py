"""The bench of the watch runs and brings its figures. How good those are is for people to judge, on a machine that is quiet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FULL = ['--services=10000', '--elsewhere=5000', '--changes=10000']
FEW = ['--services=200', '--own=20', '--elsewhere=50', '--changes=300', '--flips=20', '--starts=1']


def test_bench_watch() -> None:
    size: Any = FULL if os.environ.get('COSMOLET_TEST_LONG') else FEW
    done = subprocess.run([sys.executable, Path(__file__).with_name('bench_watch.py'), *size], text=True, capture_output=True,
                          timeout=3600)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    rows = {line[:34].strip(): line[34:].split() for line in done.stdout.splitlines()[3:7]}
    assert list(rows) == ['cosmolet', 'client-go, the same plan', 'client-go, the same plan, JSON', "client-go, MetalLB's plan"]
    for name, cells in rows.items():
        assert len(cells) == 10, done.stdout
        assert all(float(cell) >= 0 for cell in cells if cell != '-'), done.stdout
    # Only what no noise of the machine can turn around.
    assert float(rows['cosmolet'][4]) < float(rows['client-go, the same plan'][4])
