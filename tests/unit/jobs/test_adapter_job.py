"""An adapter as a job: trained and published by the worker."""

import pytest

from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.bundled import is_bundled_installed
from finetune_core.storage import database
from finetune_core.workspace import models, projects, runs
from tests.training_fixtures import TINY_ADAPTER_CONFIG, add_tiny_dataset


@pytest.mark.parametrize("kind", ["low_rank", "nudge"])
def test_it_is_trained_and_published_by_the_worker(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    project = projects.create("p").id
    dataset = add_tiny_dataset(project)
    run_id = runs.launch(project, dataset, "embedding_adapter", TINY_ADAPTER_CONFIG | {"kind": kind}, "First")
    run_queued_here()
    run = runs.get(run_id)
    assert (run.state, run.job.error) == (JobState.DONE, "")
    assert run.base_value is not None
    assert run.best_value >= run.base_value
    assert run.total_steps > 0
    (view,) = models.listing(project)
    assert (view.id, view.name, view.recipe) == (run.model_id, "First", "embedding_adapter")
    assert view.manifest["config"]["kind"] == kind
    assert {path.suffix for path in models.folder(view.id).iterdir()} == {".json", ".safetensors"}
    assert view.size_bytes < 1_000_000
    assert (database.home() / "cache" / "vectors").is_dir()
