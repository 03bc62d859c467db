"""What the Playground keeps in memory, and that nothing of a typed question reaches the disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.jobs.warm_models import WarmModels, base_name, reading_embedder, warmed
from finetune_core.workspace import playground, projects, providers
from tests.cohere_fixtures import VARIABLE
from tests.training_fixtures import RecordedRun, Trained, add_dataset, add_finished_run
from tests.tuned_model import add_passages
from tests.vendors.cohere import STOCK, serving_cohere
from tests.vendors.server import KEY


def kept_bytes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["base", "tuned"])
def test_a_question_to_a_reranker_leaves_nothing_on_the_disk(
    trained_cross_encoder: Trained, tmp_path: Path, name: str
) -> None:
    recipe, run = recipes.get("cross_encoder"), RecordedRun(tmp_path)
    config, corpus = trained_cross_encoder.config, trained_cross_encoder.split.test.corpus
    plain = recipe.systems(config, trained_cross_encoder.model, run)[name]
    system = warmed(recipe.systems(config, trained_cross_encoder.model, run)[name])
    reading_embedder(system).encode_passages([passage.full_text for passage in corpus])
    before = kept_bytes(run.cache)
    assert before, "passages are kept"
    found = recipe.answer(system, "Is a quokka a zorble?", config, corpus=corpus, run=run, k=5)
    assert kept_bytes(run.cache) == before
    expected = recipe.answer(plain, "Is a quokka a zorble?", config, corpus=corpus, run=run, k=5)
    assert found.ids == expected.ids
    assert found.scores[0] == pytest.approx(expected.scores[0], abs=1e-4)
    assert kept_bytes(run.cache) != before, "what is not warmed does keep them, so this test can fail"


def add_reranker(trained: Trained, settings: dict[str, Any] | None = None) -> tuple[str, str]:
    """A project that searches the shared dataset's passages, with the shared reranker as a model; (project, model)."""
    project = projects.create("p")
    config = trained.config.model_copy(update=settings or {})
    dataset = add_dataset(project.id, trained.split)
    return project.id, add_finished_run(project.id, dataset, replace(trained, config=config), "cross_encoder")[1]


def test_a_reranker_says_where_its_retriever_had_each_passage(trained_cross_encoder: Trained) -> None:
    project, model = add_reranker(trained_cross_encoder)
    request = {"question": trained_cross_encoder.split.test.examples[0].query, "k": 5}
    before, after = WarmModels().answer(project, [f"{model}/base", model], request, lambda *_: None)
    ranked = [passage["id"] for passage in before["passages"]]
    assert [passage["retrieved_rank"] for passage in before["passages"]] == [None] * 5, "a retriever reorders nothing"
    places = [passage["retrieved_rank"] for passage in after["passages"]]
    assert places != [1, 2, 3, 4, 5]
    assert len(set(places)) == 5
    for passage in after["passages"]:
        if passage["retrieved_rank"] <= 5:
            assert ranked[passage["retrieved_rank"] - 1] == passage["id"]
        else:
            assert passage["id"] not in ranked
    shown = playground._answer(after)
    moved = playground.reordered(shown)
    assert all(passage.rank + moved[passage.id] == passage.retrieved_rank for passage in shown.passages)
    assert playground.reordered(playground._answer(before)) == {}


def test_the_stock_reranker_of_a_service_answers_beside_the_tuned_one(
    trained_cross_encoder: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    project, model = add_reranker(trained_cross_encoder, {"stock_service": "Loopback"})
    with serving_cohere() as (vendor, _):
        providers.save(
            name="Loopback",
            kind="cohere",
            base_url=vendor.url,
            model=STOCK,
            key_variable=VARIABLE,
            usd_per_thousand_searches=2.0,
        )
        names = {contender.id: (contender.name, contender.is_stock) for contender in playground.contenders(project)}
        assert names[f"{model}/stock"] == ("Loopback", True)
        warm = WarmModels()
        warm.prepare(project, [model, f"{model}/stock"])
        assert not vendor.requests, "nothing is paid for before a question is asked"
        request = {"question": "What does zorble mean?", "k": 3}
        answers = warm.answer(project, [model, f"{model}/stock"], request, lambda *_: None)
        assert answers[1]["name"] == "Loopback"
        asked = vendor.requests[0].body
        assert (asked["model"], len(asked["documents"])) == (STOCK, trained_cross_encoder.config.depth)
        assert [one.spend.cost_usd for one in providers.spent()] == [0.002]
        monkeypatch.delenv(VARIABLE)
        assert WarmModels().answer(project, [model], request, lambda *_: None)[0]["passages"], "it needs no key"


def test_the_untuned_contender_of_a_reranker_is_its_retriever() -> None:
    manifest: dict[str, Any] = {"base_model": "start", "config": {"retriever": "finder"}}
    assert base_name(manifest) == "finder"
    assert base_name({"base_model": "start", "config": {}}) == "start"


def test_asked_in_this_process_it_answers_without_a_warning() -> None:
    project = projects.create("p")
    add_passages(project.id)
    request = {"question": "How does dough rise?", "k": 2}
    answers = WarmModels().answer(project.id, ["base"], request, lambda *_: None)
    assert len(answers[0]["passages"]) == 2
