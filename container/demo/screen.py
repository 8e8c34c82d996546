"""The demo on a terminal: what the ToR has, what cosmolet says of itself, what came of the last changes; and keys.

Drawn anew ten times a second, but only lines that changed reach the terminal: it stands still until something happens.
"""
from __future__ import annotations

import ipaddress
import os
import select
import sys
import termios
import textwrap
import time
import tty
from itertools import zip_longest
from typing import Any

from manifests import RUN, Missing, is_ready, set_ready
from stage import OPERATOR_ROUTES, Change, Event, Route, Stage, address, clock

POD, SUBJECT = 'dns-1', '10.96.0.53'
TICK = 0.1     # seconds
FRESH = 3      # seconds that a change stands out
BESIDE = 150   # columns that both tables need to stand side by side
LEFT = 80      # of which the ToR's

# Styles of text: ANSI's numbers
PLAIN, BOLD, DIM, RED, GREEN, YELLOW = '', '1', '2', '31', '32', '33'
Line = list[tuple[str, str]]  # pieces of text, each with its style


def show(stage: Stage) -> None:
    view = View(stage)
    stage.start()
    with Terminal() as terminal:
        while True:
            view.refresh()
            terminal.draw(view.lines(*terminal.size()))
            key = terminal.key(TICK)
            if key == 'q':
                return
            view.press(key)


class View:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.heard: dict[str, Event] = {e.prefix: e for e in stage.tor.events(kinds=['announce'])}
        self.table: dict[str, Route] = {}
        self.addresses: list[dict[str, Any]] = []
        self.due = 0.0
        self.why = ''
        self.note = ''  # what a key could not do

    def refresh(self) -> None:
        events = self.stage.observe()
        self.heard.update((e.prefix, e) for e in events)
        if events or time.monotonic() > self.due:
            self.table = self.stage.tor.table()
            self.addresses = self.stage.addresses() or self.addresses
            if self.why:
                self.why = self.stage.why(SUBJECT)
            self.due = time.monotonic() + 0.5

    def press(self, key: str) -> None:
        if not key:
            return
        self.note = ''
        if key == 'f':
            try:
                set_ready(self.stage.manifests, POD, not is_ready(self.stage.manifests, POD))
            except Missing as missing:
                self.note = str(missing)
        elif key == 'r':
            self.stage.restart()
        else:
            self.why = self.stage.why(SUBJECT) if key == 'w' and not self.why else ''

    # What is to be seen

    def lines(self, width: int, height: int) -> list[Line]:
        top = [self._title(), *([[]] if height > 24 else [])]
        if width >= BESIDE:
            top += [pad(left, LEFT) + right for left, right in zip_longest(self._tor(), self._node(), fillvalue=[])]
        elif self.why and height < 32:
            top += self._tor()
        else:
            top += [*self._tor(), [], *self._node()]
        bottom = self._footer(height)
        space = height - len(top) - len(bottom) - 1
        middle = [[], *(self._why(width, space) if self.why else self._changes(space))]
        body = (top + middle)[:height - len(bottom)]
        return body + [[]] * (height - len(body) - len(bottom)) + bottom

    def _title(self) -> Line:
        process = self.stage.process
        state = (f'running, pid {process.pid}' if process and self.stage.running() else
                 f'ended: see {RUN / "cosmolet.log"}; r starts it again')
        return [(' cosmolet demo', BOLD), (f'   node and ToR: FRR {self.stage.frr}   cosmolet: ', PLAIN),
                (state, PLAIN if self.stage.running() else RED)]

    def _tor(self) -> list[Line]:
        """The ToR's table. What left it keeps its place as long as cosmolet knows the address: nothing jumps."""
        whose = {a['address']: ', '.join(a['services']) for a in self.addresses}
        gone = {p for p, e in self.heard.items() if e.kind == 'withdraw' and address(p) in whose}
        rows, styles = [('AT THE TOR', 'COMMUNITY', 'MED', 'NEXT HOP', 'SINCE', 'WHOSE')], [BOLD]
        for prefix in sorted(gone | self.table.keys(), key=_order):
            route, event = self.table.get(prefix), self.heard.get(prefix)
            known = ('withdrawn', '', '')
            if route:
                known = ' '.join(sorted(route.communities)), str(route.med), route.nexthops[0]
            owner = 'the operator' if prefix in OPERATOR_ROUTES else whose.get(address(prefix), '?')
            rows.append((prefix, *known, clock(event.time) if event else '', owner))
            fresh = event is not None and time.time() - event.time < FRESH
            fresh_style = GREEN if route else YELLOW
            styles.append(fresh_style if fresh else PLAIN if route and prefix not in OPERATOR_ROUTES else DIM)
        return [[(row, style)] for row, style in zip(columns(rows, (18, 11, 3, 12, 8)), styles)]

    def _node(self) -> list[Line]:
        """cosmolet's status, service by service."""
        states = sorted({(', '.join(a['services']) or '-', a['state'], a.get('note') or a.get('why') or '')
                         for a in self.addresses})
        rows = columns([('ON THE NODE', 'STATE', 'WHY'), *states], (15, 10))
        styles = [GREEN if state == 'announced' else DIM if state == 'down' else YELLOW for _, state, _ in states]
        return [[(row, style)] for row, style in zip(rows, [BOLD, *styles])]

    def _changes(self, space: int) -> list[Line]:
        shown = self.stage.changes[-max(space - 1, 1):]
        return [[(' CHANGES  ', BOLD), ('how soon the ToR heard (zebra gathers for 10 ms, then bgpd for 50)', DIM)],
                *map(self._change, shown)]

    def _change(self, change: Change) -> Line:
        kinds = {event.kind for event in change.events}
        style = YELLOW if 'withdraw' in kinds else GREEN if kinds or change.settled() else DIM
        return [(f' {clock(change.at, 3)}  {change.what:<18} ', PLAIN), (change.effect(), style)]

    def _why(self, width: int, space: int) -> list[Line]:
        lines: list[Line] = [[(f' cosmolet why {SUBJECT}', BOLD)]]
        for text in self.why.splitlines():
            indent = ' ' * (len(text) - len(text.lstrip()) + 1)
            lines += [[(line, PLAIN)] for line in textwrap.wrap(
                text.strip(), width - 1, initial_indent=indent, subsequent_indent=indent + '  ')]
        return lines[:space]

    def _footer(self, height: int) -> list[Line]:
        if self.note:
            return [[(f' {self.note}', RED)]]
        keys: Line = []
        for key, does in (('f', f'{POD} {"fails" if self._healthy() else "comes back"}'),
                          ('r', 'kill and restart cosmolet'),
                          ('w', 'back' if self.why else f'why {SUBJECT}'),
                          ('q', 'quit')):
            keys += [(f' {key} ', BOLD), (f'{does}  ', PLAIN)]
        if self.why and height < 32:
            return [[], keys]
        hands = [f'vi {RUN}/manifests/dns.yaml', f'{RUN}/tor/enter vtysh']
        if height >= 32:
            hands.append('container/demo/pod fail dns-1')
        words = ['or from a second terminal, as root:', *[''] * len(hands)]
        return [[], keys, *([(f' {word:<36} {hand}', DIM)] for word, hand in zip(words, hands))]

    def _healthy(self) -> bool:
        try:
            return is_ready(self.stage.manifests, POD)
        except Missing:
            return False


