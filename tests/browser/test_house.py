"""The house in a browser: deep links, page switches, the live chart, accessibility; and no word to other hosts."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import insert

from finetune_core.storage import database, tables
from tests import filled_project
from tests.browser.conftest import accessibility_problems, eventually, screenshot, settle, until
from tests.dashboard_server import ROOT, Dashboard, dashboard

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
OpenTab = Callable[..., Page]


def test_the_first_deep_link_after_a_start_goes_through_the_shell(tmp_path: Path, open_tab: OpenTab) -> None:
    with dashboard(tmp_path / "home") as fresh:
        page = open_tab(f"{fresh.url}/settings")
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        expect(page.get_by_role("button", name="New project")).to_be_visible()
        expect(page).to_have_title(re.compile("Settings|Ayar"))
        page.close()  # before its server goes


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(1366, False), (1366, True), (390, False)])
def test_every_page_is_accessible_and_fits(
    server: Dashboard, open_tab: OpenTab, name: str, width: int, dark: bool
) -> None:
    page = open_tab(f"{server.url}/{name if name != 'home' else ''}", width=width, dark=dark)
    page.wait_for_timeout(800)
    screenshot(page, f"{name}-{width}-{'dark' if dark else 'light'}")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
    if width > 390:
        assert not accessibility_problems(page, dark=dark)


def test_switching_pages_keeps_the_project_and_going_back_works(server: Dashboard, open_tab: OpenTab) -> None:
    page = open_tab(server.url)
    page.wait_for_url(re.compile(r"\?project="))
    project = re.search(r"project=(\w+)", page.url).group(1)
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    assert f"project={project}" in page.url
    page.go_back()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.reload()
    settle(page)
    assert f"project={project}" in page.url


def test_projects_are_made_renamed_and_deleted(server: Dashboard, open_tab: OpenTab) -> None:
    page = open_tab(f"{server.url}/settings")
    menu = page.get_by_role("button", name="Manage")
    menu.click()
    page.get_by_text("New project", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Second house")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog).to_be_hidden()
    picker = page.get_by_role("combobox", name="Project")
    expect(picker).to_have_value("Second house")
    menu.click()
    page.get_by_text("Delete project", exact=True).click()
    dialog.get_by_label("confirm").fill("Handbook")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(dialog.get_by_text("nothing was deleted")).to_be_visible()
    dialog.get_by_label("confirm").fill("Second house")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(dialog).to_be_hidden()
    expect(picker).to_have_value("Handbook")


def test_a_live_chart_grows_without_losing_the_zoom(
    server: Dashboard, open_tab: OpenTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AYAR_HOME", str(server.home))
    page = open_tab(f"{server.url}/runs?run={filled_project.LIVE_RUN_ID}")
    until(page, "document.querySelectorAll('.ayar-plot .scatterlayer .trace').length >= 4")
    page.evaluate(
        "() => { const plots = [...document.querySelectorAll('.ayar-plot')];"
        " window.watched = plots.find(p => p.data.length && p.layout.title.text === 'Training loss');"
        " window.node = window.watched.querySelector('.main-svg');"
        " return Plotly.relayout(window.watched, {'xaxis.range[0]': 10, 'xaxis.range[1]': 20}); }"
    )
    rows = [
        {
            "job_id": filled_project.LIVE_RUN_ID,
            "name": "loss",
            "step": step,
            "attempt": 1,
            "value": 0.2,
            "at": time.time(),
        }
        for step in range(1001, 1011)
    ]
    with database.writing() as connection:
        connection.execute(insert(tables.metric), rows)
    until(page, "Math.max(...window.watched.data.at(-1).x) === 1010")
    assert page.evaluate("window.watched.layout.xaxis.range") == [10, 20]
    assert page.evaluate("window.node.isConnected && window.node === window.watched.querySelector('.main-svg')")


def test_pages_stop_asking_once_a_run_has_ended(server: Dashboard, open_tab: OpenTab) -> None:
    page = open_tab(f"{server.url}/runs?run={filled_project.RUN_ID}")
    until(page, "document.querySelectorAll('.ayar-plot .scatterlayer .trace').length >= 4")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def is_quiet() -> bool:
        asked.clear()
        page.wait_for_timeout(3000)  # a page that polls does so every second or two
        return not asked

    eventually(page, is_quiet, 30)
