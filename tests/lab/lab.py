#!/usr/bin/python3
"""A laboratory: a node and the top-of-rack router (ToR) it speaks BGP with, both of them real FRR of a chosen release.

What the daemon promises can only be seen from the far end of a BGP session, so that is what tests ask here: which
prefixes the ToR has, with which communities, and every single update that it ever received, to the microsecond.
Everything lives in network namespaces and one private directory; see sandbox.py for how they go away again.

    tests/lab/lab.py run [--node 8.4] [--tor 8.4] [--word static]      start one, and look around until Ctrl-C
"""
from __future__ import annotations

import argparse
import bisect
import calendar
import contextlib
import functools
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable

sys.path.insert(0, str(Path(__file__).resolve().parent))
from sandbox import Sandbox, execute, in_namespace, ip, run, wait_until  # noqa: E402

HERE = Path(__file__).resolve().parent
RELEASES = ('7.5', '8.4', '10.3', '10.7')

NODE_AS, TOR_AS = 65001, 65000
NODE_V4, TOR_V4 = '192.0.2.1', '192.0.2.2'
NODE_V6, TOR_V6 = '2001:db8::1', '2001:db8::2'

TAG, DEGRADED_TAG, OPERATOR_TAG = 4711, 4712, 100
COMMUNITY, DEGRADED_COMMUNITY, OPERATOR_COMMUNITY = '65001:100', '65001:200', '65001:900'
IPV4_ONLY = ('ospf', 'table')  # words that bgpd does not know for IPv6
OPERATOR_ROUTES = ('198.51.100.0/24', '2001:db8:f00::/48')
FOREIGN, FOREIGN_LOCAL, FOREIGN_KERNEL = '127.0.0.53', '192.0.2.130', '192.0.2.144/28'  # others' on the node: see Lab.others()
SERVICES = ('10.96.0.0/12', '198.18.0.0/15', '203.0.113.0/25')
SERVICES6 = ('fd00::/8', '2001:db8:5::/48')


class ReleaseMissing(Exception):
    """This mirror cannot give that release of FRR now."""


