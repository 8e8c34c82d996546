"""A terminal with one of cosmolet's commands in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios

from cosmolet import Cosmolet
from sandbox import wait_until

DRAWN = re.compile(r'.*\x1b\[7m[^\x1b]*\x1b\[0m\x1b\[K', re.S)  # to the end of a last line
LEAVE = '\x1b[?25h\x1b[?1049l'


class Terminal:
    """A pseudo-terminal with a command in it. screen() is what a person would see, as far as cosmolet's sequences go."""

    def __init__(self, daemon: Cosmolet, *arguments: str, rows: int, columns: int, **environment: str) -> None:
        self.master, self.slave = pty.openpty()
        self.rows, self.columns = rows, columns
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.raw = ''
        self.process = daemon.node.popen([str(daemon.binary), *arguments], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                         start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                         env={**os.environ, 'TERM': 'xterm', **environment})

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))  # and SIGWINCH

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self) -> str:
        while select.select([self.master], [], [], 0)[0]:
            self.raw += os.read(self.master, 65536).decode()
        return self.raw

    def screen(self, colour: str = '') -> list[str]:
        """The lines after the last whole drawing; with what colour is made of for a change of it, where there is one."""
        drawn = DRAWN.match(self.read())
        lines = [''] * (self.rows + 1)
        row = 0
        for sequence, text in re.findall(r'(?:\x1b\[([\d;?]*[A-Za-z]))?([^\x1b]*)', drawn[0] if drawn else ''):
            kind, numbers = sequence[-1:], sequence[:-1]
            if kind == 'H':
                row = int(numbers.split(';')[0])
                if row < len(lines):
                    lines[row] = ''
            elif kind == 'J':
                lines[row:] = [''] * (len(lines) - row)
            if row < len(lines):
                lines[row] += (colour.format(numbers) if kind == 'm' else '') + text
        return [line.rstrip() for line in lines[1:]]

    def wait(self, words: str, timeout: float = 20) -> list[str]:
        wait_until(lambda: any(words in line for line in self.screen()), timeout, f'"{words}" on the screen', 0.05,
                   explain=lambda: '\n'.join(self.screen()))
        return self.screen()

    def is_as_before(self) -> bool:
        """After the end of the process: what it wrote last may be on its way."""
        wait_until(lambda: LEAVE in self.read(), 10, 'the screen to be left')
        return (termios.tcgetattr(self.slave) == self.before
                and self.raw.rindex('\x1b[?1049l') > self.raw.rindex('\x1b[?1049h')
                and self.raw.rindex('\x1b[?25h') > self.raw.rindex('\x1b[?25l'))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
