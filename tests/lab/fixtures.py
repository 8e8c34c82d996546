"""What pytest hands to the tests of both rooms, integration and e2e: the lab, the API server, the daemon's binary.

What can run here and does not is a failure. Only a release of FRR that the mirror cannot give now is a skip.
"""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kube import KubeApi  # noqa: E402
from lab import RELEASES, Lab, ReleaseMissing, frr_root  # noqa: E402
from sandbox import public_directory  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def cosmolet() -> Path:
    """The binary under test: $COSMOLET, or the build directory's."""
    path = Path(os.environ.get('COSMOLET', REPOSITORY / 'build' / 'cosmolet')).resolve()
    assert os.access(path, os.X_OK), f'no {path}: build it first, or say where it is: COSMOLET=…'
    return path


@pytest.fixture(scope='session', params=RELEASES, ids=lambda release: f'frr-{release}')
def frr_release(request: pytest.FixtureRequest) -> str:
    """Each release of FRR in turn, its root ready."""
    try:
        frr_root(request.param)
    except ReleaseMissing as missing:
        pytest.skip(str(missing))
    return str(request.param)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with public_directory() as directory:
        yield directory


@pytest.fixture(autouse=True)
def others_have_theirs() -> Iterator[None]:
    """After each test: static routes, foreign addresses and other types are as they were before, in every lab."""
    yield
    for each in list(Lab.alive):
        each.check()


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Callable[..., Lab]]:
    """Makes labs, with the arguments of Lab, and takes them away after the test."""
    labs: list[Lab] = request.node.stash.setdefault(LABS, [])

    def make(*arguments: Any, **keywords: Any) -> Lab:
        made = Lab(*arguments, **keywords)
        labs.append(made)
        return made

    yield make
    try:
        for each in labs:
            each.check()
    finally:
        while labs:
            labs.pop().close()


@pytest.fixture(scope='session')
def kube() -> Iterator[KubeApi]:
    """One API server for all tests: take namespaces and names of your own, or begin with kube.clean()."""
    with KubeApi() as server:
        yield server


LABS = pytest.StashKey[list[Lab]]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test comes with what its routers said."""
    report = (yield).get_result()
    if report.when == 'call' and report.failed:
        shared = [value for value in item.funcargs.values() if isinstance(value, Lab)]
        for each in [*item.stash.get(LABS, []), *shared]:
            report.sections.append((f'lab {each.sandbox.name}', each.node.tail() + '\n' + each.tor.tail()))
