"""An API server in miniature: many objects, selectors of labels and fields, watches that expire.

Beside FakeApi it keeps apart what clients ask for: an object whose labels change so that a watch does not select it any
more is deleted there, as a real server has it.
"""

from __future__ import annotations

import contextlib
import json
import queue
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from fake_api import CLOSE, END, Answer, Certificates, FakeApi, Handler, event, status
from model import Object, key_of, selects

RESOURCES = {'Service': 'services', 'Pod': 'pods', 'Node': 'nodes', 'EndpointSlice': 'endpointslices', 'Namespace': 'namespaces',
             'AnnouncementPolicy': 'announcementpolicies'}
REMEMBERED = 2000  # events; older watches have expired


@dataclass
class Asked:
    """Which objects a request is about."""
    resource: str
    namespace: str = ''
    labels: str = ''
    fields: str = ''

    def selects(self, item: Object | None) -> bool:
        if item is None or (self.namespace and item['metadata']['namespace'] != self.namespace):
            return False
        where, _, value = self.fields.partition('=')
        mine = {'spec.nodeName': item.get('spec', {}).get('nodeName'), 'metadata.name': item['metadata']['name']}
        return (not where or mine[where] == value) and (
            not self.labels or selects(self.labels, item['metadata'].get('labels', {})))

    def line(self, old: Object | None, new: Object | None, version: int) -> bytes | None:
        """What this watch is told of a change; None: nothing."""
        was, is_now = self.selects(old), self.selects(new)
        if is_now:
            return event('MODIFIED' if was else 'ADDED', new)
        if was:
            return event('DELETED', {**old, 'metadata': {**old['metadata'], 'resourceVersion': str(version)}})
        return None


@dataclass(eq=False)
class Watch:
    asked: Asked
    lines: queue.Queue[bytes | None] = field(default_factory=queue.Queue)


class SimApi(FakeApi):
    def __init__(self, namespace: str, certificates: Certificates) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.changes: list[tuple[int, str, Object | None, Object | None]] = []
        self.watches: list[Watch] = []
        self.oldest = 0
        self.deaf = False  # changes happen, and no watch is told
        super().__init__(namespace, certificates, SimHandler)

    def put(self, *objects: Object) -> None:
        for item in objects:
            self._change(key_of(item), json.loads(json.dumps(item)))

    def delete(self, key: tuple[str, str, str]) -> None:
        self._change(key, None)

    def _change(self, key: tuple[str, str, str], new: Object | None) -> None:
        with self.lock:
            self.version += 1
            old = self.objects.pop(key, None)
            if new is not None:
                new['metadata'].update(resourceVersion=str(self.version), uid='-'.join(key))
                self.objects[key] = new
            self.changes.append((self.version, RESOURCES[key[0]], old, new))
            if len(self.changes) > 2 * REMEMBERED:
                del self.changes[:REMEMBERED]
                self.oldest = self.changes[0][0] - 1
            for watch in self.watches if not self.deaf else []:
                if watch.asked.resource == RESOURCES[key[0]] and (line := watch.asked.line(old, new, self.version)):
                    watch.lines.put(line)

    def end_watches(self, cleanly: bool = True) -> None:
        with self.lock:
            for watch in self.watches:
                watch.lines.put(END if cleanly else CLOSE)

    def forget(self) -> None:
        """Every watch expires, and no client may come back to where it was: all must list again (410)."""
        with self.lock:
            self.version += 1
            self.oldest, self.changes = self.version, []
            for watch in self.watches:
                watch.lines.put(json.dumps({'type': 'ERROR', 'object': json.loads(status(410, 'Expired'))}).encode() + b'\n')
                watch.lines.put(END)


class SimHandler(Handler):
    server: SimApi

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = url.path.split('/')
        namespace = parts[parts.index('namespaces') + 1] if 'namespaces' in parts[:-1] else ''
        asked = Asked(parts[-1], namespace, query.get('labelSelector', ''), query.get('fieldSelector', ''))
        verb = 'watch' if 'watch' in query else 'list'
        if fault := self.server.faults.get((asked.resource, verb)):
            self.say(fault)
        elif verb == 'list':
            self._list_asked(asked)
        else:
            self._watch_asked(asked, int(query['resourceVersion']))

    def _list_asked(self, asked: Asked) -> None:
        with self.server.lock:
            items = [item for key, item in self.server.objects.items() if RESOURCES[key[0]] == asked.resource and asked.selects(item)]
            body = json.dumps({'kind': 'List', 'apiVersion': 'v1', 'metadata': {'resourceVersion': str(self.server.version)},
                               'items': items})
        self.say(Answer(200, body.encode()))

    def _watch_asked(self, asked: Asked, since: int) -> None:
        mine = Watch(asked)
        with self.server.lock:
            expired = since < self.server.oldest
            for version, resource, old, new in self.server.changes if not expired else []:
                if resource == asked.resource and version > since and (line := asked.line(old, new, version)):
                    mine.lines.put(line)
            if not expired:
                self.server.watches.append(mine)
        if expired:
            self.say(Answer(410, status(410, 'Expired')))
            return
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        with contextlib.suppress(OSError):
            while (line := mine.lines.get()) is not CLOSE:
                while line != END and mine.lines.qsize() and mine.lines.queue[0] not in (END, CLOSE):
                    line += mine.lines.get()
                self.wfile.write(b'%x\r\n%b\r\n' % (len(line), line))
                if line == END:
                    break
        with self.server.lock:
            self.server.watches.remove(mine)
        self.close_connection = True
