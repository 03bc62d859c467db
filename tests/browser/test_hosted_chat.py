"""A chat model tuned at a service that speaks OpenAI's API, all of it in the browser: from an empty project to its answers."""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from finetune_core.workspace import projects, providers
from tests.browser.conftest import screenshot, settle, until
from tests.dashboard_server import dashboard
from tests.vendors.openai_finetuning import BASE, Account, serving_finetuning
from tests.vendors.server import KEY

SLOW_MS = 180_000
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SIZES = [(width, dark) for width in (1366, 390) for dark in (False, True)]


def test_a_chat_model_is_tuned_at_a_service_and_asked(
    tmp_path: Path, open_tab: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("AYAR_HOME", str(home))
    project = projects.create("Desk").id
    account = Account(statuses=["validating_files", "running", "running", "succeeded"], shutdown_date="2999-01-14")
    environment = {"LOOPBACK_KEY": KEY, "AYAR_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with serving_finetuning(account) as (vendor, _), dashboard(home, environment) as server:
        page = open_tab(f"{server.url}/settings?project={project}")
        add_the_provider(page, vendor.url)
        page.goto(f"{server.url}/review?project={project}&kind=calls&part=files")
        bring_the_calls(page, tmp_path / "calls.jsonl")
        page.goto(f"{server.url}/train?project={project}&kind=calls")
        set_up(page)
        page.get_by_role("button", name="Start training").click()
        page.get_by_role("link", name="Watch it on Runs").click()
        expect(page.get_by_role("link", name="Compare with the base")).to_be_visible(timeout=SLOW_MS)
        until(page, "document.querySelectorAll('.ayar-plot .scatterlayer .trace').length >= 2")
        pictures(page, "hosted-03-run")
        page.get_by_role("link", name="Compare with the base").click()
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.get_by_text("Verdict on field F1")).to_be_visible(timeout=SLOW_MS)
        page.get_by_role("link", name="Playground").first.click()
        ask(page)
        page.get_by_role("link", name="Models").first.click()
        expect(page.get_by_text(f"ft:{BASE}:ftjob-1").first).to_be_visible()
        pictures(page, "hosted-05-model")
        assert (len(account.jobs), len(account.files)) == (1, 1)
        page.close()  # before its server goes
    (spent,) = providers.spent()
    assert spent.spend.cost_usd == pytest.approx(0.003), "a thousand tokens at three dollars a million"


def add_the_provider(page: Page, url: str) -> None:
    """By hand, on Settings, with what training costs there."""
    form = page.locator(".st-key-Providers_new")
    for label, value in (
        ("Name", "Loopback"), ("Model", BASE), ("Base URL", url), ("Variable that holds the key", "LOOPBACK_KEY"),
        ("Dollars for a million training tokens, a model a line", f"{BASE} 3.00"),
    ):  # fmt: skip
        form.get_by_label(label, exact=True).fill(value)
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text(re.compile("For a million training tokens: "))).to_be_visible()
    pictures(page, "hosted-01-settings")


def bring_the_calls(page: Page, path: Path) -> None:
    """A file of conversations with calls, as the service's own guide has them; the test questions come in it as well."""
    lines = [
        {"messages": [
            {"role": "user", "content": f"Is it warm in {word}{number}?"},
            {"role": "assistant", "tool_calls": [
                {"id": "1", "type": "function",
                 "function": {"name": "weather", "arguments": json.dumps({"city": f"{word}{number}"})}},
            ]},
        ], "tools": [WEATHER]}
        for number in range(10)
        for word in ("Ankara", "Bursa", "Izmir")
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    settle(page)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text(re.compile("30 "))).not_to_have_count(0)


def set_up(page: Page) -> None:
    """Freeze the examples, choose tuner and service, and read what it will take."""
    settle(page)
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.get_by_label("Dataset", exact=True)).to_be_visible(timeout=SLOW_MS)
    choose_the_service(page)
    expect(page.get_by_text(re.compile(r"training tokens in all epochs, about \$0\.\d+"))).to_be_visible()
    expect(page.get_by_text("will shut gpt-loopback down on 14 January 2999")).to_be_visible()
    pictures(page, "hosted-02-train")


def choose_the_service(page: Page) -> None:
    """The tuner openai, and the model under the service's own name."""
    settle(page)
    name = page.get_by_label("Model at the service", exact=True)
    for _ in range(5):  # what the page draws anew when a version has been frozen closes an open list
        page.get_by_label("Tuner", exact=True).click()
        with suppress(TimeoutError):
            page.get_by_role("option", name="openai").click(timeout=5_000)
        settle(page)
        if name.count():
            break
    name.fill(BASE)
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_text("Advanced settings").click()
    page.get_by_label("Seconds between looks", exact=True).fill("0.3")
    page.keyboard.press("Tab")
    settle(page)


def ask(page: Page) -> None:
    """Something it was taught: the base does not know it, the tuned one calls the function."""
    settle(page)
    page.get_by_label("Functions").fill(json.dumps([WEATHER]))
    for word in ("Ankara", "Bursa", "Izmir"):  # one of them is in the training part
        page.get_by_label("Request").fill(f"Is it warm in {word}1?")
        page.get_by_role("button", name="Ask").click()
        settle(page)
        page.wait_for_timeout(300)
        if page.get_by_text("weather(").count():
            break
    expect(page.get_by_text("weather(").first).to_be_visible()
    pictures(page, "hosted-04-playground")


def pictures(page: Page, name: str) -> None:
    """The page on a screen and on a phone, by day and by night, where SCREENSHOTS says."""
    for width, dark in SIZES if os.environ.get("SCREENSHOTS") else []:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.wait_for_timeout(700)
        screenshot(page, f"{name}-{width}-{'dark' if dark else 'light'}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1366, "height": 900})
