"""A real browser, headless Chromium, driven over a pair of pipes by the protocol of its own developer tools."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from sandbox import Sandbox, wait_until

CHROMIUM = '/usr/bin/chromium-headless-shell'
KEYS = {'Tab': 9, 'Enter': 13, 'Escape': 27, 'Backspace': 8}


def _move(fd: int) -> int:
    """The same file under a number that is in nobody's way."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved


class Browser:
    """One page, in a network namespace of a sandbox, so that it sees what a user of that machine would."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        there, self._out = os.pipe()
        self._in, here = os.pipe()
        there, here = (_move(fd) for fd in (there, here))
        self._profile = tempfile.TemporaryDirectory(prefix='chromium-', dir=sandbox.directory, ignore_cleanup_errors=True)
        # Chromium reads from descriptor 3 and writes to 4.
        self._process = sandbox.popen(namespace, [
            'bash', '-c', f'exec "$@" 3<&{there} 4>&{here}', 'chromium', CHROMIUM, '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu',
            '--no-first-run', '--disable-dev-shm-usage', '--force-color-profile=srgb', f'--user-data-dir={self._profile.name}'],
            pass_fds=(there, here), stderr=open(sandbox.directory / 'chromium.log', 'ab'))
        os.close(there)
        os.close(here)
        self._buffer = b''
        self._count = 0
        self._session = ''
        self.events: list[dict[str, Any]] = []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')

    def close(self) -> None:
        os.close(self._out)  # its end for Chromium
        self._process.wait(20)
        os.close(self._in)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._count += 1
        message = {'id': self._count, 'method': method, 'params': parameters, **({'sessionId': self._session} if self._session else {})}
        os.write(self._out, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._receive()
            if answer.get('id') == self._count:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']
            self.events.append(answer)

    def _receive(self) -> Any:
        while b'\0' not in self._buffer:
            more = os.read(self._in, 1 << 20)
            if not more:
                raise ConnectionError('Chromium has gone')
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b'\0')
        return json.loads(text)

    # What a user does

    def open(self, url: str) -> None:
        self.call('Page.navigate', url=url)
        wait_until(lambda: self.run('document.readyState') == 'complete', 20, f'{url} to be loaded')

    def run(self, expression: str) -> Any:
        """The value of an expression in the page; promises are waited for."""
        answer = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in answer:
            raise RuntimeError(f'{expression}: {answer["exceptionDetails"]}')
        return answer['result'].get('value')

    def wait(self, expression: str) -> Any:
        """The status page asks every half minute at least, however slow the machine is."""
        return wait_until(lambda: self.run(expression), 60, expression, 0.05, explain=lambda: self.run('document.body.innerText')[:2000])

    def resize(self, width: int, height: int, phone: bool = False) -> None:
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def prefer(self, scheme: str) -> None:
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])

    def press(self, key: str) -> None:
        text = {'Enter': '\r'}.get(key, key if len(key) == 1 else '')
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, text=text if kind == 'keyDown' else '',
                      code=key, windowsVirtualKeyCode=KEYS.get(key, ord(key[0].upper())))

    def type(self, text: str) -> None:
        for letter in text:
            self.press(letter)

    def screenshot(self, path: Path, whole: bool = False) -> None:
        answer = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=whole, **({'clip': self._whole()} if whole else {}))
        path.write_bytes(base64.b64decode(answer['data']))

    def _whole(self) -> dict[str, float]:
        size = self.call('Page.getLayoutMetrics')['cssContentSize']
        return {'x': 0, 'y': 0, 'width': size['width'], 'height': size['height'], 'scale': 1}

    # What it noticed

    def complaints(self) -> list[str]:
        """Errors of scripts and of the browser (a policy that was violated, a file that is missing)."""
        time.sleep(0.05)
        self.run('0')
        return [json.dumps(event['params']) for event in self.events
                if event['method'] == 'Runtime.exceptionThrown'
                or event['method'] == 'Log.entryAdded' and event['params']['entry']['level'] == 'error']

    def requests(self) -> list[str]:
        return [event['params']['request']['url'] for event in self.events if event['method'] == 'Network.requestWillBeSent']

    def accessibility(self) -> list[dict[str, Any]]:
        """The page as a screen reader is told of it: role, name and properties of each node."""
        nodes = self.call('Accessibility.getFullAXTree')['nodes']
        return [{'role': node['role']['value'], 'name': node.get('name', {}).get('value', ''),
                 **{p['name']: p['value'].get('value') for p in node.get('properties', [])}}
                for node in nodes if not node.get('ignored')]
