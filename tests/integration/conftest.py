"""Fixtures of the tests of one room against its real counterpart; they live in tests/lab."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lab'))
from fixtures import (cosmolet, frr_release, kube, lab, others_have_theirs, pytest_collection_modifyitems,  # noqa: E402, F401
                      pytest_runtest_makereport, pytest_xdist_make_scheduler, tmp_path)
