"""A real dashboard and a real browser: headless Chromium on a server with a home of its own."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, expect, sync_playwright

from tests import filled_project
from tests.dashboard_server import Dashboard, dashboard

expect.set_options(timeout=120_000)  # a wait ends as soon as it may; the machine may be busy with anything
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SYSTEM_CHROMIUM = Path("/usr/bin/chromium")
# Streamlit looks for its server below the page's own path first, which a browser reports as an error.
EXPECTED_CONSOLE = ("/_stcore/health", "/_stcore/host-config")
# What axe finds in Streamlit itself, on any page; everything else is ours.
STREAMLIT_FINDINGS = {"list", "listitem", "svg-img-alt", "scrollable-region-focusable"}


@dataclass
class Watch:
    """What a page did besides showing itself."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        """Keep errors, but for those Streamlit makes on every deep link."""
        where = message.location.get("url", "") if message.location else ""
        # A reload in the middle of a look at the server's health, or a busy machine: Streamlit complains and tries again.
        is_health = any(words in message.text for words in ("/_stcore/health", "Streamlit server is not responding"))
        if message.type == "error" and not where.endswith(EXPECTED_CONSOLE) and not is_health:
            self.errors.append(f"{message.text} ({where})")

    def on_request(self, request: Request) -> None:
        """Keep requests that leave this machine."""
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in {"127.0.0.1", "localhost"}:
            self.foreign.append(request.url)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or the one playwright installed."""
    path = str(SYSTEM_CHROMIUM) if SYSTEM_CHROMIUM.exists() else None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard whose home holds one project with a finished and a running training."""
    home = tmp_path_factory.mktemp("server") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AYAR_HOME", str(home))
        filled_project.fill("Handbook", live_run=True)
    with dashboard(home) as running:
        yield running


@dataclass
class Window:
    """A window of one size and colour: like a person's, it has read the dashboard's scripts once, and its tabs are used again."""

    context: BrowserContext
    idle: list[Page] = field(default_factory=list)

    def tab(self) -> Page:
        """An empty tab."""
        return self.idle.pop() if self.idle else self.context.new_page()

    def take_back(self, page: Page) -> None:
        """Keep the tab for another test, at a place of the same site: elsewhere, a new process would read the scripts again."""
        try:
            page.goto(f"{page.evaluate('location.origin')}/_stcore/health")
        except Error:  # its server has ended
            page.close()
        else:
            self.idle.append(page)


@pytest.fixture(scope="session")
def windows(chromium: Browser) -> Iterator[dict[tuple[int, int, bool], Window]]:
    """A window of each size and colour that tests asked for."""
    opened: dict[tuple[int, int, bool], Window] = {}
    yield opened
    for window in opened.values():
        window.context.close()


@pytest.fixture
def open_tab(chromium: Browser, windows: dict[tuple[int, int, bool], Window]) -> Iterator[Callable[..., Page]]:
    """`open_tab(url, width=1366, dark=False)`: a tab of its own; errors and foreign requests fail the test at its end.

    With `watched=False` errors are allowed, for a page whose server is about to die. What a page keeps in the browser is gone
    with the test.
    """
    watch, tabs = Watch(), list[tuple[Window, Page, dict[str, Callable[..., None]]]]()

    def open_one(url: str, *, width: int = 1366, height: int = 900, dark: bool = False, watched: bool = True) -> Page:
        look = (width, height, dark)
        if look not in windows:
            scheme = "dark" if dark else "light"
            windows[look] = Window(
                chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            )
            windows[look].context.set_default_timeout(120_000)
        page, listeners = windows[look].tab(), {"request": watch.on_request}
        if watched:
            listeners |= {"console": watch.on_console, "pageerror": lambda error: watch.errors.append(str(error))}
        for event, listener in listeners.items():
            page.on(event, listener)
        tabs.append((windows[look], page, listeners))
        page.goto(url)
        settle(page)
        return page

    yield open_one
    for window, page, listeners in tabs:
        if not page.is_closed():
            page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
            for event, listener in listeners.items():
                page.remove_listener(event, listener)
            window.take_back(page)
        window.context.clear_cookies()
    assert not watch.foreign, "the page asked other hosts"
    assert not watch.errors, "errors in the browser's console"


def settle(page: Page) -> None:
    """Wait until the page has a heading and its script has ended."""
    page.wait_for_selector("h1, h2, h3", timeout=120_000)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=120_000)


def until(page: Page, condition: str, timeout_s: float = 120.0) -> None:
    """Wait until a JavaScript expression is true. Playwright's own waiting evaluates text, which our policy forbids."""
    end = time.monotonic() + timeout_s
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not within {timeout_s} s: {condition}"
        page.wait_for_timeout(100)


def eventually(page: Page, condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Wait until something outside the browser is true: a press has reached the database, say."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not within {timeout_s} s; the page says: {page.inner_text('body')[-2000:]}"
        page.wait_for_timeout(100)


def accessibility_problems(page: Page, *, dark: bool = False) -> list[str]:
    """What axe finds against WCAG 2 A and AA, besides Streamlit's own findings.

    In the dark, Streamlit writes on buttons in white and on the chosen segment in the accent colour itself; no accent has
    4.5:1 both ways on a dark page, so the segments are left out there.
    """
    options = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}}
    context = {"exclude": [['[data-testid="stButtonGroup"]']]} if dark else None
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found
        if one["id"] not in STREAMLIT_FINDINGS
    ]


def screenshot(page: Page, name: str) -> None:
    """Keep a picture where SCREENSHOTS says, for whoever wants to look; nothing without it."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
