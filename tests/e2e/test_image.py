"""What can be seen of the image without building it: its packages are those that the daemon needs, its SBOM says them all.

Nothing here builds the image; that takes a base image and minutes (container/Containerfile says how).
"""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from fixtures import REPOSITORY

CONTAINERFILE = REPOSITORY / 'container' / 'Containerfile'
SBOM = REPOSITORY / 'container' / 'sbom'
BUILD_ONLY = {'check', 'git', 'ca-certificates'}  # of tests/setup build: for the tests


def run(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def installed() -> list[set[str]]:
    """The packages that each stage installs."""
    text = CONTAINERFILE.read_text().replace('\\\n', ' ')
    return [set(found.split()) for found in re.findall(r'--no-install-recommends([^&\n]*)', text)]


def test_its_libraries(cosmolet: Path) -> None:
    """Each library that the daemon is linked to, and no other."""
    needed = re.findall(r'NEEDED.*\[(.*)\]', run('readelf', '-d', cosmolet))
    packages = {run('dpkg-query', '-S', f'*/{name}').partition(':')[0] for name in needed}
    assert 'libcurl4' in packages
    assert installed()[1] == packages - {'libc6'} | {'ca-certificates'}


def test_what_builds_it() -> None:
    """What tests/setup installs for the same purpose."""
    found = re.search(r'^build=\(([^)]*)\)', (REPOSITORY / 'tests' / 'setup').read_text(), re.M)
    assert found
    assert installed()[0] - {'python3'} == set(found[1].split()) - BUILD_ONLY - {'python3'}


def test_its_sources() -> None:
    """All that meson reads without the tests is copied."""
    copied = {word for line in re.findall(r'^COPY (?!--)(.*) \S+$', CONTAINERFILE.read_text(), re.M) for word in line.split()}
    text = (REPOSITORY / 'meson.build').read_text()
    rooms = {name.partition('/')[0] for name in re.findall(r"(?:subdir|include_directories)\('([^']+)'", text)} - {'tests'}
    assert copied == rooms | {'meson.build', 'meson_options.txt'}


def test_its_bill_of_materials() -> None:
    text = run('sh', SBOM, '1.2.3')
    assert run('sh', SBOM, '1.2.3') == text, 'the same packages, the same bytes'
    bill = json.loads(text)
    packages = {package['name']: package for package in bill['packages']}
    libc = run('dpkg-query', '-W', '-f', '${Version}', 'libc6')
    assert bill['spdxVersion'] == 'SPDX-2.3' and packages['cosmolet']['versionInfo'] == '1.2.3'
    assert packages['libc6']['versionInfo'] == libc
    ids = [package['SPDXID'] for package in bill['packages']]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r'SPDXRef-[A-Za-z0-9.-]+', each) for each in ids)
    assert {each['relatedSpdxElement'] for each in bill['relationships']} == set(ids) - {'SPDXRef-cosmolet'}
