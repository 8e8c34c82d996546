"""What the benches share: the clients of zebra's socket, FRR's shell, the ToR's view, and the statistics."""
from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterable

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / 'lab'), str(TESTS / 'e2e')]
from cluster import pod, prefixes, service, set_ready, v4, v6  # noqa: E402
from kube import KubeApi  # noqa: E402
from lab import NODE_V4, TAG, Lab, Router  # noqa: E402
from sandbox import wait_until  # noqa: E402

BUILD = Path(os.environ.get('COSMOLET', TESTS.parent / 'build' / 'cosmolet')).resolve().parent
ZAPI_BENCH = BUILD / 'tests' / 'bench' / 'zapi_bench'

Figures = dict[str, list[float]]  # seconds, of each kind of update: announce, withdraw


def median(values: list[float]) -> float:
    return statistics.median(values)


def p99(values: list[float]) -> float:
    return sorted(values)[max(0, -(-99 * len(values) // 100) - 1)]


def figures_line(name: str, figures: Figures, plus: float = 0) -> str:
    """With something added on average, there is no p99 to tell."""
    cells = (f'{1000 * (value(figures[kind]) + plus):.1f}' if value is median or not plus else ''
             for kind in ('announce', 'withdraw') for value in (median, p99))
    return f'{name:<44}{len(figures["announce"]):>7}{"".join(f"{cell:>12}" for cell in cells)}'.rstrip()


def figures_ratio(name: str, figures: Figures, to: Figures, plus: float = 0) -> str:
    cells = ((median(figures[kind]) + plus) / median(to[kind]) for kind in ('announce', 'withdraw'))
    texts = (f'{cell:.0f}' if cell >= 10 else f'{cell:.2f}' for cell in cells)
    return (f'{name:<44}{"":7}' + ''.join(f'{text:>12}{"":12}' for text in texts)).rstrip()


def print_heading(what: str) -> None:
    print(f'{"":44}{what:>7}{"announce":>12}{"p99":>12}{"withdraw":>12}{"p99":>12}')


def address(i: int) -> str:
    """That of index i, as zapi_bench counts them."""
    return f'10.{96 + (i >> 16)}.{i >> 8 & 255}.{i & 255}'


def route(i: int) -> str:
    """The same as a static route, as FRR's shell has it."""
    return f'ip route {address(i)}/32 blackhole tag {TAG}'


class Client:
    """One zapi_bench; as a context manager, gone afterwards, and its routes with it."""

    def __init__(self, node: Router, kind: str, word: str = 'openfabric') -> None:
        self.process = node.popen([str(ZAPI_BENCH), kind, word, str(node.zserv)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._answer('ready')

    def begin(self, command: str) -> None:
        self.process.stdin.write(f'{command}\n')

    def end(self) -> tuple[float, float, float]:
        """When it began (wall clock), the seconds that it took, and those of the processor."""
        when, seconds, cpu = map(float, self._answer('done'))
        return when, seconds, cpu

    def do(self, command: str) -> tuple[float, float, float]:
        self.begin(command)
        return self.end()

    def memory(self) -> int:
        """Octets of memory that are the process's own."""
        lines = Path(f'/proc/{self.process.pid}/smaps_rollup').read_text().splitlines()
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(('Private_Clean', 'Private_Dirty')))

    def close(self) -> None:
        self.process.stdin.close()
        if self.process.wait(300) != 0:
            raise RuntimeError('zapi_bench failed')

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind:
            self.process.kill()
        else:
            self.close()

    def _answer(self, wanted: str) -> list[str]:
        line = self.process.stdout.readline()
        if line.split()[:1] != [wanted]:
            raise RuntimeError(f'zapi_bench said "{line.strip()}"; see above')
        return line.split()[1:]


class Shell:
    """A shell inside FRR's own root all the time, so that entering it costs nothing which its operator would not pay."""

    def __init__(self, node: Router) -> None:
        self.process = subprocess.Popen([str(node.directory / 'enter'), 'sh'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def begin(self, lines: list[str]) -> None:
        self.process.stdin.write('\n'.join([*(f'{line} >/dev/null' for line in lines), 'echo done', '']))
        self.process.stdin.flush()

    def wait_done(self) -> None:
        while (line := self.process.stdout.readline()) != 'done\n':
            if not line:
                raise RuntimeError("FRR's shell has ended")

    def do(self, lines: list[str]) -> None:
        self.begin(lines)
        self.wait_done()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def populate(kube: KubeApi, n: int) -> set[str]:
    """What cluster.populate() makes, by several connections: kubectl would take minutes."""
    services, pods = (f'/api/v1/namespaces/default/{kind}' for kind in ('services', 'pods'))

    def make(i: int) -> None:
        kube.request('POST', services, service(f's{i}', type='LoadBalancer', clusterIP=v4(i)))
        kube.set_ingress(f's{i}', [v6(i)])
        kube.request('POST', pods, pod(f'p{i}', f's{i}'))
        set_ready(kube, f'p{i}')

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(n)))
    return prefixes(*range(n))


def processor_time(pid: int) -> float:
    """Seconds that all threads of a process have had."""
    return sum(int(task.read_text().split()[0]) for task in Path('/proc', str(pid), 'task').glob('*/schedstat')) / 1e9


def vtysh_route(i: int, no: bool = False) -> str:
    return f"vtysh -c 'configure terminal' -c '{'no ' if no else ''}{route(i)}'"


def vtysh_file(node: Router, n: int, no: bool = False) -> str:
    """The command that tells FRR's shell n routes by one file."""
    (node.directory / 'etc' / 'routes').write_text(''.join(f'{"no " if no else ""}{route(i)}\n' for i in range(n)))
    return 'vtysh -f /etc/frr/routes'


def reload(node: Router, routes: Iterable[str], how: str = '--reload') -> str:
    """The command that makes FRR's configuration what it was, and these routes; or (--test) says what that would take."""
    text = node.vtysh('show running-config').split('frr version', 1)[-1]
    kept = [line for line in text.splitlines()[1:] if f'blackhole tag {TAG}' not in line]
    (node.directory / 'etc' / 'wanted.conf').write_text('\n'.join([*kept[:-1], *routes, 'end', '']))
    return f'/usr/lib/frr/frr-reload.py {how} /etc/frr/wanted.conf'


def session(lab: Lab, peer: str = NODE_V4) -> dict[str, Any]:
    """The ToR's summary of its session with a peer."""
    summary = json.loads(lab.tor.vty('bgpd', 'show bgp ipv4 unicast summary json'))
    return summary.get('ipv4Unicast', summary)['peers'][peer]


def received(lab: Lab, peer: str = NODE_V4) -> int:
    """How many prefixes the ToR has from a peer."""
    return session(lab, peer)['pfxRcd']


def wait_received(lab: Lab, n: int, peer: str = NODE_V4, timeout: float = 600) -> None:
    wait_until(lambda: received(lab, peer) == n, timeout, f'tor: {n} prefixes', explain=lambda: session(lab, peer))


def wait_update(lab: Lab, mark: float, kind: str, prefix: str, timeout: float = 120) -> float:
    """When the ToR logged that update of the prefix, first after the mark."""
    found = wait_until(lambda: [e for e in lab.tor.events(mark, [kind], all_of=False) if e.prefix == prefix], timeout,
                       f'{kind} of {prefix}', interval=0.002, explain=lab.tor.tail)
    return found[0].time
