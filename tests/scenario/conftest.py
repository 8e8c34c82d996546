"""Fixtures of the tests that need faults which real counterparts do not produce on demand; the lab is in tests/lab."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lab'))
from fixtures import cosmolet, lab, others_have_theirs, pytest_runtest_makereport, tmp_path  # noqa: E402, F401
