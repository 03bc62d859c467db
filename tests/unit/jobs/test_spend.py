"""What a job pays a service for searches."""

import pytest

from finetune_core.errors import ProviderError
from finetune_core.jobs import queue
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.run import JobRun
from finetune_core.storage import database, generations
from finetune_core.workspace import projects, providers


def test_each_search_is_on_record_at_the_price_entered() -> None:
    project = projects.create("p").id
    for name, price in (("Priced", 2.0), ("Unpriced", None)):
        providers.save(
            name=name, kind="cohere", base_url="http://localhost:1", model="rerank", usd_per_thousand_searches=price
        )
    with database.writing() as connection:
        queue.add(connection, project_id=project, kind="compare", params={}, heavy=True, title="t")
        held = queue.claim(connection, "test", heavy_slots=1)
    assert held is not None
    run = JobRun(held)
    run.spend("Priced", 1)
    Portion(run, 0.0, 0.5).spend("Priced", 2)
    run.spend("Unpriced", 4)
    found = {one.provider: (one.spend.cost_usd, one.num_calls) for one in providers.spent()}
    assert found == {"Priced": (pytest.approx(0.006), 2), "Unpriced": (None, 1)}
    with database.reading() as connection:
        assert generations.spent(connection, job_id=held.job_id).cost_usd == pytest.approx(0.006)
    with pytest.raises(ProviderError):
        run.spend("Gone", 1)


def test_training_is_on_record_at_the_price_of_the_model() -> None:
    project = projects.create("p").id
    providers.save(name="S", base_url="http://localhost:1", model="m", training_usd_per_million={"gpt-mini": 5.0})
    with database.writing() as connection:
        queue.add(connection, project_id=project, kind="train", params={}, heavy=True, title="t")
        held = queue.claim(connection, "test", heavy_slots=1)
    assert held is not None
    run = JobRun(held)
    Portion(run, 0.0, 0.5).spend_training("S", "gpt-mini", 200_000)
    (found,) = providers.spent()
    assert (found.spend.input_tokens, found.spend.cost_usd) == (200_000, pytest.approx(1.0))
    run.spend_training("S", "another", 100)
    (found,) = providers.spent()
    assert (found.spend.input_tokens, found.spend.cost_usd) == (200_100, pytest.approx(1.0))
