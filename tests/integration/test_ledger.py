"""Before Linux 5.18 a file says which addresses are ours. No room for it: what is bound stays, nothing new is bound, and told.

The kernel here is newer; but the process asks uname, and setarch has that say 2.6.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Iterator

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import run, wait_until

OLD, NEW = '10.96.0.1', '10.96.0.2'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few pages."""
    directory = tmp_path / 'disk'
    directory.mkdir()
    run(['mount', '-t', 'tmpfs', '-o', 'size=16k,mode=0777', 'none', str(directory)])
    yield directory
    run(['umount', str(directory)])


def test_disk_is_full(cosmolet: Path, tmp_path: Path, disk: Path) -> None:
    with Lab(word='connected') as lab:
        daemon = Cosmolet(lab.node, tmp_path, word='connected', loopback={'mode': 'address', 'ledger_directory': str(disk)})
        daemon.wrapper = ['setarch', '--uname-2.6']
        daemon.manifest('old', service('old', [OLD]), pod('old-1', 'old'))
        daemon.start()
        lab.tor.wait_for({f'{OLD}/32'})
        assert [path.name for path in disk.iterdir()], 'there is a ledger'

        mark = time.time()
        hog = disk / 'hog'
        with hog.open('wb', buffering=0) as file:
            with pytest.raises(OSError, match='No space'):
                while True:
                    file.write(b'x' * 512)
        for round_ in range(20):  # services come and go meanwhile
            daemon.manifest('new', *([service('new', [NEW]), pod('new-1', 'new')] if round_ % 2 else []))
            time.sleep(0.02)
        wait_until(lambda: daemon.states().get(NEW) == 'unbound', 5, 'the refusal', explain=daemon.tail)
        assert 'No space left' in daemon.get(f'/why?q={NEW}')[1] and daemon.log_lines('No space left')
        assert daemon.states()[OLD] == 'announced' and lab.tor.events(mark, ['withdraw']) == []

        # It dies, and comes back to the same: still nothing of its own is lost.
        daemon.kill()
        daemon.start()
        assert daemon.states()[OLD] == 'announced' and lab.tor.events(mark, ['withdraw']) == []

        hog.unlink()
        lab.tor.wait_for({f'{OLD}/32', f'{NEW}/32'}, timeout=30)
        daemon.manifest('old')
        lab.tor.wait_for({f'{NEW}/32'})
        daemon.close()
