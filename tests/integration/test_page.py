"""The status page in a real browser, beside real FRR: what people see, and those who see it with their ears or their keys.

COSMOLET_SCREENSHOTS=DIRECTORY keeps what it looked like; of these the README has light.png and terminal.png.
"""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Iterator

import pytest
from browser import Browser
from cosmolet import Cosmolet, pod, service
from lab import TOR_V4, Lab
from sandbox import wait_until
from test_watch import Terminal

URL = 'http://127.0.0.1:9474/'
TAKEN = '10.96.7.7'
EVIL = '<img src=x onerror="document.title=1">'
SERVICES = {'web': 'shop', 'cart': 'shop', 'dns': 'kube-system', 'grafana': 'monitoring', 'smtp': 'mail', 'ldap': 'auth'}
ROWS = '[...document.querySelectorAll("#rows tr")]'
ADDRESSES = f'{ROWS}.map(row => row.dataset.address)'
# Counts what the page does: how often it looks into a text or a map (as it does twice to compare two rows), and what it changes.
COUNT = '''(() => {
  let work = 0;
  for (const [type, name] of [[String, 'includes'], [Map, 'get']]) {
    const real = type.prototype[name];
    type.prototype[name] = function (...given) { work++; return real.apply(this, given); };
  }
  const observer = new MutationObserver(() => 0);
  observer.observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true });
  window.measured = act => {
    observer.takeRecords();
    work = 0;
    act();
    return [work, observer.takeRecords().length, document.querySelectorAll('#rows tr').length];
  };
})()'''
# Text that is too pale for its background, by WCAG 2.1: 4.5 to 1, or 3 to 1 for large letters.
PALE = '''(() => {
  const light = text => text.match(/[\\d.]+/g).slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const paper = node => !node ? 'rgb(255,255,255)' : /, 0\\)$/.test(getComputedStyle(node).backgroundColor) ? paper(node.parentElement)
    : getComputedStyle(node).backgroundColor;
  return [...document.querySelectorAll('body *')].filter(node => node.checkVisibility() && !node.disabled
      && [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())).map(node => {
    const style = getComputedStyle(node), [a, b] = [light(style.color), light(paper(node))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), parseFloat(style.fontSize) >= 24 ? 3 : 4.5, node.outerHTML];
  }).filter(([contrast, least]) => contrast < least);
})()'''


class Stage:
    def __init__(self, lab: Lab, daemon: Cosmolet, browser: Browser) -> None:
        self.lab, self.daemon, self.browser = lab, daemon, browser

    def keep_terminal(self, terminal: Terminal, name: str) -> None:
        """A picture of it: a browser draws its text and colours."""
        text = '\n'.join(terminal.screen('\x1b{}m'))
        self.browser.open('about:blank')
        self.browser.run(f'''document.body.style.cssText = 'margin: 0; background: #14181d; color: #dde2e8';
          const screen = document.createElement('pre');
          screen.style.cssText = 'margin: 0; padding: 14px 16px; display: inline-block; font: 14px/19px "DejaVu Sans Mono", monospace';
          document.body.append(screen);
          for (const [, code, text] of ('\\x1b0m' + {json.dumps(text)}).matchAll(/\\x1b(\\d+)m([^\\x1b]*)/g)) {{
            const part = document.createElement('span');
            part.textContent = text;
            part.style.cssText = {{2: 'color: #9aa4ae', 7: 'background: #dde2e8; color: #14181d', 31: 'color: #ff7b72',
              32: 'color: #6fd08c', 33: 'color: #e3b341'}}[code] || '';
            screen.append(part);
          }}''')
        box = self.browser.run('document.querySelector("pre").getBoundingClientRect().toJSON()')
        self.browser.resize(int(box['width']) + 1, int(box['height']) + 1)
        self.keep(name)

    def pod(self, name: str, ready: bool) -> None:
        self.daemon.manifest(f'pod-{name}', pod(f'{name}-1', name, ready, namespace=SERVICES[name]))

    def keep(self, name: str) -> None:
        directory = os.environ.get('COSMOLET_SCREENSHOTS')
        if directory:
            self.browser.screenshot(Path(directory) / f'{name}.png')


