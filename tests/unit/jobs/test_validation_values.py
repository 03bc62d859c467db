"""By what several runs are told apart before anyone looks at the test examples."""

from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.jobs import validation_values as told
from finetune_core.storage.models import ModelRow
from finetune_core.workspace.steering import steering

BASE = {"config": {"base_model": "m", "method": "supervised"}, "facts": {"base_validation_loss": 2.0}}


def row(number: int, recipe: str, manifest: dict[str, Any], dataset: str = "d") -> ModelRow:
    return ModelRow(
        id=f"m{number}", project_id="p", job_id=f"j{number}", dataset_id=dataset, recipe=recipe, name="",
        size_bytes=0, manifest=manifest, created_at=0.0,
    )  # fmt: skip


def chat(number: int, loss: float, dataset: str = "d", **config: Any) -> ModelRow:
    facts = {**BASE["facts"], "best_validation_loss": loss}
    return row(number, "distillation", {"config": BASE["config"] | config, "facts": facts}, dataset)


def test_the_lowest_loss_over_the_same_examples_of_the_same_model_is_best(home: object) -> None:
    found = told.validation_values([chat(1, 1.5), chat(2, 1.2)])
    assert found == {"m1": -1.5, "m2": -1.2}
    unlike = ([chat(1, 1.5), chat(2, 1.2, base_model="n")], [chat(1, 1.5), chat(2, 0.6, method="dpo")],
              [chat(1, 1.5), chat(2, 1.2, dataset="e")])  # fmt: skip
    for rows in unlike:
        assert set(told.validation_values(rows).values()) == {None}
    metrics = [row(n, "embedding", {"facts": {"best_validation": 0.1 * n}}) for n in (1, 2)]
    assert told.validation_values(metrics) == {"m1": 0.1, "m2": 0.2}


def test_a_loss_is_told_as_what_it_means() -> None:
    facts = {"base_validation_loss": 2.302585, "best_validation_loss": 0.693147}
    found = steering(recipes.get("distillation"), {"method": "supervised"}, facts)
    assert (found.name, found.is_loss, found.change) == ("validation_loss", True, pytest.approx(-1.6094, abs=1e-4))
    assert found.token_chances == (pytest.approx(0.1), pytest.approx(0.5))
    metric = steering(recipes.get("embedding"), {}, {"base_validation": 0.4, "best_validation": 0.5})
    assert (metric.name, metric.title, metric.token_chances) == ("validation_ndcg@10", "nDCG@10", None)
    assert steering(recipes.get("distillation"), {"method": "dpo"}, {}).title == "preference loss"
