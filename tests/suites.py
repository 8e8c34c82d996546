"""The suites behind tests/run: builds what they need, runs them, and counts everything that they say.

Nothing is lost on the way to the last line. What meson and pytest report is read back from their JUnit XML; what they
cannot report themselves (a crash, a timeout, a suite without a single test, a skip of what could run) is a failure.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parent / 'lab'))
from sandbox import NETNS, PREFIX, Sandbox  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]
CORPUS = REPOSITORY / 'tests' / 'fuzz' / 'corpus'
SANITIZERS = ['-Db_sanitize=address,undefined', '-Db_lundef=false']
LEGITIMATE_SKIP = 'cannot give it now'  # a release of FRR, at this mirror (tests/lab/frr-root)
FRR_84 = '(not frr- or frr-8.4)'
AT_ONCE = ['-n', '4']  # for --quick: they mostly wait, but their times are only worth measuring one by one
BY_FILE = ('-n', '3', '--dist', 'loadscope')  # labs of a file are shared by its tests
TWO = ('-n', '2')
BY_FILE_2 = ('-n', '2', '--dist', 'loadscope')  # where each has an API server as well


@dataclass
class Build:
    compiler: str
    options: list[str]
    targets: Callable[[Path], list[str]] = lambda directory: ['all']


def fuzz_targets(directory: Path) -> list[str]:
    targets = json.loads(output_of(['meson', 'introspect', '--targets', str(directory)]))
    return sorted(target['name'] for target in targets if target['name'].startswith('fuzz_'))


BUILDS = {
    'build': Build('gcc', []),
    # Without the rooms' shared modules: those may leave no symbol open, and clang's sanitizers are all open symbols.
    'build-clang': Build('clang', [*SANITIZERS, '-Doptimization=0'], lambda _: ['cosmolet', 'meson-test-prereq']),
    'build-fuzz': Build('clang', [*SANITIZERS, '-Doptimization=1', '-Dfuzz=true', '-Dc_args=-fsanitize=fuzzer-no-link'],
                        lambda directory: [f'tests/fuzz/{name}' for name in fuzz_targets(directory)]),
}


@dataclass
class Suite:
    """What a suite has said so far."""
    name: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def count(self, name: str, good: bool, why: str = '') -> None:
        if good:
            self.passed += 1
        else:
            self.failed.append(f'{self.name}: {name}' + (f': {why}' if why else ''))

    def skip(self, name: str, why: str) -> None:
        if LEGITIMATE_SKIP in why:
            self.skipped.append(f'{self.name}: {name}: {why}')
        else:
            self.count(name, False, f'skipped, though it can run here: {why}')

    def read(self, report: Path) -> None:
        """Takes over a JUnit report."""
        for case in ET.parse(report).iter('testcase'):
            self.read_case(case)

    def read_case(self, case: ET.Element) -> None:
        name = f'{re.sub("^(cosmolet[.].* / |tests[.])", "", case.get("classname", ""))} {case.get("name")}'
        skipped = case.find('skipped')
        if skipped is not None:
            self.skip(name, skipped.get('message') or case.findtext('system-out') or 'no reason given')
        else:
            self.count(name, is_good(case))

    def read_meson(self, log: Path) -> None:
        """Takes over meson's two reports: each result that a program printed is in the XML, but how it ended is not."""
        report = ET.parse(log.with_suffix('.junit.xml'))
        cases = [case for case in report.iter('testcase') if '.' in case.get('classname', '')]
        for case in cases:
            self.read_case(case)
        for line in log.with_suffix('.json').read_text().splitlines():
            test = json.loads(line)
            name, result = test['name'].rpartition(' / ')[2], test['result']
            printed = [case for case in cases if case.get('classname') == f'cosmolet.{test["name"]}']
            if result == 'SKIP' and not printed:
                self.skip(name, 'it printed no result')
            elif result == 'OK' and not printed:
                self.count(name, True)
            elif result not in ('OK', 'SKIP') and all(map(is_good, printed)):
                self.count(name, False, f'{result}, exit code {test["returncode"]}')


