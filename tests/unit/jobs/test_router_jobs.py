"""A router through the jobs: trained, compared with another one, taken away."""

from pathlib import Path
from typing import Any

import pytest

from finetune_core.evaluation.router_files import RouterFile
from finetune_core.jobs import queue, serving_client, supervisor
from finetune_core.jobs.states import JobState
from finetune_core.jobs.warm_models import WarmModels
from finetune_core.jobs.worker import run_queued_here
from finetune_core.records import Labelled, SplitName
from finetune_core.storage import artefacts, database, datasets, tables
from finetune_core.storage import labelled as labelled_rows
from finetune_core.storage.datasets import DatasetRow
from finetune_core.storage.labelled import NewQuery
from finetune_core.storage.pairs import PairSource
from finetune_core.workspace import classes, comparisons, jobs, labelled, model_card, models, playground, projects
from finetune_core.workspace import datasets as workspace_datasets
from tests.training_fixtures import TINY_ROUTING_CONFIG, Trained, tiny_routing_split


@pytest.fixture
def project_id(monkeypatch: pytest.MonkeyPatch, trained_router: Trained) -> str:
    """A project with a dataset version of labelled queries."""
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)
    project, split = projects.create("Desk"), tiny_routing_split()
    manifest = {"name": "v1", "hash": "d", "record": "Labelled"}
    with artefacts.publish(datasets.folder(project.id, "d"), manifest) as folder:
        manifest["corpora"] = datasets.write_split(folder, split, Labelled)
    with database.writing() as connection:
        datasets.add(connection, project.id, DatasetRow("d", "v1", manifest, database.now()))
    assert datasets.load_split(project.id, "d").test == split.test
    return project.id


def test_routers_are_trained_compared_and_taken_away(project_id: str, tmp_path: Path) -> None:
    for name, strengths in (("first", [100.0]), ("second", [0.000001])):
        config = TINY_ROUTING_CONFIG | {"strengths": strengths}
        params = {"dataset_id": "d", "recipe": "router", "name": name, "config": config}
        jobs.submit(project_id, "train", params, start=False)
    run_queued_here()
    launched = comparisons.launch(project_id, "v1", ["first", "second"])
    jobs.submit(project_id, "export", {"model_id": models.by_name(project_id, "first").id, "to": str(tmp_path / "out")})
    run_queued_here()
    assert {(job.kind, job.state) for job in jobs.listing(project_id)} == {
        ("train", JobState.DONE), ("compare", JobState.DONE), ("export", JobState.DONE),
    }  # fmt: skip
    view = comparisons.get(project_id, launched.comparison_id)
    assert [system["name"] for system in view.result["systems"]][:1] == ["majority class"]
    bases = [system for system in view.result["systems"] if system["role"] == "base"]
    assert len(bases) == 1  # the threshold of the untuned router is the same for both, so its row is
    by_name = {system["name"]: system for system in view.result["systems"]}
    assert by_name["first"]["metrics"]["macro_f1"]["value"] > by_name["base"]["metrics"]["macro_f1"]["value"]
    assert classes.summary(view, by_name["first"]["key"])["classes"][0]["name"] == "roses"
    assert {"true", "predicted", "rank"} <= comparisons.rows(view)[0].keys()
    assert len(RouterFile.read(tmp_path / "out").labels) == 8
    card = model_card.markdown(models.by_name(project_id, "first").id)
    assert "class TunedSelector(BaseSelector):" in card
    assert "| Choice | Queries to learn from |" in card
    assert "| tyres | 3 |" in card
    assert "| out of scope | 2 |" in card
    assert (tmp_path / "out" / "embedder" / "model.safetensors").is_file()


def test_a_router_and_its_base_answer_in_the_playground(project_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.submit(
        project_id,
        "train",
        {"dataset_id": "d", "recipe": "router", "name": "first", "config": TINY_ROUTING_CONFIG},
        start=False,
    )
    run_queued_here()
    warm = WarmModels()

    def ask(kind: str, *, on_progress: object, project_id: str, model_ids: list[str], input: dict[str, Any]) -> Any:
        assert kind == "answer"
        return warm.answer(project_id, model_ids, input, lambda *_: None)

    monkeypatch.setattr(serving_client, "call", ask)
    model_id = models.by_name(project_id, "first").id
    example = next(example for example in tiny_routing_split().train.examples if example.label)
    base, tuned = playground.answer(project_id, [model_id + "/base", model_id], example.query)
    assert tuned.passages == ()
    assert tuned.num_searched == 8
    assert tuned.route is not None
    assert tuned.route.choices[0].id == example.label
    assert base.route is not None
    assert base.route.score_kind == "similarity"
    assert base.route.threshold is not None
    scores = [choice.score for choice in tuned.route.choices]
    assert scores == sorted(scores, reverse=True)


def test_a_recipe_refuses_examples_of_another_kind(project_id: str) -> None:
    job_id = jobs.submit(project_id, "train", {"dataset_id": "d", "recipe": "embedding", "config": {}}, start=False)
    run_queued_here()
    job = jobs.get(job_id)
    assert job.state is JobState.FAILED
    assert "another kind of example" in job.error


def test_queries_are_frozen_trained_on_and_compared_and_a_restart_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, trained_router: Trained
) -> None:
    """The worker dies as the training begins; afterwards everything is read anew, as after a restart of the machine."""
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)
    project_id, split = projects.create("Desk").id, tiny_routing_split()
    new = [
        NewQuery(one.id, one.query, one.label, one.group, PairSource.IMPORTED, name.value)
        for name in SplitName
        for one in split.part(name).examples
    ]
    for choice in split.train.corpus:
        labelled.save_choice(project_id, choice.title, choice.text, choice.id)
    with database.writing() as connection:
        labelled_rows.add(connection, project_id, new)
    workspace_datasets.freeze(project_id, "v1", record="Labelled", measure_base=False)
    run_queued_here()
    version = workspace_datasets.get(project_id, "v1")
    assert version.manifest["num_by_choice"][0] == {"choice": "roses", "train": 3, "validation": 1, "test": 1}
    params = {"dataset_id": version.id, "recipe": "router", "name": "first", "config": TINY_ROUTING_CONFIG}
    train_id = jobs.submit(project_id, "train", params, start=False)
    with database.writing() as connection:
        assert queue.claim(connection, "died", heavy_slots=1) is not None
        connection.execute(tables.job.update().values(lease_expires_at=0.0))
    run_queued_here()
    assert (jobs.get(train_id).state, jobs.get(train_id).attempt) == (JobState.DONE, 2)
    launched = comparisons.launch(project_id, "v1", ["first"])
    run_queued_here()
    before = comparisons.get(project_id, launched.comparison_id)
    assert jobs.get(launched.job_id).state is JobState.DONE
    database._engine.cache_clear()
    assert comparisons.get(project_id, launched.comparison_id) == before
    assert "accuracy" in before.result["systems"][0]["metrics"]
    answer = WarmModels().answer(
        project_id,
        [models.by_name(project_id, "first").id],
        {"question": "What does zorble mean?", "k": 3},
        lambda *_: None,
    )
    assert answer[0]["route"]["choices"][0]["id"] == "c3"
