"""Stand-ins for two other ways from the API server to BGP, as scripts that run beside it; generous where in doubt.

Loop is the way of the original Cosmolet: every 30 s list, then one vtysh for each service. Reload is that of controllers
which render frr.conf (MetalLB's FRR mode): wait for 3 s after the first change, render all of it, frr-reload.py --test, and
frr-reload.py --reload. Both list all in two requests, and Reload hears of a change without any watch.
"""
from __future__ import annotations

import threading
from typing import Any

from cluster import v4
from common import TAG, Shell, reload
from kube import KubeApi
from lab import NODE_AS, Router


class Way:
    """Runs until the end of the with statement, and takes away what it has announced."""

    def __init__(self, node: Router, kube: KubeApi, n: int) -> None:
        self.node, self.kube, self.n = node, kube, n
        self.over = threading.Event()
        self.rounds = 0
        self._thread = threading.Thread(target=self.run)

    def run(self) -> None:
        raise NotImplementedError

    def changed(self) -> None:
        """Something was written."""

    def ready(self) -> set[int]:
        """The services with a ready pod, as the API server lists them."""
        services = {item['metadata']['name'] for item in self.kube.request('GET', '/api/v1/namespaces/default/services')['items']}
        pods = self.kube.request('GET', '/api/v1/namespaces/default/pods')['items']
        return {int(pod['metadata']['name'][1:]) for pod in pods if pod['metadata']['labels']['app'] in services
                and any(c['type'] == 'Ready' and c['status'] == 'True' for c in pod['status'].get('conditions', []))}

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.changed()
        self._thread.join()


class Loop(Way):
    SECONDS = 30.0

    def run(self) -> None:
        self.node.configure(f'router bgp {NODE_AS}', 'no bgp network import-check')
        with Shell(self.node) as shell:
            while not self.over.is_set():
                ready = self.ready()
                for i in range(self.n):
                    if self.over.is_set():
                        break
                    shell.do([f"vtysh -c 'configure terminal' -c 'router bgp {NODE_AS}' -c 'address-family ipv4 unicast'"
                              f" -c '{'' if i in ready else 'no '}network {v4(i)}/32'"])
                self.rounds += 1
                self.over.wait(self.SECONDS)
        self.node.configure(f'router bgp {NODE_AS}', 'address-family ipv4 unicast', *(f'no network {v4(i)}/32' for i in range(self.n)))


class Reload(Way):
    SECONDS = 3.0

    def __init__(self, node: Router, kube: KubeApi, n: int) -> None:
        super().__init__(node, kube, n)
        self._change = threading.Event()
        self._change.set()  # there is something to begin with

    def changed(self) -> None:
        self._change.set()

    def run(self) -> None:
        with Shell(self.node) as shell:
            while self._change.wait() and not self.over.wait(self.SECONDS):
                self._change.clear()
                routes = [f'ip route {v4(i)}/32 blackhole tag {TAG}' for i in sorted(self.ready())]
                shell.do([reload(self.node, routes, '--test'), reload(self.node, routes)])
                self.rounds += 1
            shell.do([reload(self.node, [])])
