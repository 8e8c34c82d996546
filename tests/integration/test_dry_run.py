"""A dry run tells what would happen, and makes nothing happen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable

import pytest
from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import wait_until

ONE, TWO, THREE, FOUR, OLD = '10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0.4', '10.96.0.9'
BOUND = 'somebody else has bound it on lo'


@pytest.mark.parametrize('word', ['static', 'openfabric'])
def test_dry_run(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path, word: str) -> None:
    made = lab(word=word)
    daemon = Cosmolet(made.node, tmp_path, word=word)
    try:
        # A former life has left a route and an address; three of the wanted addresses are somebody else's.
        daemon.manifest('old', service('old', [OLD]), pod('old-1', 'old'))
        daemon.start()
        made.tor.wait_for({f'{OLD}/32'})
        daemon.kill()
        time.sleep(1.2)
        made.node.run(['ip', 'route', 'add', f'{ONE}/32', 'dev', 'uplink'], check=True)
        made.node.run(['ip', 'address', 'add', f'{TWO}/32', 'dev', 'lo'], check=True)
        made.node.run(['ip', 'route', 'add', 'local', f'{FOUR}/32', 'dev', 'lo'], check=True)  # which zebra does not see
        daemon.manifest('old')
        daemon.manifest('web', service('web', [ONE, TWO, THREE, FOUR]), pod('web-1', 'web'))
        before, mark = everything(made), time.time()

        daemon.start('--dry-run')
        conflicts = {'zebra has: kernel', f'{BOUND}; zebra has: connected', '', BOUND}
        wait_until(lambda: notes(daemon) == conflicts, 5, 'the conflicts', explain=daemon.tail)
        assert f'a conflict: {BOUND}; what is theirs stays' in daemon.command('why', FOUR).stdout
        assert {line.partition('address=')[2].split()[0] for line in daemon.log_lines('msg="a conflict')} == {TWO, FOUR}
        status = daemon.status()
        assert status['would'] == {'announce': 4, 'withdraw': [f'{OLD}/32']}
        shown = daemon.command('status').stdout
        assert f'it would announce 4 and withdraw 1 routes: {OLD}/32' in shown
        # Nobody is to be called since zebra does not confirm it.
        samples = daemon.get('/metrics')[1].splitlines()
        assert 'cosmolet_vips{state="pending"} 4' in samples
        assert not [line for line in samples if line.startswith(('cosmolet_vip_confirmed{', 'cosmolet_routes_redistributed '))]

        # It decides as the real one does.
        daemon.manifest('web', service('web', [ONE, TWO, THREE, FOUR]), pod('web-1', 'web', ready=False))
        wait_until(lambda: daemon.status()['would']['announce'] == 0, 5, 'the pod to count', explain=daemon.tail)
        assert daemon.stop() == 0
        assert everything(made) == before and made.tor.events(mark) == []

        # Beside a real one: what that announces need not be announced.
        daemon.manifest('web', service('web', [THREE]), pod('web-1', 'web'))
        daemon.start()
        daemon.wait_states({THREE: 'announced'})
        made.tor.wait_for({f'{THREE}/32'})
        mark = time.time()
        other = Cosmolet(made.node, tmp_path / 'other', word=word, kubernetes={'source': 'files', 'path': str(daemon.manifests)},
                         http={'listen': ''})
        other.start('--dry-run', ready=False)
        other.wait_log('msg=connected', 'room=zapi')
        time.sleep(1)
        assert other.stop() == 0
        assert made.tor.events(mark) == []
        daemon.wait_states({THREE: 'announced'})
    finally:
        daemon.close()


def everything(lab: Lab) -> Any:
    """All that a daemon could change on the node."""
    return (lab.node.addresses('lo'), lab.node.routes('local'), lab.node.routes(), lab.node.vtysh('show running-config'))


def notes(daemon: Cosmolet) -> set[str]:
    """Of all addresses, without what differs from release to release."""
    return {a.get('note', '').partition(',')[0] for a in daemon.status()['addresses']}


def test_many_conflicts_are_few_lines(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> None:
    made = lab()
    daemon = Cosmolet(made.node, tmp_path)
    addresses = [f'10.96.1.{i}' for i in range(60)]
    try:
        for address in addresses:
            made.node.run(['ip', 'route', 'add', f'{address}/32', 'dev', 'uplink'], check=True)
        daemon.manifest('web', service('web', addresses), pod('web-1', 'web'))
        daemon.start('--dry-run')
        wait_until(lambda: notes(daemon) == {'zebra has: kernel'}, 20, 'the conflicts', explain=daemon.tail)
        assert 10 <= len(daemon.log_lines('zebra has another route')) < 40
    finally:
        daemon.close()
