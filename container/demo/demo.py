"""The demo's front door, opened by `run`: sets the stage, and hands it to a screen with keys or to a told story."""
from __future__ import annotations

import argparse
import os
import signal
import sys

import screen
import story
from stage import RELEASES, ReleaseMissing, Stage


def play(release: str, alone: bool) -> int:
    print(f'demo: starting FRR {release} twice: the node, and the ToR at its uplink', file=sys.stderr)
    with Stage(release, os.environ['COSMOLET']) as stage:
        if alone:
            return story.tell(stage)
        if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get('TERM', 'dumb') != 'dumb':
            screen.show(stage)
        else:
            story.report(stage)
    print('demo: all of it is gone again', file=sys.stderr)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--frr', default='8.4', choices=RELEASES)
    parser.add_argument('--yes', '--scripted', action='store_true')
    arguments = parser.parse_args()

    # Whatever ends us, everything is taken down first.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    try:
        sys.exit(play(arguments.frr, arguments.yes))
    except KeyboardInterrupt:
        sys.exit(130)
    except (ReleaseMissing, OSError, RuntimeError) as error:
        sys.exit(f'demo: {error}')


if __name__ == '__main__':
    main()
