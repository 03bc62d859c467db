"""The path to a custom Cohere reranker over a loopback service: the provider, the warning, the run, its curve, the verdict."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from finetune_core.workspace import projects
from tests.browser.conftest import screenshot, settle, until
from tests.cohere_fixtures import CARD_FACTS, tiny_reranking_split
from tests.dashboard_server import dashboard
from tests.training_fixtures import add_dataset
from tests.vendors.cohere import Account, serving_cohere
from tests.vendors.server import KEY

SLOW_MS = 180_000


def test_a_custom_reranker_is_made_and_compared(
    tmp_path: Path, open_tab: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("AYAR_HOME", str(home))
    project = projects.create("Handbook").id
    add_dataset(project, tiny_reranking_split(), facts=CARD_FACTS)
    account = Account(statuses=["STATUS_FINETUNING", "STATUS_FINETUNING", "STATUS_READY"])
    with serving_cohere(account) as (vendor, _), dashboard(home, {"CO_API_KEY": KEY}) as server:
        page = open_tab(f"{server.url}/settings?project={project}")
        add_the_provider(page, vendor.url)
        page.goto(f"{server.url}/train?project={project}")
        settle(page)
        page.get_by_label("What to tune", exact=True).click()
        page.get_by_role("option", name="Cohere reranker").click()
        settle(page)
        expect(page.get_by_text("Cohere retired all fine-tuning")).to_be_visible()
        assert not account.datasets, "the notice comes before anything is uploaded"
        screenshot(page, "cohere-02-train")
        page.get_by_text("Advanced settings").click()
        for label, value in (("Seconds between looks", "0.5"), ("Passages to rerank", "8")):
            page.get_by_label(label, exact=True).fill(value)
            page.keyboard.press("Tab")
            settle(page)
        page.get_by_role("button", name="Start training").click()
        page.get_by_role("link", name="Watch it on Runs").click()
        expect(page.get_by_role("link", name="Compare with the base")).to_be_visible(timeout=SLOW_MS)
        until(page, "document.querySelectorAll('.ayar-plot .scatterlayer .trace').length >= 2")
        screenshot(page, "cohere-03-run")
        page.get_by_role("link", name="Compare with the base").click()
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.get_by_text("Verdict on nDCG@10")).to_be_visible(timeout=SLOW_MS)
        settle(page)
        until(page, "[...document.querySelectorAll('.legendtext')].some(one => one.textContent === 'stock')")
        screenshot(page, "cohere-04-verdict")
        assert (len(account.datasets), len(account.models)) == (1, 1)
        page.close()  # before its server goes


def add_the_provider(page: Page, url: str) -> None:
    """By hand, on Settings; the Test button ranks two passages."""
    form = page.locator(".st-key-Providers_new")
    form.get_by_role("radio", name="Cohere").or_(form.get_by_role("button", name="Cohere")).first.click()
    settle(page)
    expect(form.get_by_label("Variable that holds the key", exact=True)).to_have_value("CO_API_KEY")
    for label, value in (("Name", "Loopback"), ("Model", "rerank-v3.5"), ("Base URL", url)):
        form.get_by_label(label, exact=True).fill(value)
    form.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text(re.compile(r"0\.100\s+Paris is the capital of France\."))).to_be_visible(timeout=SLOW_MS)
    screenshot(page, "cohere-01-settings")
