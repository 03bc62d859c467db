"""An adapter, a router and a reranker as a person makes them: form, launch, its run, and the verdict on Compare."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from finetune_core import recipes
from finetune_core.providers.bundled import is_bundled_installed
from finetune_core.records import Split
from finetune_core.workspace import projects
from tests.browser.conftest import screenshot, settle, until
from tests.cohere_fixtures import CARD_FACTS
from tests.dashboard_server import Dashboard, dashboard
from tests.training_fixtures import add_dataset, tiny_reranking_split, tiny_routing_split

SLOW_MS = 180_000
SETTINGS = {
    "embedding_adapter": {"Epochs": "8"},
    "router": {},
    "cross_encoder": {"Epochs": "1", "Passages reranked": "4", "Longest pair (tokens)": "32"},
}
SPLITS: dict[str, Callable[[], Split[Any]]] = {
    "embedding_adapter": tiny_reranking_split,
    "router": tiny_routing_split,
    "cross_encoder": tiny_reranking_split,
}
SCOPE_FACTS = {"num_out_of_scope": {"train": 2, "validation": 3, "test": 4}}
VERDICT = {
    "embedding_adapter": "nDCG@10",
    "router": "macro-F1",
    "cross_encoder": "nDCG@10",
}


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, tiny_transformer: str
) -> Iterator[tuple[Dashboard, dict[str, str]]]:
    """A dashboard, and for each recipe a project with a version of its examples that starts from a tiny model."""
    if not is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    home = tmp_path_factory.mktemp("recipes") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AYAR_HOME", str(home))
        chosen = {name: projects.create(recipes.get(name).title).id for name in SETTINGS}
        for name, project in chosen.items():
            projects.update(project, base_model=tiny_transformer)
            add_dataset(project, SPLITS[name](), "v1", CARD_FACTS | SCOPE_FACTS)
    with dashboard(home, {"AYAR_THREADS": "1", "OMP_NUM_THREADS": "1"}) as server:
        yield server, chosen


@pytest.mark.parametrize("name", SETTINGS)
def test_a_model_is_made_and_compared(
    served: tuple[Dashboard, dict[str, str]], open_tab: Callable[..., Page], name: str
) -> None:
    server, projects_of = served
    page = open_tab(f"{server.url}/train?project={projects_of[name]}")
    page.get_by_label("What to tune", exact=True).click()
    page.get_by_role("option", name=recipes.get(name).title, exact=True).click()
    settle(page)
    for label, value in SETTINGS[name].items():
        page.get_by_label(label, exact=True).fill(value)
        page.keyboard.press("Tab")
        settle(page)
    expect(page.get_by_text("The time comes from")).to_be_visible()
    screenshot(page, f"{name}-01-train")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("link", name="Watch it on Runs").click()
    expect(page.get_by_role("link", name="Compare with the base")).to_be_visible(timeout=SLOW_MS)
    until(page, "document.querySelectorAll('.ayar-plot .scatterlayer .trace').length >= 1")
    screenshot(page, f"{name}-02-run")
    page.get_by_role("link", name="Compare with the base").click()
    expect(page.get_by_role("button", name="Compare", exact=True)).to_be_visible()
    settle(page)
    screenshot(page, f"{name}-03-compare")
    foreign = page.get_by_role("combobox", name="Also on questions the models were not tuned for")
    if foreign.count():
        foreign.click()
        page.get_by_role("option", name="None").click()
        settle(page)
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text(f"Verdict on {VERDICT[name]}")).to_be_visible(timeout=SLOW_MS)
    settle(page)
    screenshot(page, f"{name}-04-verdict")
