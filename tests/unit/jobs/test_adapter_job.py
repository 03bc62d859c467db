"""An adapter as a job: trained and published by the worker."""

import pytest

from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.bundled import is_bundled_installed
from finetune_core.storage import database
from finetune_core.workspace import models, projects, providers, runs
from tests.training_fixtures import TINY_ADAPTER_CONFIG, add_tiny_dataset, tiny_split
from tests.vendors.openai_embeddings import serving_embeddings
from tests.vendors.server import KEY


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
    assert run.steering.base is not None
    assert run.steering.best >= run.steering.base
    assert run.total_steps > 0
    (view,) = models.listing(project)
    assert (view.id, view.name, view.recipe) == (run.model_id, "First", "embedding_adapter")
    assert view.manifest["config"]["kind"] == kind
    assert {path.suffix for path in models.folder(view.id).iterdir()} == {".json", ".safetensors"}
    assert view.size_bytes < 1_000_000
    assert (database.home() / "cache" / "vectors").is_dir()


def test_what_a_service_charges_is_foreseen_and_put_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    project, split = projects.create("p").id, tiny_split()
    dataset = add_tiny_dataset(project)
    config = TINY_ADAPTER_CONFIG | {"base_model": "service:vendor"}
    with serving_embeddings() as vendor:
        providers.save(
            name="vendor", base_url=vendor.url, model="embed", key_variable="LOOPBACK_KEY", input_usd_per_million=2.0
        )
        before = runs.estimate(project, dataset, "embedding_adapter", config)
        run_id = runs.launch(project, dataset, "embedding_adapter", config)
        run_queued_here()
        assert runs.get(run_id).state is JobState.DONE, runs.get(run_id).job.error
        after = runs.estimate(project, dataset, "embedding_adapter", config)
    queries = {example.query for part in (split.train, split.validation) for example in part.examples}
    words = sum(len(text.split()) for text in queries | {passage.full_text for passage in split.train.corpus})
    (spent,) = providers.spent()
    assert (spent.provider, spent.spend.input_tokens, spent.spend.output_tokens) == ("vendor", words, 0)
    assert spent.spend.cost_usd == pytest.approx(2e-6 * words)
    (charge,) = before.charges
    assert charge.service == "vendor"
    assert words / 2 < charge.num_tokens < 4 * words, "about: the service has a tokenizer of its own"
    assert charge.cost_usd == pytest.approx(2e-6 * charge.num_tokens)
    assert after.charges == (), "every text is paid for once"
    assert after.seconds < 60