@functools.cache
def frr_root(release: str) -> Path:
    """The root directory of a release, built on first use."""
    done = subprocess.run([HERE / 'frr-root', release], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode == 77:
        raise ReleaseMissing(f"FRR {release}: Debian's mirror cannot give it now (see above)")
    if done.returncode != 0:
        raise RuntimeError(f'FRR {release}: tests/lab/frr-root failed with exit code {done.returncode}')
    return Path(done.stdout.strip())


# What the operators wrote into their frr.conf, before anybody had heard of us.

COMMON = '''\
frr defaults traditional
hostname {name}
log file /var/log/frr/frr.log
log timestamp precision 6
bgp route-map delay-timer 1
service integrated-vtysh-config
'''

BGP = '''\
router bgp {own_as}{vrf}
 bgp router-id {own4}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp log-neighbor-changes
 coalesce-time 1
 timers bgp 3 9
 neighbor {peer4} remote-as {peer_as}
 neighbor {peer4} timers connect 1
 neighbor {peer4} advertisement-interval 0
 neighbor {peer6} remote-as {peer_as}
 neighbor {peer6} timers connect 1
 neighbor {peer6} advertisement-interval 0
{more} address-family ipv4 unicast
  neighbor {peer4} activate
{more4} exit-address-family
 address-family ipv6 unicast
  neighbor {peer6} activate
{more6} exit-address-family
'''


def node_config(word: str = 'static', operator_routes: bool = True,
                services: Iterable[str] = SERVICES, services6: Iterable[str] = SERVICES6, vrf: str = '') -> str:
    """The node's: `redistribute WORD` through a route-map that knows our tags (or, for connected, our prefixes).

    Several words are written with commas between them.
    """
    words = word.split(',')
    text = COMMON.format(name='node')
    if operator_routes:
        routes = ''.join(f'{" " if vrf else ""}{"ipv6" if ":" in prefix else "ip"} route {prefix} blackhole tag {OPERATOR_TAG}\n'
                         for prefix in OPERATOR_ROUTES)
        text += f'vrf {vrf}\n{routes}exit-vrf\n' if vrf else routes
    text += _prefix_list('ip', 'SERVICES', services, 32) + _prefix_list('ipv6', 'SERVICES6', services6, 128)
    if word == 'connected':
        text += _route_map('SVC', 10, 'ip address prefix-list SERVICES', COMMUNITY)
        text += _route_map('SVC6', 10, 'ipv6 address prefix-list SERVICES6', COMMUNITY)
    else:
        for name in ('SVC', 'SVC6'):
            text += _route_map(name, 10, f'tag {TAG}', COMMUNITY)
            text += _route_map(name, 20, f'tag {DEGRADED_TAG}', DEGRADED_COMMUNITY)
            text += _route_map(name, 30, f'tag {OPERATOR_TAG}', OPERATOR_COMMUNITY)
    text += BGP.format(own_as=NODE_AS, vrf=f' vrf {vrf}' if vrf else '', own4=NODE_V4, peer_as=TOR_AS, peer4=TOR_V4, peer6=TOR_V6, more='',
                       more4=''.join(f'  redistribute {w} route-map SVC\n' for w in words),
                       more6=''.join(f'  redistribute {w} route-map SVC6\n' for w in words if w.split()[0] not in IPV4_ONLY))
    return text


def tor_config() -> str:
    """The ToR's: waits for the node, and writes down every update."""
    return COMMON.format(name='tor') + 'debug bgp updates in\n' + BGP.format(
        own_as=TOR_AS, vrf='', own4=TOR_V4, peer_as=NODE_AS, peer4=NODE_V4, peer6=NODE_V6, more4='', more6='',
        more=f' neighbor {NODE_V4} passive\n neighbor {NODE_V6} passive\n')


def _prefix_list(family: str, name: str, prefixes: Iterable[str], host: int) -> str:
    return ''.join(f'{family} prefix-list {name} seq {5 * n} permit {prefix} ge {host}\n'
                   for n, prefix in enumerate(prefixes, 1))


def _route_map(name: str, sequence: int, match: str, community: str) -> str:
    return f'route-map {name} permit {sequence}\n match {match}\n set community {community} additive\n'


class Router:
    """The FRR daemons of one release in one network namespace, as an installation of that release runs them.

    Each daemon is a child of ours: chrooted into the release's root, which sees the router's own directories as
    /run/frr, /etc/frr and so on. From outside they are <directory>/run, <directory>/etc, …
    """

    MOUNTS = {'run': 'run/frr', 'etc': 'etc/frr', 'log': 'var/log/frr', 'lib': 'var/lib/frr', 'tmp': 'var/tmp/frr'}

    def __init__(self, sandbox: Sandbox, name: str, release: str, config: str,
                 daemons: Iterable[str] = ('zebra', 'bgpd', 'staticd'), vrfs: Iterable[str] = ()) -> None:
        """vrfs: more VRFs by name, each a network namespace (zebra -n)."""
        self.name, self.config = name, config
        self.sandbox = sandbox
        self.namespace = sandbox.namespace(name)
        self.vrfs = {vrf: sandbox.namespace(f'{name}-{vrf}') for vrf in vrfs}
        self.directory = sandbox.directory / name
        self.run_directory = self.directory / 'run'
        self.zserv = self.run_directory / 'zserv.api'
        self.wanted = tuple(daemons)
        self._running: dict[str, subprocess.Popen[Any]] = {}
        self._install(release)

    # Life

    def start_all(self) -> None:
        """mgmtd (where the release has it) and zebra before the others, who would wait long before trying again."""
        self._spawn(*(d for d in self.daemons if d == 'mgmtd'))
        self._spawn('zebra')
        self._spawn(*(d for d in self.daemons if d not in ('mgmtd', 'zebra')))
        self._load_config()

    def start(self, daemon: str) -> None:
        self._spawn(daemon)
        self._load_config('-d', daemon)

    def stop(self, daemon: str) -> None:
        """As an installation's service script does."""
        self.kill(daemon, signal.SIGINT)

    def kill(self, daemon: str, number: int = signal.SIGKILL, timeout: float = 20) -> None:
        """Sends a signal that ends the daemon, and waits for that."""
        process = self._running.pop(daemon)
        process.send_signal(number)
        process.wait(timeout)

    def signal(self, daemon: str, number: int) -> None:
        """Sends a signal that does not end it (SIGSTOP, SIGCONT)."""
        self._running[daemon].send_signal(number)

    def stop_all(self) -> None:
        for daemon in reversed([d for d in self.daemons if d in self._running]):
            self.stop(daemon)

    def restart_all(self) -> None:
        self.stop_all()
        self.start_all()

    def replace_release(self, release: str) -> None:
        """The node's FRR is upgraded (or downgraded): other daemons, same configuration, same sockets."""
        self.stop_all()
        self._install(release)
        self.start_all()

    @property
    def daemons(self) -> tuple[str, ...]:
        """In starting order."""
        has_mgmtd = (self.root / 'usr/lib/frr/mgmtd').exists()
        return (('mgmtd',) if has_mgmtd else ()) + self.wanted

    @property
    def pids(self) -> dict[str, int]:
        return {daemon: p.pid for daemon, p in self._running.items() if p.poll() is None}

    # Questions to FRR

    def vtysh(self, *commands: str) -> str:
        """What a person would see; several commands are one session (`configure terminal`, …)."""
        return run([str(self.directory / 'enter'), 'vtysh', *(a for c in commands for a in ('-c', c))])

    def vtysh_json(self, command: str) -> Any:
        return json.loads(self.vtysh(command) or '{}')

    def configure(self, *lines: str) -> None:
        self.vtysh('configure terminal', *lines)

    def vty(self, daemon: str, command: str, timeout: float = 30) -> str:
        """One daemon's answer over its own socket: what vtysh does, without a process per question."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(str(self.run_directory / f'{daemon}.vty'))
            for line in ('enable', command):
                s.sendall(line.encode() + b'\0')
                answer = bytearray()
                while answer[-4:-1] != b'\0\0\0':  # and a status octet
                    chunk = s.recv(1 << 20)
                    if not chunk:
                        raise ConnectionError(f'{self.name}: {daemon} hung up at "{command}"')
                    answer += chunk
        return answer[:-4].decode()

    def established(self) -> bool:
        """Are the sessions of both families up, with nothing left to be sent first?"""
        with contextlib.suppress(OSError, ValueError):
            vrf = ''.join(f'vrf {vrf} ' for vrf in self.vrfs)
            summary = json.loads(self.vty('bgpd', f'show bgp {vrf}summary json'))
            peers = [peer for family in ('ipv4Unicast', 'ipv6Unicast')
                     for peer in summary.get(family, {}).get('peers', {}).values()]
            return len(peers) >= 2 and all(peer['state'] == 'Established' for peer in peers)
        return False

    def wait_established(self, timeout: float = 30) -> None:
        wait_until(self.established, timeout, f'{self.name}: BGP sessions', explain=self.tail)

    # The kernel's view

    def addresses(self, interface: str = 'lo') -> list[dict[str, Any]]:
        """Addresses of an interface as `ip -j` tells them: family, local, prefixlen, scope, protocol, …"""
        links = json.loads(execute(self.namespace, 'ip', '-j', 'address', 'show', 'dev', interface))
        return [a for link in links for a in link.get('addr_info', [])]

    def routes(self, table: str | int = 'main') -> list[dict[str, Any]]:
        """Routes of both families of a kernel table."""
        return [route for family in ('-4', '-6')
                for route in json.loads(execute(self.namespace, 'ip', '-j', family, 'route', 'show', 'table', str(table)) or '[]')]

    # Programs beside FRR

    def run(self, argv: list[str], **kw: Any) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end in the router's network namespace (keywords: those of subprocess.run)."""
        return subprocess.run(in_namespace(self.namespace, argv), **{'text': True, 'capture_output': True, **kw})

    def popen(self, argv: list[str], **kw: Any) -> subprocess.Popen[Any]:
        """Starts a program in the router's network namespace; its pid is the program's own."""
        return self.sandbox.popen(self.namespace, argv, **kw)

    def tail(self, lines: int = 15) -> str:
        """The ends of all logs, for the report of a failure."""
        return '\n'.join(f'--- {self.name} {log.name}\n' + '\n'.join(log.read_text(errors='replace').splitlines()[-lines:])
                         for log in sorted((self.directory / 'log').iterdir()) if log.stat().st_size)

    # Details

    def _install(self, release: str) -> None:
        self.release, self.root = release, frr_root(release)
        uid, gid, vty_gid = self._ids()
        for name in self.MOUNTS:
            path = self.directory / name
            path.mkdir(parents=True, exist_ok=True)
            for each in (path, *path.iterdir()):
                os.chown(each, uid, gid)
        for name, text in {'frr.conf': self.config, 'vtysh.conf': 'service integrated-vtysh-config\n'}.items():
            path = self.directory / 'etc' / name
            path.write_text(text)
            os.chown(path, uid, vty_gid)
        enter = self.directory / 'enter'
        root = shlex.quote(str(self.root))
        enter.write_text(
            '#!/bin/sh\n# Runs a command as if FRR\'s installation on this router were the whole machine.\nset -e\n'
            f'[ "$1" = --inside ] || exec nsenter --net=/run/netns/{self.namespace} -- unshare --mount --uts -- "$0" --inside "$@"\n'
            f'shift\nhostname {self.name}\nmount --rbind /dev {root}/dev\nmount --bind /proc {root}/proc\n'
            + ''.join(f'mount --bind {shlex.quote(str(self.directory / ours))} {root}/{theirs}\n' for ours, theirs in self.MOUNTS.items())
            + self._mount_vrfs(root) + f'TZ=UTC LC_ALL=C exec chroot {root} "$@"\n')
        enter.chmod(0o755)

    def _mount_vrfs(self, root: str) -> str:
        """zebra takes each file of /run/netns for a VRF: it sees only ours."""
        if not self.vrfs:
            return ''
        directory = self.directory / 'netns'
        directory.mkdir(exist_ok=True)
        for vrf in self.vrfs:
            (directory / vrf).touch()
        return (f'mkdir -p {root}/run/netns\nmount --bind {shlex.quote(str(directory))} {root}/run/netns\n'
                + ''.join(f'mount --bind /run/netns/{namespace} {root}/run/netns/{vrf}\n' for vrf, namespace in self.vrfs.items()))

    def _ids(self) -> tuple[int, int, int]:
        def look(file: str, name: str) -> int:
            lines = (self.root / 'etc' / file).read_text().splitlines()
            return next(int(entry[2]) for entry in (line.split(':') for line in lines) if entry[0] == name)
        return look('passwd', 'frr'), look('group', 'frr'), look('group', 'frrvty')

    def _spawn(self, *daemons: str) -> None:
        for daemon in daemons:
            argv = [str(self.directory / 'enter'), f'/usr/lib/frr/{daemon}', '-A', '127.0.0.1', '-P', '0']
            if daemon == 'zebra':
                argv += ['-s', '90000000', *(['-n'] if self.vrfs else [])]  # the size is Debian's own setting
            with open(self.directory / 'log' / f'{daemon}.out', 'ab') as out:
                self._running[daemon] = self.sandbox.popen(
                    self.namespace, argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd='/', process_group=0)
        for daemon in daemons:
            wait_until(lambda: self._answers(daemon), 20, f'{self.name}: {daemon} {self.release}', explain=self.tail)

    def _answers(self, daemon: str) -> bool:
        status = self._running[daemon].poll()
        if status is not None:
            raise RuntimeError(f'{self.name}: {daemon} {self.release} ended with {status}\n{self.tail()}')
        with contextlib.suppress(OSError):
            return bool(self.vty(daemon, 'show version')) and (daemon != 'zebra' or self._takes_clients(self._running[daemon].pid))
        return False

    @staticmethod
    def _takes_clients(zebra: int) -> bool:
        """Does it listen? The file may be an earlier one's. Not tried, since who leaves takes routes of others along (10.3, 10.7)."""
        sockets = (line.split() for line in Path(f'/proc/{zebra}/net/unix').read_text().splitlines())
        return any(words[-1].endswith('/zserv.api') and int(words[3], 16) & 1 << 16 for words in sockets)  # SO_ACCEPTCON

    def _load_config(self, *which: str) -> None:
        run([str(self.directory / 'enter'), 'vtysh', '-b', *which])
        if not which:
            # Not one line may be lost silently: that would be another router than the test believes in.
            running = {line.strip() for line in self.vtysh('show running-config').splitlines()}
            lost = [line for line in self.config.splitlines()
                    if line.strip() not in running | {'exit-address-family'} and not line.startswith('!')]
            if lost:
                raise RuntimeError(f'{self.name}: FRR {self.release} did not take: {lost}')


@dataclass(frozen=True, order=True)
class Event:
    """One prefix in one update that the ToR received; or a session that came or went."""
    time: float  # seconds since 1970, as time.time()
    kind: str = field(compare=False)  # announce, withdraw; up, down, complete (End-of-RIB)
    prefix: str = field(compare=False)  # or the peer


@dataclass(frozen=True)
class Route:
    """How the ToR knows a prefix."""
    communities: frozenset[str]
    med: int
    nexthops: tuple[str, ...]
    local_preference: int = 100


class Tor(Router):
    """The router at the far end, and witness: what it has now, and everything that it was ever told."""

    _LINE = re.compile(
        r'(?P<day>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)(?P<fraction>\.\d{6}) BGP: (?:\[\S+\] ?)*(?:'
        r'\S+ rcvd (?:UPDATE about )?(?P<prefix>[0-9a-f.:]+/\d+) IPv[46] unicast(?P<gone> -- withdrawn)?'
        r'|%ADJCHANGE: neighbor (?P<peer>[0-9a-f.:]+)\S* (?:in vrf \S+ )?(?P<state>Up|Down)'
        r'|\S+ rcvd End-of-RIB for \S+ \S+ from (?P<complete>[0-9a-f.:]+))')

    def __init__(self, sandbox: Sandbox, release: str, config: str, name: str = 'tor') -> None:
        super().__init__(sandbox, name, release, config, daemons=('zebra', 'bgpd'))
        self._events: list[Event] = []
        self._log_offset = 0

    def events(self, since: float = 0, kinds: Iterable[str] = ('announce', 'withdraw', 'up', 'down'), all_of: bool = True) -> list[Event]:
        """All that arrived since a time (as of time.time()), in order, repetitions included.

        What bgpd logs stays in its memory for a moment, unless it has to answer a new connection: which it need not for who only
        waits for an event to come, and not all_of them.
        """
        if all_of:
            with contextlib.suppress(OSError):  # it is not running
                self.vty('bgpd', 'show version')
        self._read_log()
        first = bisect.bisect_left(self._events, since, key=lambda e: e.time)
        return [e for e in self._events[first:] if e.kind in kinds]

    def wait_complete(self, since: float = 0, expected: Iterable[str] = (), timeout: float = 30) -> None:
        """Until the node has said "that is all" (End-of-RIB) in both families.

        A bgpd that has only just met its zebra says so too early: hence the prefixes that must have been announced.
        """
        def complete() -> bool:
            events = self.events(since, ['complete', 'announce'])
            return {NODE_V4, NODE_V6, *expected} <= {e.prefix for e in events}

        wait_until(complete, timeout, 'tor: End-of-RIB of both families', explain=self.tail)

    def table(self) -> dict[str, Route]:
        """Every prefix of both families."""
        return {**self._table('ipv4'), **self._table('ipv6')}

    def services(self) -> dict[str, Route]:
        """The same without what the operator announces himself."""
        return {prefix: route for prefix, route in self.table().items() if prefix not in OPERATOR_ROUTES}

    def wait_for(self, wanted: set[str] | Callable[[dict[str, Route]], Any], timeout: float = 10) -> dict[str, Route]:
        """Waits until services() is exactly these prefixes, or satisfies the predicate; returns it."""
        def satisfied() -> bool:
            nonlocal last
            last = self.services()
            return bool(wanted(last)) if callable(wanted) else set(last) == set(wanted)

        def difference() -> str:
            if callable(wanted):
                return f'it has {len(last)} prefixes: {sorted(last)[:20]}'
            missing, excess = sorted(set(wanted) - set(last)), sorted(set(last) - set(wanted))
            return f'missing {len(missing)}: {missing[:20]}, too many {len(excess)}: {excess[:20]}'

        last: dict[str, Route] = {}
        wait_until(satisfied, timeout, 'tor: the wanted prefixes', explain=difference)
        return last

    def _table(self, family: str) -> dict[str, Route]:
        answer = self.vty('bgpd', f'show bgp {family} unicast json detail')
        if 'Unknown command' in answer:  # 7.5
            return self._table_by_community(family)
        table = {}
        for prefix, entry in json.loads(answer).get('routes', {}).items():
            paths = entry['paths'] if isinstance(entry, dict) else [p for p in entry if 'aspath' in p]
            table[prefix] = _route(paths[0], paths[0].get('community', {}).get('list', []))
        return table

    def _table_by_community(self, family: str) -> dict[str, Route]:
        """7.5 tells the communities of one prefix at a time, or the prefixes of one community."""
        def ask(restriction: str) -> dict[str, Any]:
            return json.loads(self.vty('bgpd', f'show bgp {family} unicast {restriction} json') or '{}').get('routes', {})

        known = {c for line in self.vty('bgpd', 'show bgp community-info').splitlines()[1:]
                 for c in line.split(') ', 1)[-1].split()}
        members = {c: ask(f'community {c}') for c in known}
        return {prefix: _route(paths[0], [c for c in known if prefix in members[c]]) for prefix, paths in ask('').items()}

    def _read_log(self) -> None:
        with open(self.directory / 'log' / 'frr.log', 'rb') as log:
            log.seek(self._log_offset)
            new = log.read()
        new = new[:new.rfind(b'\n') + 1]  # whole lines only
        self._log_offset += len(new)
        for found in filter(None, map(self._LINE.match, new.decode(errors='replace').splitlines())):
            when = calendar.timegm(time.strptime(found['day'], '%Y/%m/%d %H:%M:%S')) + float(found['fraction'])
            if found['prefix']:
                event = Event(when, 'withdraw' if found['gone'] else 'announce', found['prefix'])
            elif found['state']:
                event = Event(when, found['state'].lower(), found['peer'])
            else:
                event = Event(when, 'complete', found['complete'])
            self._events.append(event)


def _route(path: dict[str, Any], communities: Iterable[str]) -> Route:
    return Route(frozenset(communities), int(path.get('metric', 0)), tuple(n['ip'] for n in path.get('nexthops', [])),
                 int(path.get('locPrf', path.get('localpref', 100))))


class Lab:
    """A node and its ToR, connected, both BGP sessions up and complete; as a context manager, gone afterwards.

    What others have on the node (the operator's static routes, an address and a local route on lo, a route of the kernel)
    must be there after each test as it was in the beginning; see check().
    """

    alive: list[Lab] = []

    def __init__(self, node: str = '8.4', tor: str = '8.4', word: str = 'static', operator_routes: bool = True,
                 config: str | None = None, daemons: Iterable[str] = ('zebra', 'bgpd', 'staticd'),
                 vrf: str = '') -> None:
        """vrf: the node speaks BGP with the ToR in this VRF, and there redistributes the word."""
        self.vrf = vrf
        self._born: set[tuple[Any, ...]] | None = None
        self._expected = OPERATOR_ROUTES if 'static' in word.split(',') and operator_routes and not config else ()
        self.sandbox = Sandbox()
        try:
            self.directory = self.sandbox.directory
            self.node = Router(self.sandbox, 'node', node, config or node_config(word, operator_routes, vrf=vrf), daemons,
                               [vrf] if vrf else [])
            self.tor = Tor(self.sandbox, tor, tor_config())
            self._connect()
            with ThreadPoolExecutor() as pool:
                list(pool.map(Router.start_all, (self.tor, self.node)))
            self.wait_complete()
            self._born = self.others()
        except BaseException:
            self.close()
            raise
        Lab.alive.append(self)

    def wait_complete(self, since: float = 0) -> None:
        """Until both sessions are up, and the node's first word of everything has arrived."""
        self.node.wait_established()
        self.tor.wait_complete(since, self._expected)

    def others(self) -> set[tuple[Any, ...]] | None:
        """All that is not ours: what zebra has of other types or with other tags, and the kernel. None: zebra is not there."""
        found: set[tuple[Any, ...]] = {('address', a['local'], a['prefixlen']) for a in self.node.addresses('lo') if a['family'] == 'inet'}
        found |= {(table, r['dst'], str(r.get('protocol'))) for table in ('local', 'main') for r in self.node.routes(table)
                  if r['dst'] in (FOREIGN, FOREIGN_LOCAL, FOREIGN_KERNEL)}
        try:
            for family in ('ip', 'ipv6'):
                routes = json.loads(self.node.vty('zebra', f'show {family} route json', timeout=3) or '{}')
                found |= {(prefix, e['protocol'], e['distance'], e.get('tag', 0)) for prefix, entries in routes.items()
                          for e in entries if not prefix.startswith('fe80:') and e['protocol'] != 'local'}  # FRR 10.2 and later
        except (OSError, ValueError):
            return None
        return found

    def renounce(self) -> None:
        """FRR itself loses what others have: check() does not ask for it any more."""
        self._born = None

    def check(self) -> None:
        """Is everything of others still there? Not asked while zebra is away."""
        if self._born is None or 'zebra' not in self.node.pids:
            return

        def missing() -> set[tuple[Any, ...]]:
            now = self.others()
            return set() if now is None else (self._born or set()) - now

        # FRR may just have been restarted.
        wait_until(lambda: not missing(), 5, f'{self.sandbox.name}: what others have', explain=lambda: sorted(map(str, missing())))

    def close(self) -> None:
        if self in Lab.alive:
            Lab.alive.remove(self)
        self.sandbox.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if not kind:
                self.check()
        finally:
            self.close()

    def _connect(self) -> None:
        ip('-n', self.node.namespace, 'address', 'add', f'{FOREIGN}/32', 'dev', 'lo')
        ip('-n', self.node.namespace, 'route', 'add', 'local', FOREIGN_LOCAL, 'dev', 'lo', 'table', 'local', 'proto', 'static')
        ip('-n', self.node.namespace, 'route', 'add', 'blackhole', FOREIGN_KERNEL)
        node = self.node.vrfs[self.vrf] if self.vrf else self.node.namespace
        connect_routers((node, 'uplink', f'{NODE_V4}/30', f'{NODE_V6}/64'),
                        (self.tor.namespace, 'downlink', f'{TOR_V4}/30', f'{TOR_V6}/64'))


def connect_routers(*ends: tuple[str, ...]) -> None:
    """Lays a link between two namespaces; of each end: namespace, interface, and its addresses."""
    (near, near_link, *_), (far, far_link, *_) = ends
    ip('link', 'add', near_link, 'netns', near, 'type', 'veth', 'peer', 'name', far_link, 'netns', far)
    for namespace, link, *addresses in ends:
        for address in addresses:
            ip('-n', namespace, 'address', 'add', address, 'dev', link, *(['nodad'] if ':' in address else []))
        ip('-n', namespace, 'link', 'set', link, 'up')


def main() -> None:
    parser = argparse.ArgumentParser(description='A node and a ToR of real FRR, to look around in.')
    command = parser.add_subparsers(dest='command', required=True).add_parser('run', help='start it; Ctrl-C ends it')
    command.add_argument('--node', default='8.4', choices=RELEASES, help="the node's FRR (default: %(default)s)")
    command.add_argument('--tor', default='8.4', choices=RELEASES, help="the ToR's FRR (default: %(default)s)")
    command.add_argument('--word', default='static', help='what the node redistributes, several with commas between (default: %(default)s)')
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        with Lab(arguments.node, arguments.tor, arguments.word) as lab:
            print(f'ready after {time.monotonic() - started:.1f} s, both sessions up\n')
            for router in (lab.node, lab.tor):
                print(f'{router.name}: FRR {router.release}\n'
                      f'  FRR\'s shell       {router.directory}/enter vtysh\n'
                      f'  namespace         ip netns exec {router.namespace} bash\n'
                      f'  zebra\'s socket    {router.zserv}\n'
                      f'  logs              {router.directory}/log/')
            print('\nCtrl-C ends it.', flush=True)
            signal.pause()
    except KeyboardInterrupt:
        sys.exit(130)
    except (ReleaseMissing, OSError, RuntimeError) as error:
        sys.exit(f'lab: {error}')


if __name__ == '__main__':
    main()
