"""SIGKILL to the dashboard while jobs work: they go on, and a dashboard started anew shows how they ended."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from finetune_core.jobs.states import JobState
from finetune_core.records import Passage
from finetune_core.storage import database, documents
from finetune_core.workspace import corpus, generation, jobs, projects, runs
from tests.browser.conftest import eventually
from tests.dashboard_server import dashboard
from tests.training_fixtures import TINY_CONFIG, add_tiny_dataset
from tests.tuned_model import add_tuned_model

ENVIRONMENT = {"AYAR_HEAVY_JOBS": "2", "OMP_NUM_THREADS": "1"}


def test_jobs_outlive_the_dashboard(
    open_tab: Callable[..., Page], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = projects.create("Outlives").id
    with monkeypatch.context() as patch:
        patch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)  # the dashboard is to start it
        started = _queue_jobs(project_id, tmp_path)
    with dashboard(home, ENVIRONMENT) as first:
        page = open_tab(f"{first.url}/runs?project={project_id}&run={started['train']}", watched=False)
        eventually(page, lambda: any(jobs.get(one).state is JobState.RUNNING for one in started.values()))
        os.kill(first.process.pid, signal.SIGKILL)
        assert first.process.wait(30) == -signal.SIGKILL
        live = {kind for kind, one in started.items() if jobs.get(one).is_live}
        assert "train" in live
        assert jobs.workers(), "the worker is no child of the dashboard"
        page.close()
        with dashboard(home, ENVIRONMENT) as second:
            page = open_tab(f"{second.url}/runs?project={project_id}&run={started['train']}")
            eventually(page, lambda: not any(jobs.get(one).is_live for one in started.values()), timeout_s=400)
            for kind, one in started.items():
                assert (jobs.get(one).state, jobs.get(one).attempt) == (JobState.DONE, 1), (kind, jobs.log_tail(one))
            eventually(page, lambda: "Done" in page.inner_text("body"))
            page.close()  # before its server goes


def _queue_jobs(project_id: str, folder: Path) -> dict[str, str]:
    dataset_id = add_tiny_dataset(project_id)
    add_tuned_model(project_id)
    files = folder / "files"
    files.mkdir()
    for number in range(40):
        (files / f"{number}.txt").write_text(f"Harbour number {number} opens at dawn. " * 40)
    with database.writing() as connection:
        text = "The pilots of harbour number {} guide large ships past the rocks each week. They start at dawn."
        passages = [Passage(f"c{number}", text.format(number), f"d{number}") for number in range(60)]
        documents.insert_passages(connection, project_id, "", passages)
    params = generation.params_from({"generator": "extractive", "questions_per_chunk": 1})
    return {
        "train": runs.launch(project_id, dataset_id, "embedding", {**TINY_CONFIG, "epochs": 4}),
        "compare": jobs.submit(project_id, "compare", {"dataset_id": dataset_id, "model_ids": ["m1"]}),
        "ingest": corpus.ingest_path(project_id, files),
        "generate": generation.start(project_id, params),
    }
