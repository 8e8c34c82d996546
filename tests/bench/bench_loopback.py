#!/usr/bin/python3
"""Many addresses bound on lo and unbound again: by the daemon's code, and by `ip -batch`, in turn, in one namespace.

    tests/bench/bench_loopback.py [--addresses N] [--repeat N]

The loop's longest turn is for how long everything else had to wait; `ip -batch` has nothing else to do.
"""
from __future__ import annotations

import argparse
import subprocess
import time

from common import BUILD, address, median
from sandbox import Sandbox, in_namespace

VERBS = ('add', 'remove')
FORMS = {'local-route': ('route {} local {}/32 dev lo table local proto 237', 'delete'),
         'address': ('address {} {}/32 dev lo scope host', 'delete')}
Times = dict[str, tuple[float, float]]  # by verb: seconds in all, the longest turn


def ours(namespace: str, mode: str, n: int) -> Times:
    done = subprocess.run(in_namespace(namespace, [str(BUILD / 'tests' / 'bench' / 'loopback_bench'), mode, str(n)]), check=True,
                          text=True, stdout=subprocess.PIPE)
    return {verb: (float(seconds), float(turn)) for verb, seconds, turn in map(str.split, done.stdout.splitlines())}


def batch(namespace: str, mode: str, n: int) -> Times:
    form, remove = FORMS[mode]
    times: Times = {}
    for verb, word in zip(VERBS, ('add', remove)):
        lines = '\n'.join(form.format(word, address(i)) for i in range(n))
        before = time.monotonic()
        subprocess.run(in_namespace(namespace, ['ip', '-batch', '-']), check=True, text=True, input=lines)
        times[verb] = (time.monotonic() - before, 0.0)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--addresses', type=int, default=10000, metavar='N')
    parser.add_argument('--repeat', type=int, default=3, metavar='N')
    arguments = parser.parse_args()
    print(f'{arguments.addresses} IPv4 addresses, median of {arguments.repeat}, milliseconds\n')
    print(f'{"":34}{"add":>10}{"turn":>10}{"remove":>10}{"turn":>10}')
    with Sandbox() as sandbox:
        namespace = sandbox.namespace('bench')
        for mode in FORMS:
            runs = [(ours(namespace, mode, arguments.addresses), batch(namespace, mode, arguments.addresses))
                    for _ in range(arguments.repeat)]
            mine, theirs = ({verb: [median([run[which][verb][i] for run in runs]) for i in (0, 1)] for verb in VERBS}
                            for which in (0, 1))
            print(f'{"cosmolet, " + mode:<34}' + ''.join(f'{1000 * value:>10.1f}' for verb in VERBS for value in mine[verb]))
            print(f'{"ip -batch, " + mode:<34}' + ''.join(f'{1000 * theirs[verb][0]:>10.1f}{"-":>10}' for verb in VERBS))
            print(f'{"ip -batch : cosmolet, " + mode:<34}'
                  + ''.join(f'{theirs[verb][0] / mine[verb][0]:>10.2f}{"-":>10}' for verb in VERBS))


if __name__ == '__main__':
    main()
