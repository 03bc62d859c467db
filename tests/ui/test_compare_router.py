"""The Compare page over a tuned router: the verdict, the choices one by one, and queries won and lost."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from finetune_core.providers.prices import Prices
from finetune_core.records import OUT_OF_SCOPE, ServiceKind
from finetune_core.storage.providers import Provider
from finetune_core.workspace import classes, comparisons, projects
from tests.router_comparison import add_router_comparison
from tests.training_fixtures import RecordedRun, Trained
from tests.ui.conftest import OpenPage
from tests.vendors.openai_chat import serving_chat
from tests.vendors.server import KEY


def test_a_router_is_compared_choice_by_choice(open_page: OpenPage, trained_router: Trained) -> None:
    project = projects.create("Desk")
    identity = add_router_comparison(project.id, trained_router)
    app = open_page("compare", project=project.id, comparison=identity)
    assert not app.exception, app.exception
    assert app.header[0].value == "Tuning made it better"
    assert "macro-F1" in [metric.label for metric in app.metric]
    assert "Choice by choice" in [each.value for each in app.subheader]
    table = next(frame.value for frame in app.dataframe if "Often taken for" in frame.value.columns)
    assert set(table["Choice"]) >= {"roses", "tyres", "out of scope"}
    assert table["Tuned"].tolist() == sorted(table["Tuned"].tolist())
    assert table["Tuned"].mean() > table["Base"].mean()


def test_the_figures_of_each_choice_are_those_of_the_rows(trained_router: Trained, home: object) -> None:
    project = projects.create("Desk")
    view = comparisons.get(project.id, add_router_comparison(project.id, trained_router))
    found = classes.summary(view, "base")
    assert found is not None
    assert [each["id"] for each in found["classes"]] == [*(f"c{i}" for i in range(8)), OUT_OF_SCOPE]
    labels = [example.label for example in trained_router.split.test.examples]
    assert [each["num_true"] for each in found["classes"]] == [labels.count(each["id"]) for each in found["classes"]]
    accuracy = sum(row[at] for at, row in enumerate(found["matrix"])) / len(labels)
    assert accuracy == view.system("base")["metrics"]["accuracy"]["value"]
    won = comparisons.outcomes(view, "tuned", comparisons.OutcomeFilter(comparisons.Change.WON))
    assert won.num_matching >= 3


def test_a_language_model_stands_beside_it_with_its_cost(
    open_page: OpenPage, trained_router: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    run = RecordedRun(tmp_path)
    run.cache = trained_router.run.cache
    config = trained_router.config.model_copy(update={"llm_service": "big", "llm_queries": 5})
    project = projects.create("Desk")
    with serving_chat(lambda body: json.dumps({"option": 0})) as vendor:
        prices = Prices(10.0, 30.0, "2026-11-01")
        run.services["big"] = Provider("p", "big", ServiceKind.OPENAI, vendor.url, "gpt", "LOOPBACK_KEY", prices)
        identity = add_router_comparison(project.id, replace(trained_router, run=run, config=config))
    app = open_page("compare", project=project.id, comparison=identity)
    assert not app.exception, app.exception
    told = "\n".join(each.value for each in app.caption)
    assert "on the 5 of 12 queries it was asked" in told
    assert "1,000 such queries cost US\\$" in told
