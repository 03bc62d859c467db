"""Everything on a dataset version at once: who competes there, what is trained first, and that nothing is done twice."""

import dataclasses

import pytest

from finetune_core import recipes
from finetune_core.evaluation.reranking import RerankedRetriever
from finetune_core.jobs import supervisor
from finetune_core.jobs.executors import train
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.records import Labelled
from finetune_core.training.embedding_config import EmbeddingConfig
from finetune_core.workspace import comparisons, contenders, jobs, runs
from tests import example_comparison
from tests.example_comparison import RECIPE, Example, WordEmbedder

compared = example_comparison.compared
words_recipe = example_comparison.words_recipe


class ExactReranker:
    """Scores a passage by how alike its words and the question's are, the superfluous ones left out."""

    fingerprint = "exact"

    def score(self, query, passages, checkpoint=None):
        embedder = WordEmbedder((1.0, 1.0, 1.0, 0.5))
        return embedder.encode_passages(passages) @ embedder.encode_queries([query])[0]


def on_top(system, config, model, validation, run):
    assert len(validation) == 3
    return RerankedRetriever(f"{system.name} + reranker", system, ExactReranker(), 10)


def reranking(config, model, run):
    found = RECIPE.systems(config, None, run)
    return found if model is None else {**found, "tuned": on_top(found["base"], config, model, range(3), run)}


@pytest.fixture
def known(compared: Example, monkeypatch: pytest.MonkeyPatch) -> Example:
    """Beside the recipe of both models: a reranker, one advised against, and one of another kind."""
    made = {
        "words": RECIPE,
        "rerank": dataclasses.replace(
            RECIPE, name="rerank", title="Reranker", config=EmbeddingConfig, systems=reranking, on_top=on_top
        ),
        "retired": dataclasses.replace(RECIPE, name="retired", notice="Gone."),
        "labels": dataclasses.replace(RECIPE, name="labels", record=Labelled),
    }
    monkeypatch.setattr(recipes, "get", made.__getitem__)
    monkeypatch.setattr(recipes, "discover", lambda: made)
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)
    return compared


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainings leave a model without learning; the ids of those that began."""
    began: list[str] = []

    def execute(run, params):
        began.append(run.job_id)
        model = example_comparison.add_model(
            run.project_id, params.dataset_id, "sorter", (1.0, 1.0, 1.0, 1.0), run.job_id, recipe=params.recipe,
            config=params.config,
        )  # fmt: skip
        return {"model_id": model}

    monkeypatch.setattr(train, "execute", execute)
    return began


def test_all_models_of_the_version_and_what_was_not_tried(known: Example) -> None:
    found = contenders.contenders(known.project_id, known.dataset_id)
    assert set(found.model_ids) == {known.good, known.bad}
    assert (found.run_ids, [recipe.name for recipe in found.missing]) == ((), ["rerank"])
    assert [one.recipe.name for one in contenders.foresee(known.project_id, "v1")] == ["rerank"]


def test_one_press_trains_what_is_missing_then_compares_all_with_and_without_reranker(
    known: Example, trained: list[str]
) -> None:
    launched = contenders.compare_all(known.project_id, "v1")
    again = contenders.compare_all(known.project_id, known.dataset_id)
    assert again == launched, "a second press joins the first"
    (run_id,) = contenders.contenders(known.project_id, known.dataset_id).run_ids
    assert [one.id for one in jobs.waited_for(launched.job_id)] == [run_id]
    assert run_queued_here() == 2
    job = jobs.get(launched.job_id)
    assert job.state is JobState.DONE, job.error
    assert trained == [run_id]
    view = comparisons.get(known.project_id, contenders.result(known.project_id, launched))
    names = {system["name"]: system for system in view.result["systems"]}
    # One model stands for its recipe behind the reranker: nobody knows its validation, so the newest.
    assert set(names) == {"BM25", "base", "careful", "careless", "sorter", "BM25 + sorter", "careless + sorter"}
    step = view.difference(names["careless + sorter"]["key"])["step"]
    assert view.system(step["over"])["name"] == "careless"
    assert names["BM25 + sorter"]["metrics"]["ndcg@10"]["value"] > names["BM25"]["metrics"]["ndcg@10"]["value"]
    done = contenders.compare_all(known.project_id, "v1")
    assert (done.is_finished, done.comparison_id) == (True, view.id), "nothing new: the comparison is there already"
    assert run_queued_here() == 0


def test_cancelling_takes_the_trainings_it_queued_along_and_resuming_brings_them_back(
    known: Example, trained: list[str]
) -> None:
    launched = contenders.compare_all(known.project_id, "v1")
    (run_id,) = contenders.contenders(known.project_id, known.dataset_id).run_ids
    jobs.cancel(launched.job_id)
    assert {jobs.get(one).state for one in (launched.job_id, run_id)} == {JobState.CANCELLED}
    assert run_queued_here() == 0
    jobs.resume(launched.job_id)
    assert run_queued_here() == 2
    assert jobs.get(launched.job_id).state is JobState.DONE
    assert trained == [run_id]


def test_a_run_somebody_started_is_waited_for_and_not_cancelled(known: Example, trained: list[str]) -> None:
    own = runs.launch(known.project_id, known.dataset_id, "rerank", {"epochs": 2})
    launched = contenders.compare_all(known.project_id, "v1")
    assert [one.id for one in jobs.waited_for(launched.job_id)] == [own]
    jobs.cancel(launched.job_id)
    assert jobs.get(own).is_live


def test_a_training_that_fails_leaves_the_others_to_be_compared(
    known: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(run, params):
        raise MemoryError

    monkeypatch.setattr(train, "execute", execute)
    launched = contenders.compare_all(known.project_id, "v1")
    run_queued_here()
    job = jobs.get(launched.job_id)
    assert job.state is JobState.DONE, job.error
    view = comparisons.get(known.project_id, contenders.result(known.project_id, launched))
    assert {system["name"] for system in view.tuned} == {"careful", "careless"}
    assert (
        "Not compared, because its training left no model: rerank on v1 (failed)." in view.result["verdict"]["caveats"]
    )
