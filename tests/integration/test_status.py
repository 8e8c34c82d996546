"""/status: what it tells of the past, and that the README describes it as it is."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Callable, Iterator

from cosmolet import Cosmolet, pod, service
from lab import Lab
from sandbox import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / 'README.md'
WEB, DNS, FOREIGN = '10.96.0.10', '10.96.0.53', '10.96.0.99'
TYPES = {bool: 'boolean', int: 'number', float: 'number', str: 'string', type(None): 'null', dict: 'object', list: 'array'}


def test_status(cosmolet: Path, lab: Callable[..., Lab], tmp_path: Path) -> None:
    made = lab()
    made.node.run(['ip', 'address', 'add', f'{FOREIGN}/32', 'dev', 'lo'], check=True)
    daemon = Cosmolet(made.node, tmp_path)
    try:
        daemon.manifest('web', service('web', [WEB, FOREIGN]), pod('web-1', 'web'))
        daemon.manifest('dns', service('dns', [DNS]), pod('dns-1', 'dns', ready=False))
        before = time.time()
        daemon.start()
        daemon.wait_states({WEB: 'announced', FOREIGN: 'rejected', DNS: 'down'})
        began = time.monotonic()
        daemon.manifest('web', service('web', [WEB, FOREIGN]), pod('web-1', 'web', ready=False))
        daemon.wait_states({WEB: 'down', FOREIGN: 'down', DNS: 'down'})
        most = 1000 * (time.monotonic() - began)
        (daemon.manifests / 'web.json').unlink()
        wait_until(lambda: set(daemon.states()) == {DNS}, 5, 'web to be forgotten', explain=daemon.tail)
        status = daemon.status()
        assert_documented(status)
        assert status['version'] == 1 and before < status['started'] < status['now'] < time.time()

        # The past: in, and out again, each step with its reason.
        steps = [(t['from'], t['to'], t['service'], t['why']) for t in status['transitions'] if t['address'] == WEB]
        assert steps == [
            ('down', 'pending', 'default/web', '1 of 1 pods on this node are ready'),
            ('pending', 'announced', 'default/web', 'zebra has selected the route'),
            ('announced', 'withdrawing', 'default/web', '0 of 1 pods on this node are ready; web-1: not Ready'),
            ('withdrawing', 'down', 'default/web', 'zebra has withdrawn the route')]
        times = [t['when'] for t in status['transitions']]
        assert times == sorted(times) and before < times[0] and times[-1] < time.time()
        # Addresses of the first picture are not timed: there was no event.
        assert {latency['direction'] for latency in status['latencies']} == {'withdraw'}
        assert all(0 < latency['ms'] < most for latency in status['latencies'])

        # A manifest that is refused is told of in a terminal, too.
        (daemon.manifests / 'broken.yaml').write_text('a: [')
        wait_until(lambda: 'problem     broken.yaml: ' in daemon.command('status').stdout, 5, 'it to be told', explain=daemon.tail)
        (daemon.manifests / 'broken.yaml').unlink()
        wait_until(lambda: 'problem' not in daemon.command('status').stdout, 5, 'it to be forgotten', explain=daemon.tail)

        # Another life of the same process remembers; zebra's end is told of.
        daemon.manifest('dns', service('dns', [DNS]), pod('dns-1', 'dns'))
        daemon.wait_states({DNS: 'announced'})
        daemon.settings['http'] = {'listen': '127.0.0.1:9474'}
        daemon.settings['frr']['stale_seconds'] = 200
        daemon.write_config()
        daemon.wait_log('msg=changed', 'frr.stale_seconds')
        wait_until(lambda: daemon.get('/readyz')[0] == 200 and daemon.states() == {DNS: 'announced'}, 10, 'the next life')
        transitions = daemon.status()['transitions']
        assert transitions[:len(times)] == status['transitions']
        made.node.kill('zebra')
        wait_until(lambda: daemon.states() == {DNS: 'pending'}, 5, 'zebra to be missed', explain=daemon.tail)
        last = daemon.status()['transitions'][-1]
        assert (last['from'], last['to'], last['why']) == ('announced', 'pending', 'the connection to zebra is lost')
        assert daemon.stop() == 0

        daemon.start('--dry-run', ready=False)
        wait_until(lambda: daemon.get('/status')[0] == 200, 5, 'the dry run', explain=daemon.tail)
        assert_documented(daemon.status())
    finally:
        daemon.close()


def test_the_readme_knows_every_field() -> None:
    """Those of the source, since no run meets all of them; and no others."""
    source = (REPOSITORY / 'src' / 'status.c').read_text()
    written = set(re.findall(r'(?:(?:\bset_\w+|json_object_set_new)\(\s*\w+,\s*"|\\")(\w+)\\?"', source))
    described = {word for path in documented() for word in re.split(r'[.\[\]]+', path) if word}
    assert written and written == described


def documented() -> dict[str, set[str]]:
    """Types of each path in the README's table. A field named in the words on an object has any but an object's."""
    table = README.read_text().split('<!-- status: begin -->\n')[1].split('<!-- status: end -->')[0]
    fields: dict[str, set[str]] = {}
    for row in table.splitlines()[2:]:
        names, types, meaning = (cell.strip() for cell in row.strip('|').split('|'))
        for name in re.findall(r'`([^`]+)`', names):
            fields[name] = set(types.split(', '))
            if types == 'object':
                fields.update({f'{name}.{word}': {'string', 'number', 'boolean', 'null', 'array'}
                               for word in re.findall(r'`(\w+)`', meaning)})
    return fields


def assert_documented(status: dict[str, Any]) -> None:
    known = documented()
    for path, value in paths(status):
        assert path in known, f'{path} is not in the README'
        assert TYPES[type(value)] in known[path], f'{path} is {value!r}, and not {known[path]}'


def paths(value: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """Every field, each by its path; of lists of objects all elements, of `states` the keys are values."""
    for key, inner in value.items():
        name = f'{path}.{key}' if path else key
        if isinstance(inner, list) and f'{name}[]' in documented():
            for each in inner:
                yield f'{name}[]', each
                if isinstance(each, dict):
                    yield from paths(each, f'{name}[]')
        else:
            yield name, inner
            if isinstance(inner, dict) and name != 'states':
                yield from paths(inner, name)
