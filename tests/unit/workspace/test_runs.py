"""A run from launch to model, and what the pages ask about runs."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from finetune_core.commands import build
from finetune_core.errors import ArtefactError, DatasetError, JobError, StorageError, TrainingError
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.bundled import BUNDLED_CHAT, BUNDLED_EMBEDDER
from finetune_core.records import file_sha256
from finetune_core.storage import artefacts, database
from finetune_core.storage.tables import job
from finetune_core.training import cost, speeds
from finetune_core.workspace import jobs, models, projects, runs
from tests.training_fixtures import TINY_CONFIG, Trained, add_finished_run, add_tiny_dataset


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda *_: None)


@pytest.fixture
def project() -> str:
    return projects.create("Tiny").id


def test_a_run_from_launch_to_model(project: str, trained: Trained) -> None:
    dataset = add_tiny_dataset(project)
    run_id = runs.launch(project, "v1", "embedding", TINY_CONFIG | {"epochs": 1}, name="first")
    assert runs.launch(project, dataset, "embedding", TINY_CONFIG | {"epochs": 1}, name="first") == run_id
    assert runs.get(run_id).state is JobState.QUEUED
    run_queued_here()
    view = runs.get(run_id)
    assert view.state is JobState.DONE, (view.job.error, view.job.hint)
    assert view.total_steps == 3
    assert view.best_step in (2, 3)
    assert view.steering.base == trained.run.facts["base_validation"]
    assert view.pool["num_questions"] == 4
    model = models.get(view.model_id)
    assert (model.name, model.recipe, model.run_id, model.dataset_id) == ("first", "embedding", run_id, dataset)
    manifest = artefacts.verify(models.folder(view.model_id))
    assert manifest["config"]["epochs"] == 1
    assert manifest["dataset_hash"] == dataset
    assert manifest["split"] == {"train": 24, "validation": 4, "test": 8}
    assert manifest["libraries"]["torch"]
    assert "model.safetensors" in manifest["files"]
    curve = jobs.metrics(run_id)
    assert [step for step, _ in curve["loss"]] == [1, 2, 3]
    assert [run.id for run in runs.listing(project)] == [run_id]


def test_the_command_line_shows_runs(project: str, trained: Trained) -> None:
    run_id, model_id = add_finished_run(project, add_tiny_dataset(project), trained)
    shown = CliRunner().invoke(build(), ["runs", "--project", "Tiny", "--json"], catch_exceptions=False)
    (row,) = json.loads(shown.stdout)
    assert (row["run"], row["model"], row["state"]) == (run_id, model_id, "done")
    assert row["best_validation"] == trained.model.facts["best_validation"]


CHAT_RECIPES = ("distillation", "function_calling", "judge_correctness", "judge_pairwise", "text_to_sql")


@pytest.mark.parametrize("tuner", ["local", "openai", "modal"])
@pytest.mark.parametrize("recipe", CHAT_RECIPES)
def test_the_command_line_names_the_tuner_of_a_chat_model(
    recipe: str, tuner: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def launch(project_id: str, dataset: str, recipe: str, config: dict[str, str], name: str) -> str:
        asked.append(runs.checked_config(project_id, recipe, config))
        raise TrainingError("far enough", hint="none")

    monkeypatch.setattr(runs, "launch", launch)
    service = ["--set", "service=S"] if tuner == "openai" else []
    arguments = ["train", "--project", "Tiny", "--dataset", "v1", "--recipe", recipe, "--tuner", tuner, *service]
    with pytest.raises(TrainingError, match="far enough"):
        CliRunner().invoke(build(), arguments, catch_exceptions=False)
    assert asked[0].tuner == tuner


def test_the_command_line_starts_a_run(project: str) -> None:
    add_tiny_dataset(project)
    arguments = ["train", "--project", "Tiny", "--dataset", "v1", "--set", "epochs=2", "--set", "matryoshka_dims=64,32"]
    shown = CliRunner().invoke(build(), [*arguments, "--json"], catch_exceptions=False)
    value = json.loads(shown.stdout)
    assert value == {"run": runs.listing(project)[0].id, "state": "queued"}
    config = runs.get(value["run"]).config
    assert (config["epochs"], config["matryoshka_dims"]) == (2, [64, 32])


def test_a_chat_model_starts_from_its_own_default_not_from_the_projects_embedder(project: str) -> None:
    for recipe in ("distillation", "function_calling", "judge_correctness", "judge_pairwise", "text_to_sql"):
        assert runs.checked_config(project, recipe, {}).base_model == BUNDLED_CHAT
        assert not runs.starts_from_embedder(recipe)
    assert runs.checked_config(project, "router", {}).base_model == BUNDLED_EMBEDDER


def test_the_base_model_of_the_project_is_the_default(project: str, tmp_path: Path) -> None:
    projects.update(project, base_model=str(tmp_path))
    assert runs.checked_config(project, "embedding", {}).base_model == str(tmp_path)
    assert runs.checked_config(project, "embedding", {"base_model": "other"}).base_model == "other"


def test_bad_input_is_said_at_the_click(project: str) -> None:
    add_tiny_dataset(project)
    with pytest.raises(TrainingError, match="epochs is 0"):
        runs.launch(project, "v1", "embedding", {"epochs": 0})
    with pytest.raises(TrainingError, match="epoch is 3") as caught:
        runs.launch(project, "v1", "embedding", {"epoch": 3})
    assert "learning_rate" in caught.value.hint
    with pytest.raises(TrainingError, match="no recipe"):
        runs.launch(project, "v1", "embeding", {})
    with pytest.raises(DatasetError, match="v2"):
        runs.launch(project, "v2", "embedding", {})
    with pytest.raises(TrainingError, match="no '='"):
        runs.parsed_settings("embedding", ["epochs"])
    with pytest.raises(JobError):
        runs.get("nothing")


def test_a_disk_that_is_too_full_is_said_before_the_start(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add_tiny_dataset(project)
    monkeypatch.setattr(cost, "train_disk_bytes", lambda size: 10**18)
    with pytest.raises(StorageError, match="free in"):
        runs.launch(project, "v1", "embedding", {})


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("cohere_reranker", {"service": "somewhere"}),
        ("embedding_adapter", {}),
        ("router", {"method": "head"}),
    ],
)
def test_what_keeps_no_weights_here_starts_on_a_full_disk(
    recipe: str, settings: dict[str, str], project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny_dataset(project)
    monkeypatch.setattr(cost, "train_disk_bytes", lambda size: 10**18)
    assert runs.get(runs.launch(project, "v1", recipe, settings)).recipe == recipe
    with pytest.raises(ArtefactError, match="gone"):
        runs.launch(project, "v1", recipe, settings | {"base_model": "model:gone"})


def test_a_reranker_starts_from_models_of_the_project_once_the_disk_has_room(
    project: str, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = add_tiny_dataset(project)
    _, model_id = add_finished_run(project, dataset, trained)
    own = {"base_model": f"model:{model_id}", "retriever": f"model:{model_id}"}
    assert runs.get(runs.launch(project, dataset, "cross_encoder", own)).config["base_model"] == own["base_model"]
    assert runs.launch(project, dataset, "cross_encoder", {"retriever": f"model:{model_id}"})
    with pytest.raises(ArtefactError, match="gone"):
        runs.launch(project, dataset, "cross_encoder", {"base_model": "model:gone"})
    monkeypatch.setattr(cost, "train_disk_bytes", lambda size: 10**18)
    with pytest.raises(StorageError, match="free in"):
        runs.launch(project, dataset, "cross_encoder", own | {"epochs": 1})


def test_an_estimate_grows_with_the_epochs_and_uses_timed_runs(project: str, trained: Trained) -> None:
    dataset = add_tiny_dataset(project)
    one = runs.estimate(project, dataset, "embedding", {"max_tokens": 32, "epochs": 1})
    three = runs.estimate(project, dataset, "embedding", {"max_tokens": 32, "epochs": 3})
    assert "probe" in one.basis
    assert three.seconds == pytest.approx(3 * one.seconds, rel=0.01)
    assert (one.num_steps, three.num_steps) == (1, 3)
    assert one.memory_bytes > 4 * 4 * 22_000_000
    assert one.disk_bytes > 10 * 90_000_000
    assert any("24 training pairs" in warning for warning in one.warnings)
    home, facts = database.home(), trained.model.facts
    speeds.record(home, BUNDLED_EMBEDDER, speeds.ENCODE, 100_000, 10.0)
    encoded = runs.estimate(project, dataset, "embedding", TINY_CONFIG)
    assert "encoded" in encoded.basis
    assert encoded.seconds == pytest.approx(1.15 * facts["num_tokens"] * 2.5 / 10_000, rel=0.1)
    speeds.record(home, BUNDLED_EMBEDDER, "embedding", 10 * facts["num_tokens"], 50.0)
    timed = runs.estimate(project, dataset, "embedding", TINY_CONFIG)
    assert "the last run of this base model" in timed.basis
    assert timed.seconds == pytest.approx(1.15 * 5.0, rel=0.1)


def test_long_passages_are_warned_of(project: str) -> None:
    dataset = add_tiny_dataset(project)
    warnings = runs.estimate(project, dataset, "embedding", {"max_tokens": 16}).warnings
    assert any("longer than 16 tokens" in warning for warning in warnings)


def test_workspace_functions_import_nothing_heavy() -> None:
    code = (
        "import sys; import finetune_core.workspace.runs; print([m for m in ('torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_views_are_frozen(project: str, trained: Trained) -> None:
    run_id, _ = add_finished_run(project, add_tiny_dataset(project), trained)
    with pytest.raises(dataclasses.FrozenInstanceError):
        runs.get(run_id).name = "x"  # type: ignore[misc]


def test_a_run_survives_the_death_of_its_worker(project: str, trained: Trained) -> None:
    """SIGKILL to worker and job at once, as when the machine goes down; another worker ends it as if nothing was."""
    run_id = runs.launch(project, add_tiny_dataset(project), "embedding", TINY_CONFIG)
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    command = [sys.executable, "-m", "finetune_core", "worker"]
    worker = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        _until(lambda: len(jobs.metrics(run_id).get("loss", ())) >= 4)
    finally:
        children = psutil.Process(worker.pid).children(recursive=True)
        for process in (psutil.Process(worker.pid), *children):
            process.kill()
        worker.wait()
    assert runs.get(run_id).state is JobState.RUNNING
    with database.writing() as connection:
        connection.execute(update(job).values(lease_expires_at=0.0))  # instead of waiting for it
    run_queued_here()
    view = runs.get(run_id)
    assert (view.state, view.job.attempt) == (JobState.DONE, 2)
    assert view.best_step == trained.model.facts["best_step"]
    assert view.steering.best == pytest.approx(trained.model.facts["best_validation"], abs=1e-4)
    manifest = artefacts.verify(models.folder(view.model_id))
    assert manifest["files"]["model.safetensors"]["sha256"] == file_sha256(trained.model.folder / "model.safetensors")
    assert [step for step, _ in jobs.metrics(run_id)["loss"]] == list(range(1, view.total_steps + 1))


def _until(condition: Callable[[], bool], timeout_s: float = 240.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
