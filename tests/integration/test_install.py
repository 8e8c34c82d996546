"""What meson install leaves on a host: of the build directory as it is, these files and no other, and they are of use there.

The Debian package is made by the same rules, but with options of its own (tests/e2e/test_package.py).
"""
from __future__ import annotations

import shlex
import stat
import subprocess
from pathlib import Path

# Where meson installs to if nobody says otherwise, and tests/run does not.
PREFIX = Path('usr/local')
UNIT = PREFIX / 'lib/systemd/system/cosmolet.service'
MANUALS = (PREFIX / 'share/man/man8/cosmolet.8', PREFIX / 'share/man/man5/cosmolet.yaml.5')
COMPLETION = PREFIX / 'share/bash-completion/completions/cosmolet'
EXAMPLE = PREFIX / 'share/doc/cosmolet/examples/cosmolet.yaml'
BINARY = PREFIX / 'bin/cosmolet'


def run(*argv: str | Path) -> tuple[int, str]:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def test_what_meson_installs(cosmolet: Path, tmp_path: Path) -> None:
    code, said = run('meson', 'install', '--no-rebuild', '--quiet', '-C', cosmolet.parent, '--destdir', tmp_path)
    assert code == 0, said
    found = {path.relative_to(tmp_path): path.lstat() for path in tmp_path.rglob('*') if not path.is_dir()}
    assert {path: stat.filemode(each.st_mode) for path, each in found.items()} == {
        BINARY: '-rwxr-xr-x', **dict.fromkeys((UNIT, *MANUALS, COMPLETION, EXAMPLE), '-rw-r--r--')}

    # The pages are rendered as man would, the rest is used where it is to be, on a host that has nothing else there.
    for page in MANUALS:
        assert run('mandoc', '-T', 'lint', '-W', 'warning', tmp_path / page) == (0, '')
        assert run('groff', '-mdoc', '-ww', '-z', '-T', 'utf8', tmp_path / page) == (0, '')
    there = ['unshare', '--mount', 'sh', '-euc', f'mount --bind {tmp_path / PREFIX} /{PREFIX}; exec "$@"', 'sh']
    assert run(*there, 'systemd-analyze', 'verify', '--man=no', f'/{UNIT}') == (0, '')
    starts = [line.partition('=')[2] for line in (tmp_path / UNIT).read_text().splitlines() if line.startswith('ExecStart=')]
    assert [shlex.split(each)[0] for each in starts] == [f'/{BINARY}']
    version = run('meson', 'introspect', '--projectinfo', cosmolet.parent)[1].partition('"version": "')[2].partition('"')[0]
    code, said = run(*there, 'cosmolet', 'version')
    assert code == 0 and said.startswith(f'cosmolet {version} ('), said
    code, said = run(*there, 'bash', '-euc', f'. /{COMPLETION}; complete -p cosmolet')
    assert code == 0 and 'cosmolet' in said, said
    code, said = run(*there, 'env', 'NODE_NAME=node-1', 'cosmolet', 'check', f'/{EXAMPLE}')
    assert code == 0 and 'kubeconfig: "/etc/cosmolet/kubeconfig"' in said, said