class Terminal:
    """A screen of our own; the terminal gets its old one back, whatever happens."""

    def __init__(self) -> None:
        self.colours = 'NO_COLOR' not in os.environ
        self.shown: list[str] = []
        self.shown_size = (0, 0)

    def __enter__(self) -> Terminal:
        self.saved = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        mode = termios.tcgetattr(sys.stdin)
        mode[6][termios.VSUSP] = b'\0'  # no Ctrl-Z: nobody would redraw
        termios.tcsetattr(sys.stdin, termios.TCSANOW, mode)
        self._write('\033[?1049h\033[?25l')
        return self

    def __exit__(self, *_: object) -> None:
        self._write('\033[?25h\033[?1049l')
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.saved)

    def size(self) -> tuple[int, int]:
        size = os.get_terminal_size(sys.stdout.fileno())
        return size.columns or 80, size.lines or 24

    def draw(self, lines: list[Line]) -> None:
        width, height = self.size()
        new = [self._render(line, width) for line in lines[:height]]
        out = ''
        if self.shown_size != (width, height):
            self.shown, self.shown_size, out = [], (width, height), '\033[2J'
        for row, (line, old) in enumerate(zip_longest(new, self.shown, fillvalue=''), 1):
            if line != old:
                out += f'\033[{row}H{line}\033[K'
        self.shown = new
        if out:
            self._write(out)

    def key(self, timeout: float) -> str:
        """The key that was pressed, if any. Those that send several characters (arrows) are none of ours."""
        if not select.select([sys.stdin], [], [], timeout)[0]:
            return ''
        pressed = os.read(sys.stdin.fileno(), 64).decode(errors='replace')
        return 'q' if not pressed else '' if pressed[0] == '\033' else pressed[0]

    def _render(self, line: Line, width: int) -> str:
        text = ''
        for piece, style in line:
            piece = piece[:width]
            width -= len(piece)
            text += f'\033[{style}m{piece}\033[m' if style and self.colours and piece.strip() else piece
        return text

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def pad(line: Line, width: int) -> Line:
    return [*line, (' ' * (width - sum(len(text) for text, _ in line)), PLAIN)]


def columns(rows: list[tuple[str, ...]], widths: tuple[int, ...]) -> list[str]:
    """Rows of text, each column as wide as this or as its widest cell; the last one has what is left."""
    widths = tuple(max(width, *(len(row[i]) for row in rows)) for i, width in enumerate(widths))
    return [' ' + ' '.join([*(f'{cell:<{width}}' for cell, width in zip(row, widths)), row[-1]]) for row in rows]


def _order(prefix: str) -> Any:
    network = ipaddress.ip_network(prefix)
    return network.version, network