@pytest.fixture(scope='module')
def stage(cosmolet: Path) -> Iterator[Stage]:
    with Lab() as lab:
        lab.node.run(['ip', 'address', 'add', f'{TAKEN}/32', 'dev', 'lo'], check=True)
        daemon = Cosmolet(lab.node, lab.directory / 'cosmolet', frr={'verify_bgp': 'on', 'verify_bgp_seconds': 1},
                          announce={'drain_seconds': 600})  # the page may look at it late
        daemon.manifest('services', service('legacy', [TAKEN]), pod('legacy-1', 'legacy'), service(EVIL, ['10.99.6.66']),
                        *(service(name, [f'10.96.{i}.10', f'fd00:96:{i}::10'], namespace) for i, (name, namespace) in enumerate(SERVICES.items())))
        try:
            daemon.start()
            made = Stage(lab, daemon, Browser(lab.sandbox, lab.node.namespace))
            for name in SERVICES:
                made.pod(name, True)
            made.pod('smtp', False)
            wait_until(lambda: list(daemon.states().values()).count('announced') == 10, 10, 'ten addresses', explain=daemon.tail)
            yield made
            made.browser.close()
        finally:
            daemon.close()


@pytest.fixture
def browser(stage: Stage) -> Iterator[Browser]:
    """The page as it opens, wide and light."""
    stage.browser.resize(1280, 900)
    stage.browser.prefer('light')
    stage.browser.open('about:blank')
    stage.browser.events.clear()
    stage.browser.open(URL)
    stage.browser.wait(f'{ROWS}.length')
    yield stage.browser
    assert stage.browser.complaints() == []


def test_what_it_shows(stage: Stage, browser: Browser) -> None:
    browser.wait(f'{ROWS}[0].innerText.includes({TOR_V4!r})')
    text = browser.run('document.body.innerText')
    for words in ('node-1', 'live', 'connected, FRR 8.2-9.0', 'synced', '10 of 11 routes confirmed', 'zebra has: connected',
                  'no pods', 'smtp-1: not Ready', 'median', '2 of 2 sessions up, '):
        assert words.lower() in text.lower(), f'{words} is not in:\n{text}'
    assert re.search(r'2 of 2 sessions up, \d+ s ago', text, re.I)
    row = browser.run(f'{ROWS}.map(row => row.innerText.split(/\\s*\\t\\s*/)).find(row => row[0] == "10.96.0.10")')
    assert row[:3] == ['10.96.0.10', 'announced', 'shop/web'] and re.fullmatch(r'\d+ (s|min)', row[3])
    assert row[4:] == ['IPv4', '4711', 'redistributed', TOR_V4, '1 of 1 pods on this node are ready']

    # A change arrives by itself, and stands in the timeline as one.
    stage.pod('web', False)
    wait_latest(browser, 'shop/web: 0 of 1 pods', '10.96.0.10 and 1 other', 'announced → down')
    stage.pod('web', True)
    wait_latest(browser, 'shop/web: 1 of 1 pods', '10.96.0.10 and 1 other', 'down → announced')
    assert browser.run('document.querySelectorAll("#spark rect").length') >= 4
    stage.keep('light')
    browser.prefer('dark')
    stage.keep('dark')

    # The reason in full, as `cosmolet why` has it, when nothing changes any more but the seconds.
    wait_until(lambda: 'it is advertised' in stage.daemon.get('/why?q=10.96.0.10')[1], 10, 'bgpd to advertise it again')
    browser.run('document.querySelector("#rows a").click()')
    browser.wait('document.getElementById("text").textContent.includes("shop/web")')
    shown, told = browser.run('document.getElementById("text").textContent'), stage.daemon.command('why', '10.96.0.10').stdout.strip()
    assert re.sub(r'\d+ s ago', '', shown) == re.sub(r'\d+ s ago', '', told)
    browser.press('Escape')
    assert not browser.run('document.getElementById("dialog").open')

    # What has the drain tag is announced, and looks like it.
    assert stage.daemon.process
    stage.daemon.process.send_signal(signal.SIGUSR1)
    browser.wait('document.querySelectorAll("#rows span.draining").length == 10')
    assert browser.run('document.querySelector("#rows span.draining").textContent') == 'draining'
    stage.daemon.process.send_signal(signal.SIGUSR2)
    browser.wait('document.querySelectorAll("#rows span.draining").length == 0')


