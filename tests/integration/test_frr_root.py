"""tests/lab/frr-root gives the FRR that it was asked for, or none: a release goes by its number in everything that is said of it.

Debian's mirror is a stand-in here, which has whatever version is wanted, since a real one moves on when it likes.
"""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable

import pytest
from fixtures import REPOSITORY

INSTALL = r'''
[ "$2" = apt-get ] || exit 1
mkdir -p "$1/usr/lib/frr" "$1/var/lib/dpkg"
: >"$1/usr/lib/frr/zebra"
: >"$1/usr/lib/frr/frr-reload.py"
chmod 755 "$1/usr/lib/frr/zebra"
printf 'Package: frr\nStatus: install ok installed\nArchitecture: all\nMaintainer: m\nDescription: d\nVersion: %s\n' "$MIRROR_HAS" \
  >"$1/var/lib/dpkg/status"
'''
STAND_INS = {'apt-get': 'echo Debian Debian main http://mirror.invalid/', 'debootstrap': 'mkdir -p "$4/usr/sbin"', 'chroot': INSTALL,
             'mount': '', 'umount': ''}
CASES = [('8.4', 'bookworm', '8.5-1', 1), ('10.7', 'sid', '10.8.1-1', 77), ('10.7', 'sid', '10.70-1', 77)]
FrrRoot = Callable[[str, str], tuple[int, str, str]]


@pytest.fixture
def frr_root(tmp_path: Path) -> FrrRoot:
    """Runs it with a cache of its own, for a release, while the mirror has some version."""
    (tmp_path / 'bin').mkdir()
    for name, text in STAND_INS.items():
        (tmp_path / 'bin' / name).write_text(f'#!/bin/sh\n{text}\n')
        (tmp_path / 'bin' / name).chmod(0o755)

    def ask(release: str, mirror_has: str) -> tuple[int, str, str]:
        variables = {'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}', 'XDG_CACHE_HOME': str(tmp_path), 'MIRROR_HAS': mirror_has}
        done = subprocess.run([REPOSITORY / 'tests/lab/frr-root', release], env={**os.environ, **variables},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.returncode, done.stdout.strip(), done.stderr

    return ask


@pytest.mark.parametrize('release, suite, version, code', CASES)
def test_another_release_is_refused(frr_root: FrrRoot, tmp_path: Path, release: str, suite: str, version: str, code: int) -> None:
    got, path, said = frr_root(release, version)
    assert (got, path) == (code, '') and f'Debian {suite} has FRR {version}' in said, said
    assert not (tmp_path / 'cosmolet' / f'frr-{suite}').exists()


def test_a_root_of_another_release_is_replaced(frr_root: FrrRoot, tmp_path: Path) -> None:
    root = tmp_path / 'cosmolet' / 'frr-sid'
    assert frr_root('10.7', '10.7.1-6')[:2] == (0, str(root))
    assert frr_root('10.7', '10.8-1') == (0, str(root), ''), 'what is there suffices'
    status = root / 'var/lib/dpkg/status'
    status.write_text(status.read_text().replace('10.7.1-6', '10.6-1'))
    assert frr_root('10.7', '10.8-1')[:2] == (77, '')
    assert frr_root('10.7', '10.7.2-1')[:2] == (0, str(root))
    assert '10.7.2-1' in status.read_text()