def is_good(case: ET.Element) -> bool:
    return case.find('failure') is None and case.find('error') is None


class Children:
    """The processes of this run: each leads a session of its own, and none outlives the run."""

    def __init__(self, temporary: Path) -> None:
        self.environment = {**os.environ, 'TMPDIR': str(temporary),
                            'PYTHONUNBUFFERED': '1', 'PYTHONDONTWRITEBYTECODE': '1',
                            'CK_TIMEOUT_MULTIPLIER': '4',  # check's limits are for what hangs, not for a busy machine
                            'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
                            'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'}
        self._running: dict[subprocess.Popen[Any], signal.Signals] = {}
        self._started = time.time()

    def start(self, argv: list[str], polite: signal.Signals = signal.SIGTERM, output: Any = None,
              **environment: str) -> subprocess.Popen[Any]:
        child = subprocess.Popen(argv, cwd=REPOSITORY, env={**self.environment, **environment}, start_new_session=True,
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT if output else None)
        self._running[child] = polite
        return child

    def wait(self, child: subprocess.Popen[Any], timeout: float) -> int | None:
        """Its exit code; None if it had to be stopped."""
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.stop(child)

    def stop(self, child: subprocess.Popen[Any]) -> None:
        """Asks a process to end, and sees to it that it and its group have."""
        polite = self._running.pop(child)
        if child.poll() is None:
            child.send_signal(polite)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()

    def stop_all(self) -> None:
        for child in list(self._running):
            self.stop(child)

    def left_behind(self) -> list[str]:
        """Network namespaces of this time whose owners are gone, and which their janitors do not take away."""
        deadline = time.monotonic() + 15
        while True:
            left = [path.name for path in NETNS.glob(f'{PREFIX}-*') if self._is_orphan(path)]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)

    def _is_orphan(self, namespace: Path) -> bool:
        try:
            return (not Path('/proc', namespace.name.split('-')[1]).exists()
                    and namespace.stat(follow_symlinks=False).st_ctime >= self._started)
        except FileNotFoundError:
            return False


@dataclass
class MesonTest:
    name: str
    child: subprocess.Popen[Any]
    log: Path  # without what its reports end with