def wait_latest(browser: Browser, *words: str) -> None:
    """Until the first entry of the timeline has all of them: it is written anew while more is known."""
    browser.wait(f'{json.dumps(words)}.every(words => document.querySelector("#timeline li")?.innerText.includes(words))')


def test_the_terminal_shows_the_same(stage: Stage, browser: Browser) -> None:
    """The page and `status -w -o wide`, side by side."""
    terminal = Terminal(stage.daemon, 'status', '-w', '-o', 'wide', rows=24, columns=160)
    try:
        terminal.wait('1-14 of 14')
        shown = browser.run(f'{ROWS}.map(row => [row.dataset.address, ...[".state", ".service"].map(c => row.querySelector(c).textContent)])')
        told = [re.split('  +', line) for line in terminal.screen() if line.startswith(('10.', 'fd'))]
        assert len(shown) == len(told) == 14
        for (address, state, owner), cells in zip(shown, told):
            assert cells[:2] == [address, state] and owner.startswith(cells[-2].removesuffix('...'))
        terminal.type('/10.96.\r')
        terminal.wait('/10.96.  7 lines')
        terminal.resize(16, 160)
        wait_until(lambda: terminal.screen()[-1].startswith('/10.96.'), 20, 'the last line to be the last')
        stage.keep_terminal(terminal, 'terminal')
        terminal.type('q')
        assert terminal.process.wait(20) == 0
    finally:
        terminal.close()


def test_nothing_from_outside(stage: Stage, browser: Browser) -> None:
    """No name becomes markup, no script but the page's own runs, and nobody else is asked."""
    assert EVIL in browser.run('document.getElementById("rows").innerText')
    assert browser.run('document.images.length') == 0 and 'cosmolet' in browser.run('document.title')
    browser.run(f'{ROWS}.find(row => row.dataset.address == "10.99.6.66").querySelector("a").click()')
    browser.wait(f'document.getElementById("text").textContent.includes({EVIL!r})')
    assert browser.run('document.images.length') == 0
    browser.run('document.getElementById("dialog").close()')
    browser.open(f'{URL}#q=%3Cimg%20src%3Dx%3E&sort=__proto__&state=%22%3E&page=-7')
    browser.open(URL)
    assert {re.sub(r'[?#].*', '', url) for url in browser.requests()} <= {URL, f'{URL}status', f'{URL}why', 'about:blank'}
    # The browser itself refuses what is not in the policy.
    for attempt in ('document.body.append(Object.assign(document.createElement("script"), {text: "window.broken = 1"}))',
                    'document.body.insertAdjacentHTML("beforeend", "<b onclick=\'window.broken = 1\'>x</b>"), document.body.lastChild.click()',
                    'fetch("http://192.0.2.2/").then(() => window.broken = 1, () => 0)'):
        browser.run(attempt)
    assert browser.run('window.broken') is None
    assert len(browser.complaints()) >= 3
    assert all('Content Security Policy' in complaint for complaint in browser.complaints())
    browser.events.clear()
    assert len(stage.daemon.get('/')[1].encode()) <= 32 * 1024


def test_filter_and_sort_by_keys_alone(browser: Browser) -> None:
    everything = browser.run(ADDRESSES)
    browser.press('/')
    browser.type('mail ipv6')
    assert browser.run(ADDRESSES) == ['fd00:96:4::10']
    assert browser.run('document.getElementById("told").textContent') == '1 of 14 addresses'
    for _ in 'mail ipv6':
        browser.press('Backspace')
    assert browser.run(ADDRESSES) == everything

    heads = '[...document.querySelectorAll("#heads th")].map(head => head.getAttribute("aria-sort"))'
    assert browser.run(heads)[0] == 'ascending'
    while browser.run('document.activeElement.textContent') != 'Service':
        browser.press('Tab')
    assert browser.run('getComputedStyle(document.activeElement).outlineStyle') == 'solid'
    browser.press('Enter')
    assert browser.run(f'{ROWS}[0].querySelector(".service").textContent') == 'auth/ldap'
    browser.press('Enter')
    assert browser.run(f'{ROWS}[0].querySelector(".service").textContent') == 'shop/web'
    assert browser.run(heads)[2] == 'descending' and browser.run(heads).count(None) == len(browser.run(heads)) - 1

    # A link to what one looks at.
    browser.run('[...document.querySelectorAll("#states button")].find(b => b.textContent.startsWith("down")).click()')
    shown = browser.run(ADDRESSES)
    assert 0 < len(shown) < len(everything)
    browser.call('Page.reload')
    browser.wait(f'{ROWS}.length == {len(shown)}')
    assert browser.run(ADDRESSES) == shown


