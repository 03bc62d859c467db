"""How fast the dashboard is with 100,000 questions and 1,000,000 metric rows in the project.

    python -m tests.benchmarks.dashboard

Prints one JSON object: seconds from process start to healthy, from navigation in a cold browser to the page's heading, and
from a click on a page's link to that page's heading, the first time and again; the limits stand beside them.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import filled_project
from tests.browser.conftest import ARGUMENTS, SYSTEM_CHROMIUM, settle
from tests.dashboard_server import Dashboard, dashboard

NUM_PAIRS, NUM_STEPS = 100_000, 330_000  # three metrics a step, so about a million rows
LIMITS_S = {"healthy": 4.0, "heading in a cold browser": 3.0, "page switch, seen before": 1.0}
LINKS = ("Corpus", "Questions", "Review", "Train", "Runs", "Compare", "Playground", "Models", "Settings")


def main() -> None:
    """Fill a home, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ["AYAR_HOME"] = str(home)
        filled_project.fill("Large", num_pairs=NUM_PAIRS, num_metric_steps=NUM_STEPS)
        healthy = []
        for _ in range(3):
            with dashboard(home) as server:
                healthy.append(server.healthy_after_s)
        with dashboard(home) as server, sync_playwright() as playwright:
            path = str(SYSTEM_CHROMIUM) if SYSTEM_CHROMIUM.exists() else None
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            cold = {name: _cold(browser, server, name) for name in ("settings", "review", "runs")}
            first, again = _switches(browser, server)
            browser.close()
    found = {
        "healthy": statistics.median(healthy),
        "heading in a cold browser": max(cold.values()),
        "page switch, first": max(first.values()),
        "page switch, seen before": max(again.values()),
    }
    report = {"seconds": found, "limits": LIMITS_S, "cold": cold, "first": first, "again": again}
    json.dump(report, sys.stdout, indent=2)
    print()


def _cold(browser: Browser, server: Dashboard, name: str) -> float:
    """Median of three fresh browser contexts, nothing cached."""
    seconds = []
    for _ in range(3):
        context = browser.new_context(viewport={"width": 1366, "height": 900})
        page = context.new_page()
        started = time.monotonic()
        page.goto(f"{server.url}/{name}", wait_until="commit")
        page.wait_for_selector("h1", timeout=30_000)
        seconds.append(time.monotonic() - started)
        context.close()
    return statistics.median(seconds)


def _switches(browser: Browser, server: Dashboard) -> tuple[dict[str, float], dict[str, float]]:
    page = browser.new_context(viewport={"width": 1366, "height": 900}).new_page()
    page.goto(server.url)
    settle(page)
    first = {name: _switch(page, name) for name in LINKS}
    rounds = [{name: _switch(page, name) for name in LINKS} for _ in range(3)]
    return first, {name: statistics.median(one[name] for one in rounds) for name in LINKS}


def _switch(page: Page, name: str) -> float:
    started = time.monotonic()
    page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=30_000)
    seconds = time.monotonic() - started
    settle(page)
    page.wait_for_timeout(400)
    return seconds


if __name__ == "__main__":
    main()