class Run:
    def __init__(self, arguments: argparse.Namespace, temporary: Path) -> None:
        self.arguments = arguments
        self.temporary = temporary
        self.children = Children(temporary)
        if arguments.long:
            self.children.environment['COSMOLET_TEST_LONG'] = '1'
        self.limit = 6 * 3600 if arguments.long else 2400
        self.suites: list[Suite] = []
        self.prepared: dict[str, bool] = {}
        self.tidying: MesonTest | None = None

    # The suites, in the order in which they run.

    def lint(self, suite: Suite) -> None:
        self.prepare('build', suite)
        if self.prepare('build-clang', suite, needs_targets=False):
            self.meson(suite, 'build-clang', ['lint'])
            # clang-tidy needs a processor, and nothing else. The others mostly wait: it takes what they leave.
            self.tidying = self.start_meson('build-clang', 'tidy', ['tidy'], '--timeout-multiplier=0', behind=True)

    def unit(self, suite: Suite) -> None:
        if self.prepare('build', suite):
            self.meson(suite, 'build', ['unit', 'fuzz'])

    def sanitize(self, suite: Suite) -> None:
        if not self.prepare('build-clang', suite):
            return
        self.meson(suite, 'build-clang', ['unit', 'fuzz'], '--timeout-multiplier=4')
        # A daemon's complaint is found even where no test asks for its exit code or its log.
        reports = self.temporary / 'sanitizers'
        reports.mkdir()
        reports.chmod(0o1777)
        variables = {name: f'{self.children.environment[name]}:log_path={reports}/report'
                     for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS')}
        self.pytest(suite, 'scenario', 'build-clang', at_once=BY_FILE, **variables)
        complaints = [path.read_text(errors='replace') for path in sorted(reports.iterdir())]
        for text in complaints:
            print(text)
        found = re.findall(r'SUMMARY: .*|runtime error: .*', '\n'.join(complaints))
        suite.count('the daemons in the scenarios', not complaints, '; '.join(dict.fromkeys(found)))

    def fuzz(self, suite: Suite) -> None:
        if not self.prepare('build-fuzz', suite):
            return
        seconds = int(os.environ.get('FUZZ_SECONDS') or (600 if self.arguments.long else 60))
        by_rule = not os.environ.get('FUZZ_SECONDS') and not self.arguments.long
        waiting = fuzz_targets(REPOSITORY / 'build-fuzz')
        running: dict[str, tuple[subprocess.Popen[Any], Path, float]] = {}
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                name = waiting.pop(0)
                # What a peer of another program sends has its minute; our readers of JSON and YAML share the time.
                running[name] = self.start_fuzzer(name, seconds // 3 if by_rule and '_zapi_' not in name else seconds)
            for name, (child, log, deadline) in list(running.items()):
                if child.poll() is not None or time.monotonic() > deadline:
                    del running[name]
                    self.finish_fuzzer(suite, name, child, log)
            time.sleep(0.2)

    def scenario(self, suite: Suite) -> None:
        if self.prepare('build', suite):
            # The model has run under the sanitizers.
            self.pytest(suite, 'scenario', expression='' if self.arguments.only else 'not test_model', at_once=BY_FILE)

    def integration(self, suite: Suite) -> None:
        if self.prepare('build', suite):
            self.pytest(suite, 'integration', expression=FRR_84 if self.arguments.quick else '', at_once=BY_FILE)

    def e2e(self, suite: Suite) -> None:
        if self.prepare('build', suite):
            # Under the profile that is shipped: what it forgets is missed here.
            self.pytest(suite, 'e2e', expression=f'smoke and {FRR_84}' if self.arguments.quick else '', at_once=BY_FILE_2,
                        COSMOLET_SECCOMP=str(REPOSITORY / 'container' / 'seccomp.json'))

    def bench(self, suite: Suite) -> None:
        if self.prepare('build', suite):
            self.pytest(suite, 'bench', at_once=() if self.arguments.long else TWO)  # the short form only shows that they run

    def tidy(self, suite: Suite) -> None:
        """The end of what lint has begun."""
        if self.tidying:
            self.finish_meson(suite, self.tidying)
            print((self.temporary / 'tidy.log').read_text(errors='replace'))

    # What they are made of.

    def run_suite(self, name: str) -> None:
        suite = Suite(name)
        self.suites.append(suite)
        print(f'\n== {name}', flush=True)
        started = time.monotonic()
        try:
            getattr(self, name)(suite)
        except (OSError, ValueError, KeyError, ET.ParseError, subprocess.CalledProcessError) as error:
            suite.count('its report', False, f'{type(error).__name__}: {error}')
        if not suite.passed + len(suite.failed) + len(suite.skipped):
            suite.count('it ran no test', False)
        print(f'== {name}: {closing_line([suite])} ({time.monotonic() - started:.0f} s)', flush=True)

    def prepare(self, name: str, suite: Suite, needs_targets: bool = True) -> bool:
        """Sets up and builds a directory, once; its two steps are tests. True if a suite can go on with it."""
        if name not in self.prepared:
            self.prepared[name] = False
            directory, build = REPOSITORY / name, BUILDS[name]
            again = ['--reconfigure'] if (directory / 'build.ninja').exists() else []
            argv = ['meson', 'setup', *again, '--werror', *build.options, str(directory)]
            if not self.step(suite, f'set up {name}', argv, CC=build.compiler):
                return False
            targets = build.targets(directory)
            if not targets:
                suite.count(f'build {name}', False, 'it has nothing to build')
                return False
            self.prepared[name] = self.step(suite, f'build {name} ({build.compiler} -Werror)',
                                            ['ninja', '--quiet', '-k0', '-C', str(directory), *targets])
        elif not self.prepared[name]:
            suite.count('not run', False, f'there is no {name}')
        return self.prepared[name] or not needs_targets and (REPOSITORY / name / 'build.ninja').exists()

    def step(self, suite: Suite, name: str, argv: list[str], **environment: str) -> bool:
        """One command, one test; what it says is only of interest when it fails."""
        log = self.temporary / 'step.log'
        with log.open('wb') as output:
            code = self.children.wait(self.children.start(argv, output=output, **environment), self.limit)
        if code != 0:
            print(log.read_text(errors='replace'))
        suite.count(name, code == 0)
        print(f'{name}: {"ok" if code == 0 else "FAILED"}', flush=True)
        return code == 0

    def meson(self, suite: Suite, build: str, names: list[str], *options: str) -> None:
        self.finish_meson(suite, self.start_meson(build, 'testlog', names, *options))

    def start_meson(self, build: str, base: str, names: list[str], *options: str, behind: bool = False) -> MesonTest:
        """behind: only when a processor is idle, and quietly."""
        log = REPOSITORY / build / 'meson-logs' / base
        for old in log.parent.glob(f'{base}*'):
            old.unlink()
        argv = [*(('chrt', '--idle', '0') if behind else ()), 'meson', 'test', '-C', build, '--no-rebuild', '--print-errorlogs',
                f'--logbase={base}', *options, *(f'--suite={name}' for name in names)]
        with contextlib.ExitStack() as stack:
            output = stack.enter_context((self.temporary / f'{base}.log').open('wb')) if behind else None
            return MesonTest(f'meson test {" ".join(names)}', self.children.start(argv, output=output), log)

    def finish_meson(self, suite: Suite, test: MesonTest) -> None:
        failed = len(suite.failed)
        code = self.children.wait(test.child, self.limit)
        if test.log.with_suffix('.junit.xml').exists():
            suite.read_meson(test.log)
        elif code == 0:
            suite.count(test.name, False, 'it ran no test')
        # Meson's exit code counts.
        self.check_end(suite, test.name, code, code is not None and len(suite.failed) > failed)

    def pytest(self, suite: Suite, room: str, build: str = 'build', expression: str = '', at_once: tuple[str, ...] = (),
               **environment: str) -> None:
        report = self.temporary / f'{suite.name}-{room}.xml'
        # A test that hangs says where, long before all are stopped.
        argv = ['/usr/bin/python3', '-m', 'pytest', '-v', '--tb=short', '-p', 'no:cacheprovider',
                '--rootdir', str(REPOSITORY), '-o', 'faulthandler_timeout=600', f'--junitxml={report}',
                *(['-k', expression] if expression else []),
                *(AT_ONCE if self.arguments.quick else at_once)]
        child = self.children.start([*argv, f'tests/{room}'], signal.SIGINT,
                                    COSMOLET=str(REPOSITORY / build / 'cosmolet'), **environment)
        failed = len(suite.failed)
        code = self.children.wait(child, self.limit)
        if report.exists():
            suite.read(report)
        elif code == 0:
            suite.count(f'pytest {room}', False, 'it ended without a report')
        if code == 5:
            suite.count(f'pytest {room}', False, 'it ran no test')
        else:
            self.check_end(suite, f'pytest {room}', code, code == 1 and len(suite.failed) > failed)

    @staticmethod
    def check_end(suite: Suite, name: str, code: int | None, explained: bool) -> None:
        """Whatever the reports say: an end that they do not explain is a failure."""
        if code != 0 and not explained:
            suite.count(name, False, 'stopped, it took too long' if code is None else f'exit code {code}')

    def start_fuzzer(self, name: str, seconds: int) -> tuple[subprocess.Popen[Any], Path, float]:
        log, found = self.temporary / f'{name}.log', self.temporary / name
        crashes = REPOSITORY / 'build-fuzz' / 'crashes'
        for directory in (found, crashes):
            directory.mkdir(exist_ok=True)
        print(f'{name}: {seconds} s', flush=True)
        with log.open('wb') as output:
            child = self.children.start([f'build-fuzz/tests/fuzz/{name}', f'-max_total_time={seconds}', '-timeout=10',
                                         f'-artifact_prefix={crashes}/{name}-',
                                         str(found), str(CORPUS / name.removeprefix('fuzz_'))], output=output)
        return child, log, time.monotonic() + seconds + 60

    def finish_fuzzer(self, suite: Suite, name: str, child: subprocess.Popen[Any], log: Path) -> None:
        code = self.children.wait(child, 0)
        text = log.read_text(errors='replace')
        done = re.search(r'^Done (\d+) runs', text, re.M)
        good = code == 0 and done is not None and int(done[1]) > 0
        if not good:
            print(text[-8000:])
            print(f'{name}: what it choked on is in build-fuzz/crashes; cured, it belongs in tests/fuzz/corpus')
        covered = re.findall(r'cov: (\d+)', text) or ['no']
        print(f'{name}: {done[0] if done else "ended early"}, {covered[-1]} edges covered', flush=True)
        suite.count(name, good)


def output_of(argv: list[str]) -> str:
    return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def closing_line(suites: list[Suite]) -> str:
    return (f'{sum(suite.passed for suite in suites)} passed, {sum(len(suite.failed) for suite in suites)} failed, '
            f'{sum(len(suite.skipped) for suite in suites)} skipped')


SUITES = ('lint', 'unit', 'sanitize', 'fuzz', 'scenario', 'integration', 'e2e', 'bench')
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOT_QUICK = ('sanitize', 'fuzz', 'bench')


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='tests/run', add_help=False, allow_abbrev=False)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--long', action='store_true')
    parser.add_argument('--only', action='append', choices=SUITES)
    return parser.parse_args()


def wanted(arguments: argparse.Namespace) -> list[str]:
    if arguments.only:
        names = [name for name in SUITES if name in arguments.only]
    else:
        benches = list((REPOSITORY / 'tests' / 'bench').glob('test_*.py'))
        names = [name for name in SUITES if not (arguments.quick and name in NOT_QUICK) and (name != 'bench' or benches)]
    return [*names, 'tidy'] if 'lint' in names else names


def give_back() -> None:
    """What root has built belongs to whom the tree belongs."""
    if REPOSITORY.stat().st_uid != os.geteuid():
        for name in BUILDS:
            if (REPOSITORY / name).exists():
                output_of(['chown', '-R', f'--reference={REPOSITORY}', str(REPOSITORY / name)])


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    arguments = parse_arguments()
    for number in ENDINGS:  # SIGINT too: in the background it may be ignored, and our children's would be with it
        signal.signal(number, interrupt)
    with Sandbox() as sandbox:  # its directory goes away with us, whatever ends us
        session = Run(arguments, sandbox.directory)
        try:
            for name in wanted(arguments):
                session.run_suite(name)
        except KeyboardInterrupt:
            print('\ninterrupted: cleaning up', flush=True)
            return 130
        finally:
            for number in ENDINGS:
                signal.signal(number, signal.SIG_IGN)
            session.children.stop_all()
            left = session.children.left_behind()
            give_back()
    if left:
        session.suites.append(Suite('after all', failed=[f'left behind: {name}' for name in left]))

    print('\n== all')
    for title, lines in (('failed', [line for suite in session.suites for line in suite.failed]),
                         ('skipped', [line for suite in session.suites for line in suite.skipped])):
        for line in lines:
            print(f'{title}: {line}')
    print(closing_line(session.suites), flush=True)
    return 1 if any(suite.failed for suite in session.suites) else 0


if __name__ == '__main__':
    sys.exit(main())
