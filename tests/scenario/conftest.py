"""Fixtures of the tests that need faults which real counterparts do not produce on demand; the lab is in tests/lab."""
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'lab'))
from fixtures import (cosmolet, lab, others_have_theirs, pytest_collection_modifyitems,  # noqa: E402, F401
                      pytest_runtest_makereport, pytest_xdist_make_scheduler, tmp_path)
from fake_api import Certificates  # noqa: E402
from lab import Lab  # noqa: E402
from sandbox import public_directory  # noqa: E402


@pytest.fixture(scope='module')
def network() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope='module')
def certificates() -> Iterator[Certificates]:
    with public_directory() as directory:
        yield Certificates(directory)
