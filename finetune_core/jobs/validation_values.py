"""By what runs are told apart on validation examples, before anyone looks at the test examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from finetune_core import recipes
from finetune_core.jobs import queue
from finetune_core.storage import database
from finetune_core.storage.models import ModelRow


def validation_values(rows: Sequence[ModelRow]) -> dict[str, float | None]:
    """What each model's run reached on validation, by its id; the higher the better, so a loss counts below zero.

    None for all unless they say the same: they learned from one dataset version, and those that chose by a loss had it
    over the same examples for the same untuned model, which shows in the loss before the first step.
    """
    is_comparable = len({row.dataset_id for row in rows}) == 1 and len({_scale(row) for row in rows}) == 1
    return {row.id: validation_value(row) if is_comparable else None for row in rows}


def validation_value(row: ModelRow) -> float | None:
    """What the run of one model reached on validation, as in `validation_values`; None if its run did not say."""
    loss, facts = recipes.get(row.recipe).loss, _facts(row)
    value = facts.get(f"best_{loss}") if loss else facts.get("best_validation", row.manifest.get("best_validation"))
    if not isinstance(value, int | float):
        return None
    return -float(value) if loss else float(value)


def _scale(row: ModelRow) -> tuple[Any, ...]:
    """Equal for runs whose values are of one kind; () for all that chose by a metric."""
    loss, facts = recipes.get(row.recipe).loss, _facts(row)
    if not loss:
        return ()
    config, base = row.manifest.get("config", {}), facts.get(f"base_{loss}")
    num_examples = facts.get("pool", {}).get("num_examples")
    before = round(float(base), 3) if isinstance(base, int | float) else None
    return (row.recipe, config.get("method"), config.get("base_model"), config.get("service"), num_examples, before)


def _facts(row: ModelRow) -> Mapping[str, Any]:
    with database.reading() as connection:
        return {**row.manifest.get("facts", {}), **queue.recall(connection, row.job_id)}
