"""The demo without a screen: a short story that must be seen at the ToR step by step, or a report as things happen."""
from __future__ import annotations

import os
import sys
import textwrap
import time
from typing import Callable, NoReturn

from manifests import RUN, set_ready
from stage import OPERATOR_ROUTES, SETTLED, Change, Stage, clock

COMMUNITY = '65001:100'  # what the operator's route-map makes of our tag
DNS = {'10.96.0.53/32', 'fd00:96::53/128'}
WEB = {'10.96.0.10/32', 'fd00:96::10/128', '198.18.0.10/32'}


class Missed(Exception):
    """The ToR did not see what it had to see, or cosmolet could not say why."""


def tell(stage: Stage) -> int:
    """All of it, and 0; or 1 at the first step that went wrong."""
    say(f'FRR {stage.frr} on the node and on the ToR, both BGP sessions up; manifests in {RUN / "manifests"}')
    for number, step in enumerate(STEPS, 1):
        say(f'\n{_bold(f"{number}. {step.__doc__}")}')
        try:
            step(stage)
        except (Missed, TimeoutError) as error:
            say(f'   NOT SEEN: {error}\n\nThe end of cosmolet\'s log:\n{stage.tail()}')
            return 1
    say(f'\n{_bold("Every step was seen at the ToR.")}')
    return 0


def report(stage: Stage) -> NoReturn:
    """Line by line what happens, until somebody ends it."""
    say(f'FRR {stage.frr} on the node and on the ToR, both BGP sessions up; manifests in {RUN / "manifests"}')
    stage.start()
    told: list[Change] = []
    while True:
        stage.observe()
        for change in stage.changes:
            if change.settled() and not any(change is other for other in told):
                told.append(change)
                say(f'{clock(change.at, 3)}  {change.what:<18} {change.effect()}')
        time.sleep(0.1)


def say(text: str) -> None:
    print(text, flush=True)


def _bold(text: str) -> str:
    return f'\033[1m{text}\033[m' if sys.stdout.isatty() and 'NO_COLOR' not in os.environ else text


# The steps

def _announced(stage: Stage) -> None:
    """cosmolet starts: what this node can serve is announced, with the community of the operator's route-map"""
    stage.start()
    stage.wait_ready()
    _table(stage, WEB | DNS)
    _heard(stage, 'announce', WEB | DNS, 'after the start')


def _failed(stage: Stage) -> None:
    """dns-1, the only pod behind two addresses, fails: both leave (zebra gathers for 10 ms, then bgpd for 50)"""
    set_ready(stage.manifests, 'dns-1', False)
    stage.tor.wait_for(WEB)
    _heard(stage, 'withdraw', DNS, 'after the edit of the manifest')


def _healed(stage: Stage) -> None:
    """dns-1 is ready again: both come back"""
    set_ready(stage.manifests, 'dns-1', True)
    stage.tor.wait_for(WEB | DNS)
    _heard(stage, 'announce', DNS, 'after the edit of the manifest')


def _killed(stage: Stage) -> None:
    """cosmolet is killed (SIGKILL) and started again a second later: nobody notices"""
    change = stage.restart(away=1)
    stage.wait_ready()
    time.sleep(SETTLED)
    stage.observe()
    if change.events:
        raise Missed(f'silence: {change.events}')
    _table(stage, WEB | DNS)
    say('   0 updates at the ToR')


def _asked(stage: Stage) -> None:
    """cosmolet is asked why one address is announced, and another is not"""
    for subject, state in (('10.96.0.53', 'announced'), ('10.96.0.77', 'down')):
        answer = stage.why(subject)
        say(textwrap.indent(f'$ cosmolet why {subject}\n{answer.rstrip()}\n', '   '))
        if f'{subject} is {state}' not in answer:
            raise Missed(f'{subject} is {state}')


def _stopped(stage: Stage) -> None:
    """cosmolet is stopped (SIGTERM, on_stop: withdraw): the operator's own routes are all that is left"""
    stage.stop()
    stage.tor.wait_for(set())
    _table(stage, set())


STEPS: tuple[Callable[[Stage], None], ...] = (_announced, _failed, _healed, _killed, _asked, _stopped)


def _table(stage: Stage, wanted: set[str]) -> None:
    """What the ToR has, which must be this and the operator's routes."""
    stage.tor.wait_for(wanted)
    table = stage.tor.table()
    say(f'   {"PREFIX":<20} {"COMMUNITY":<12} {"MED":>4}  NEXT HOP')
    for prefix, route in table.items():
        say(f'   {prefix:<20} {" ".join(route.communities):<12} {route.med:>4}  {route.nexthops[0]}')
    if set(table) != wanted | set(OPERATOR_ROUTES):
        raise Missed(f'exactly {sorted(wanted | set(OPERATOR_ROUTES))}')
    if any(COMMUNITY not in table[prefix].communities for prefix in wanted):
        raise Missed(f'community {COMMUNITY} everywhere')


def _heard(stage: Stage, kind: str, prefixes: set[str], after: str) -> None:
    """The updates of the last change, which must be of this kind and about these prefixes."""
    time.sleep(0.2)  # for what should not come
    stage.observe()
    change = stage.changes[-1]
    for event in change.events:
        say(f'   {event.kind:<9} {event.prefix:<18} {change.ms(event):>9} {after}')
    if {(e.kind, e.prefix) for e in change.events} != {(kind, prefix) for prefix in prefixes}:
        raise Missed(f'{kind} of {sorted(prefixes)}, and nothing else')