def test_a_refresh_disturbs_nobody(stage: Stage, browser: Browser) -> None:
    browser.resize(900, 500)
    browser.press('/')
    browser.type('ipv4')
    browser.run(f'{ROWS}.find(row => row.dataset.address == "10.96.2.10").querySelector("a").focus()')
    browser.run('window.scrollTo(0, 700)')
    place = browser.run('[scrollY, document.activeElement.textContent]')
    assert place[0] > 100 and place[1] == '10.96.2.10'
    row = 'document.activeElement.closest("tr").innerText'
    stage.pod('dns', False)
    browser.wait(f'{row}.includes("dns-1: not Ready")')
    stage.pod('dns', True)
    browser.wait(f'{row}.includes("redistributed")')
    assert browser.run('document.activeElement.textContent') == '10.96.2.10'
    assert browser.run('document.getElementById("filter").value') == 'ipv4'
    assert len(browser.run(ADDRESSES)) == 8
    assert abs(browser.run('scrollY') - place[0]) < 60


def test_for_everybody(stage: Stage, browser: Browser) -> None:
    """On a phone, in the dark, by a screen reader."""
    for width in (360, 768, 900, 1160, 1280):
        browser.resize(width, 780, phone=width < 400)
        for scheme in ('light', 'dark'):
            browser.prefer(scheme)
            assert browser.run('document.documentElement.scrollWidth') <= width
            assert browser.run(PALE) == []
            nodes = browser.accessibility()
            tables = [node for node in nodes if node['role'] == 'table']
            assert [table['name'].capitalize() for table in tables] == ['Addresses']
            assert [node['name'].rstrip(' ↑').lower() for node in nodes if node['role'] == 'columnheader'] == [
                'address', 'state', 'service', 'since', 'family', 'tag', 'zebra', 'bgp neighbours', 'why']
            assert sum(node['role'] == 'rowheader' for node in nodes) == 14
            assert all(node['name'] for node in nodes if node['role'] in ('button', 'link', 'searchbox', 'image', 'heading'))
            assert any(node['role'] == 'alert' for node in nodes) and any(node['role'] == 'status' for node in nodes)
        stage.keep(f'width-{width}')


def test_where_nothing_is_wrong(browser: Browser) -> None:
    """What then stands in place of a list is a line across it, and of seconds that pass nobody is told aloud."""
    browser.run('take = () => {}')  # what the daemon says does not come between
    for text, act in (('Every address is announced.', 'list = list.filter(a => a.state == "announced"); draw()'),
                      ('No service has an address.', 'list = []; draw()')):
        browser.run(act)
        assert browser.run('document.querySelector("#not p").innerText') == text
        assert browser.run('document.querySelector("#not p").getBoundingClientRect().height') < 30
    for seconds in (7, 8):
        browser.run(f'status.problems = ["the API server is away since {seconds} s: what was known"]; draw()')
        assert f'since {seconds} s' in browser.run('document.getElementById("alerts").innerText')
        assert 'is away since some time: what' in browser.run('document.getElementById("alarm").textContent')


@pytest.fixture
def token(stage: Stage, browser: Browser) -> Iterator[Path]:
    """A file whose token the daemon asks for."""
    file = stage.daemon.directory / 'token'
    file.write_text('secret-of-the-page')
    browser.open('about:blank')  # the page would ask, and complain, while the parts are made anew and nobody listens
    stage.daemon.settings['http']['token_file'] = str(file)
    stage.daemon.write_config()
    wait_until(lambda: stage.daemon.get('/status')[0] == 401, 10, 'the token to be asked for')
    yield file
    del stage.daemon.settings['http']['token_file']
    stage.daemon.write_config()
    wait_until(lambda: stage.daemon.get('/status')[0] == 200, 10, 'no token to be asked for')
    browser.run('sessionStorage.clear()')
    # The browser's own complaints of these moments are right.
    browser.events[:] = [event for event in browser.events if '401' not in str(event)]


