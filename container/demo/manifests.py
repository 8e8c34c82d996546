"""The edits that the demo makes in its manifests, on a key or by command: what a person would do in an editor."""
from __future__ import annotations

import os
import re
import time
from pathlib import Path

RUN = Path('/run/cosmolet-demo')  # leads to the directory of the running demo
READY = re.compile(r'(type: Ready, status: )"(\w+)"')


class Missing(Exception):
    """There is no such pod, or nothing that says whether it is ready."""


def is_ready(directory: Path, pod: str) -> bool:
    return _find(directory, pod)[3][2] == 'True'


def set_ready(directory: Path, pod: str, ready: bool) -> Path:
    """Returns the file that it changed. Its time is the moment of the change, exactly."""
    file, text, start, found = _find(directory, pod)
    begin, end = start + found.start(), start + found.end()
    new = directory.parent / f'.{file.name}.new'
    new.write_text(f'{text[:begin]}{found[1]}"{ready}"{text[end:]}')
    new.chmod(0o644)
    os.utime(new, ns=(time.time_ns(),) * 2)  # the kernel's own stamps tick in milliseconds
    new.replace(file)
    return file


def _find(directory: Path, pod: str) -> tuple[Path, str, int, re.Match[str]]:
    """The file, its text, and where in it the document of the pod begins and the readiness stands."""
    for file in sorted(directory.glob('*.yaml')):
        text, start = file.read_text(), 0
        for document in re.split(r'(?m)^(?=---$)', text):
            if re.search(r'(?m)^kind: Pod$', document) and re.search(rf'(?m)^  name: {re.escape(pod)}$', document):
                found = READY.search(document)
                if not found:
                    raise Missing(f'{file}: {pod} has no {{type: Ready, status: "…"}} in one line')
                return file, text, start, found
            start += len(document)
    raise Missing(f'no pod {pod} in {directory}')
