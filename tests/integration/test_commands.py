"""The commands in the documents are called rightly: the program is there, and knows each word that begins with a dash.

What costs nothing is asked of the programs themselves: a call with --help added, of which argparse has seen all that is before it.
What the newcomer's walk holds is run in test_newcomer.py.
"""
from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest
from fixtures import REPOSITORY

sys.path.insert(0, str(REPOSITORY / 'tests'))
import suites  # noqa: E402

DOCUMENTS = sorted([*REPOSITORY.glob('*.md'), *(REPOSITORY / 'container').rglob('*.md')])
VARIABLE = re.compile('[A-Z_]+=')
OURS = ('tests/', 'container/')
OTHERS = ('cosmolet', 'meson', 'kubectl', 'helm', 'buildah')


def lines_of(text: str) -> Iterator[str]:
    """Lines of the shell's blocks, what follows a prompt in others, code in running text, and benches that are only named."""
    fence = re.compile(r'^```(\w*)\n(.*?)^```', re.M | re.S)
    for kind, block in fence.findall(text):
        for line in block.replace('\\\n', ' ').splitlines():
            if kind == 'sh' or line.startswith('$ '):
                yield line.removeprefix('$ ')
    yield from (code.replace('\n', ' ') for code in re.findall('`([^`]+)`', fence.sub('', text)))
    yield from (f'tests/bench/{name}' for name in re.findall(r'(?<!/)\bbench_\w+\.py', text))


def calls() -> Iterator[tuple[str, list[str]]]:
    """Each command as it stands there, and its words without what is before it and the remark behind it."""
    for line in {line: None for path in DOCUMENTS for line in lines_of(path.read_text())}:
        for part in re.split(' && | -- ', re.sub(r'\s#\s.*', '', line)):
            words = [word.removeprefix('./') for word in part.split() if word != 'sudo' and not VARIABLE.match(word)]
            if words and (words[0].startswith(OURS) or len(words) > 1 and words[0] in OTHERS):
                yield part, words


@functools.cache
def told(program: Path, *words: str) -> str:
    """What a program says of its options, by --help or at its head."""
    text = program.read_bytes()
    if b'argparse' in text or text.startswith(b'\x7fELF'):
        return subprocess.run([program, *words, '--help'], check=True, stdout=subprocess.PIPE, text=True).stdout
    return text.decode().split('"""')[1] if b'"""' in text else text.decode().partition('\n\n')[0]


def unknown(help_text: str, words: list[str]) -> list[str]:
    options = [word.partition('=')[0] for word in words if word.startswith('-')]
    return [option for option in options if not re.search(rf'(?<![\w-]){option}(?![\w-])', help_text)]


def is_script(word: str) -> bool:
    path = REPOSITORY / word
    return word.startswith(OURS) and path.is_file() and path.read_bytes().startswith(b'#!')


def test_the_documents_call_rightly(cosmolet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    usage = told(cosmolet)
    options = {option['name'] for option in json.loads((cosmolet.parent / 'meson-info/intro-buildoptions.json').read_text())}
    for part, words in calls():
        print(part)  # the last one is what a failure is about
        paths = [path for word in words if (path := word.rpartition('=')[2]).startswith(OURS)]
        assert [path for path in paths if not (REPOSITORY / path).exists()] == []
        if words[0] == 'cosmolet':
            line = re.search(rf'^  cosmolet {words[1]} .*', usage, re.M)
            assert line and not unknown(line[0], words)
        elif words[0] == 'meson':
            assert {word[2:].partition('=')[0] for word in words if word.startswith('-D')} <= options
        elif words[0] == 'tests/run' and '--help' not in words:
            monkeypatch.setattr(sys, 'argv', words)
            suites.parse_arguments()
        elif is_script(words[0]):
            assert not unknown(told(REPOSITORY / words[0], *words[1:]), words)
        seen.add(words[0])
    assert {'tests/run', 'tests/lab/lab.py', 'tests/fuzz/record.py', 'tests/scenario/test_model.py', 'cosmolet', 'meson'} <= seen
    assert {word for word in seen if word.startswith('tests/bench/')} == \
        {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / 'tests/bench').glob('bench_*.py')}
    variables = {name for path in DOCUMENTS for name in re.findall(r'([A-Z_]+)=\S+ tests/', path.read_text())}
    text = ''.join(path.read_text() for path in (REPOSITORY / 'tests').rglob('*.py'))
    assert variables and variables <= set(re.findall(r"environ(?:\[|\.get\()'(\w+)'", text))