def test_with_a_token(stage: Stage, browser: Browser, token: Path) -> None:
    """The page is for everybody, what it shows is not; it asks, and one can answer by ear and by keys."""
    browser.open(URL)
    browser.wait('document.activeElement.id == "token"')
    assert not browser.run('document.querySelector("main").checkVisibility()') and browser.run(PALE) == []
    field = next(node for node in browser.accessibility() if node['role'] == 'textbox')
    assert field['name'].capitalize() == 'Token' and field['required']
    stage.keep('token')
    browser.type('wrong')
    browser.press('Enter')
    browser.wait('document.getElementById("wrong").textContent.startsWith("That is not the token")')
    assert browser.run(PALE) == []
    browser.type('secret-of-the-page')
    browser.press('Enter')
    browser.wait(f'{ROWS}.length')
    assert not browser.run('document.getElementById("ask").checkVisibility()')
    browser.run('document.querySelector("#rows a").click()')
    browser.wait('document.getElementById("text").textContent.includes("announced")')
    browser.press('Escape')
    assert 'secret' not in browser.run('location.href + document.documentElement.outerHTML + localStorage.length')
    browser.call('Page.reload')
    browser.wait(f'{ROWS}.length')  # this tab knows it still
    other = token.with_suffix('.new')  # in one move: of a file without a token it says something else
    other.write_text('another')
    other.rename(token)
    browser.wait('document.activeElement.id == "token"')


def test_ten_thousand(stage: Stage, browser: Browser) -> None:
    """A key or a click costs a few looks at each address, and not at each pair of them; and changes no more than what is seen."""
    stage.daemon.manifest('many', *(service(f'm{i}', [f'10.100.{i // 250}.{i % 250 + 1}'], 'many') for i in range(10000)))
    browser.wait('document.getElementById("where").textContent.includes("10,014")')
    assert browser.run(f'{ROWS}.length') == 100
    stage.keep('many')
    browser.run(COUNT)
    filters = browser.run('''['1', 'm7', 'm77', '10.100.3', 'nothing', 'many', ''].map(words => measured(() => {
      const field = document.getElementById('filter');
      field.value = words;
      field.dispatchEvent(new Event('input'));
    }))''')
    sorts = browser.run('''[...document.querySelectorAll("#heads button")].flatMap(head => [head, head])
      .map(head => measured(() => head.click()))''')
    print('looks, changes, rows:', filters, sorts)
    assert [rows for *_, rows in filters] == [100, 100, 100, 100, 0, 100, 100]
    assert len(sorts) >= 10 and all(rows == 100 for *_, rows in sorts)
    assert 2 * 10_014 < max(work for work, *_ in filters) < 5 * 10_014
    assert 2 * 10_014 < max(work for work, *_ in sorts) < 30 * 10_014
    assert max(changes for _, changes, _ in filters + sorts) < 100 * 20
    browser.run('document.querySelector("#heads button").click()')
    browser.run('document.getElementById("next").click()')
    assert browser.run('document.getElementById("where").textContent') == '101 – 200 of 10,014'
    assert browser.run(f'{ROWS}.length') == 100
    (stage.daemon.manifests / 'many.json').unlink()
    browser.wait('document.getElementById("where").textContent == "1 – 14 of 14"')


def test_the_daemon_goes_and_comes_back(stage: Stage, browser: Browser) -> None:
    stage.lab.node.kill('zebra')
    browser.wait('document.getElementById("alerts").innerText.includes("is not connected")')
    stage.lab.node.start('zebra')
    browser.wait('document.getElementById("alerts").innerText == "" || document.getElementById("alerts").innerText.includes("restart bgpd")')
    rows = browser.run(ADDRESSES)
    stage.daemon.kill()
    browser.wait('document.getElementById("alerts").innerText.startsWith("The daemon does not answer.")')
    assert browser.run('document.getElementById("pulse").textContent').startswith('no answer for ')
    assert browser.run(ADDRESSES) == rows
    stage.keep('away')
    stage.daemon.start()
    browser.wait('!document.body.classList.contains("away")')
    assert browser.run('document.getElementById("told").textContent') == 'The daemon answers again.'
    assert 'does not answer' not in browser.run('document.body.innerText')
    # The browser's own complaints of these moments are right.
    browser.events[:] = [event for event in browser.events
                         if not re.search('ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE|CONTENT_LENGTH_MISMATCH)', str(event))]
