"""All that learned from one dataset version, to be compared at once, and what could still be tried on it."""

from dataclasses import dataclass

from finetune_core import recipes
from finetune_core.recipe import Recipe
from finetune_core.workspace import models, runs

MAX_COMPARED = 12


@dataclass(frozen=True)
class Contenders:
    """The models that learned from a dataset version, newest first and at most 12, and the recipes that nobody ran there.

    All are of one kind of example: that of the newest model. `missing` leaves out recipes with a run under way, and those
    that need a service or are advised against, which nobody should start in passing.
    """

    model_ids: tuple[str, ...]
    missing: tuple[Recipe, ...]


def contenders(project_id: str, dataset_id: str) -> Contenders:
    """Who competes on that version; without a model there, nobody and nothing."""
    known = [model for model in models.listing(project_id) if model.dataset_id == dataset_id]
    if not known:
        return Contenders((), ())
    kind = recipes.get(known[0].recipe).record
    alike = [model for model in known if recipes.get(model.recipe).record is kind]
    tried = {model.recipe for model in alike}
    tried |= {run.recipe for run in runs.listing(project_id) if run.dataset_id == dataset_id and run.job.is_live}
    missing = tuple(
        recipe
        for recipe in recipes.discover().values()
        if recipe.record is kind and recipe.name not in tried and not recipe.notice
    )
    return Contenders(tuple(model.id for model in alike[:MAX_COMPARED]), missing)


def train_missing(project_id: str, dataset_id: str) -> list[str]:
    """Queue a run with default settings for each recipe that nobody ran on that version; returns the runs' ids.

    All settings are checked before the first run is queued. Raises what `runs.launch` raises.
    """
    missing = contenders(project_id, dataset_id).missing
    for recipe in missing:
        runs.checked_config(project_id, recipe.name, {})
    return [runs.launch(project_id, dataset_id, recipe.name, {}) for recipe in missing]
