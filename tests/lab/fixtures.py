"""What pytest hands to the tests of both rooms, integration and e2e: the lab, the API server, the daemon's binary.

What can run here and does not is a failure. Only a release of FRR that the mirror cannot give now is a skip.
"""
from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kube import KubeApi  # noqa: E402
from lab import RELEASES, Lab, ReleaseMissing, frr_root  # noqa: E402
from sandbox import public_directory  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]

# The order in which files are begun: what takes long first, so that nothing long runs alone at the end. The tests of those in
# ONE_BY_ONE share no more than a lab that is soon made: each goes where there is room, and they fill up the end.
LONG_FIRST = ('test_conformance', 'test_faults', 'test_image', 'test_page', 'test_hitless', 'test_around', 'test_operation',
              'test_model', 'test_tls', 'test_why', 'test_cluster')
ONE_BY_ONE = ('test_reload', 'test_life', 'test_zebra', 'test_drain', 'test_stability', 'test_api_faults', 'test_chart', 'test_words')


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


def unit(nodeid: str) -> str:
    """What one worker does as a whole: the tests of a file, on one release of FRR."""
    file, _, test = nodeid.partition('::')
    release = re.search(r'frr-\d+\.\d', test)
    return nodeid if Path(file).stem in ONE_BY_ONE else f'{file} {release[0] if release else ""}'


def turn(nodeid: str) -> tuple[int, str]:
    name, others = Path(nodeid.partition('::')[0]).stem, len(LONG_FIRST)
    if name in ONE_BY_ONE:
        return others + 1 + ONE_BY_ONE.index(name), ''
    return LONG_FIRST.index(name) if name in LONG_FIRST else others, unit(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For --dist=loadscope: the scopes are units."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    return Units(config, log) if config.getvalue('dist') == 'loadscope' else None


LABS = pytest.StashKey[list[Lab]]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test comes with what its routers said."""
    report = (yield).get_result()
    if report.when == 'call' and report.failed:
        shared = [value for value in item.funcargs.values() if isinstance(value, Lab)]
        for each in [*item.stash.get(LABS, []), *shared]:
            report.sections.append((f'lab {each.sandbox.name}', each.node.tail() + '\n' + each.tor.tail()))
