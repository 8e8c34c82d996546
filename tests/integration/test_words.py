"""Every word that an operator may write behind `redistribute`, on every release that knows it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from cosmolet import Cosmolet, pod, service
from lab import COMMUNITY, IPV4_ONLY, Lab

V4, V6 = '10.96.0.1', 'fd00:96::1'


@pytest.mark.parametrize('word', ['babel', 'nhrp', 'isis', 'ospf 5', 'table 100'])
def test_word(word: str, cosmolet: Path, lab: Callable[..., Lab], frr_release: str, tmp_path: Path) -> None:
    made = lab(node=frr_release, word=word)
    daemon = Cosmolet(made.node, tmp_path, word=word)
    daemon.manifest('web', service('web', [V4, V6]), pod('web-1', 'web'))
    daemon.start()
    try:
        ipv6 = word.split()[0] not in IPV4_ONLY
        table = made.tor.wait_for({f'{V4}/32', f'{V6}/128'} if ipv6 else {f'{V4}/32'})
        assert {route.communities for route in table.values()} == {frozenset({COMMUNITY})}
        daemon.wait_states({V4: 'announced', V6: 'announced' if ipv6 else 'rejected'})
        if not ipv6:
            assert 'IPv4 only' in daemon.command('why', V6, '--http', '127.0.0.1:9474').stdout
        daemon.manifest('web')
        made.tor.wait_for(set())
    finally:
        daemon.close()
