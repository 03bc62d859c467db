"""All that learns from one dataset version, compared at once: what was not tried there is trained first."""

from dataclasses import dataclass

from finetune_core import recipes
from finetune_core.errors import DatasetError, FinetuneError
from finetune_core.jobs.executors.compare import comparison_id
from finetune_core.jobs.out_of_domain import Choice, may_retry
from finetune_core.recipe import Recipe
from finetune_core.storage import comparisons, database
from finetune_core.workspace import datasets, jobs, models, runs
from finetune_core.workspace.comparisons import Launched

MAX_COMPARED = 12


@dataclass(frozen=True)
class Contenders:
    """Who competes on a dataset version: its models, newest first, the runs under way there, and the recipes nobody tried.

    There are at most 12 in all; the oldest models give way. `missing` leaves out recipes that need a service or are advised
    against, which nobody should start in passing.
    """

    model_ids: tuple[str, ...]
    run_ids: tuple[str, ...]
    missing: tuple[Recipe, ...]


@dataclass(frozen=True)
class Foreseen:
    """What one missing training would take: `seconds` None where nobody knows, `problem` "" unless it could not start."""

    recipe: Recipe
    seconds: float | None
    problem: str = ""


def contenders(project_id: str, dataset_id: str) -> Contenders:
    """Who competes on that version, all of its own kind of example. Raises DatasetError for an unknown version."""
    version = datasets.get(project_id, dataset_id)
    kind = {name: recipe for name, recipe in recipes.discover().items() if recipe.record.__name__ == version.record}
    under_way = tuple(
        run for run in runs.listing(project_id)
        if run.dataset_id == version.id and run.job.is_live and run.recipe in kind
    )  # fmt: skip
    known = [model for model in models.listing(project_id) if model.dataset_id == version.id and model.recipe in kind]
    tried = {model.recipe for model in known} | {run.recipe for run in under_way}
    missing = tuple(recipe for name, recipe in kind.items() if name not in tried and not recipe.notice)
    room = max(0, MAX_COMPARED - len(under_way) - len(missing))
    kept = _latest_of_each(known)[:room]
    return Contenders(tuple(kept), tuple(run.id for run in under_way), missing)


def foresee(project_id: str, dataset_id: str) -> tuple[Foreseen, ...]:
    """What the missing trainings would take with default settings, one after another; () if none is missing."""
    found = []
    for recipe in contenders(project_id, dataset_id).missing:
        try:
            estimate = runs.estimate(project_id, dataset_id, recipe.name, {})
            found.append(Foreseen(recipe, estimate.seconds if estimate else None))
        except FinetuneError as error:
            found.append(Foreseen(recipe, None, error.message))
    return tuple(found)


def compare_all(project_id: str, dataset_id: str, foreign: Choice | None = None) -> Launched:
    """Train with default settings what nobody tried on that version, wait for what is under way there, and compare all.

    Everything that finds passages is compared without and with the best tuned reranker. What is there already is reused:
    models, runs under way, and the comparison itself if nothing is new. All settings are checked before the first run is
    queued; asked for twice, it happens once. `foreign` are questions to score besides that nothing was tuned for; they are
    never sent to a service from here, because nobody saw what that would be. Cancelling the job cancels the trainings it
    had queued. Raises DatasetError for a version that nothing can learn from, and what `runs.launch` raises.
    """
    version = datasets.get(project_id, dataset_id)
    found = contenders(project_id, version.id)
    if not found.model_ids and not found.run_ids and not found.missing:
        raise DatasetError(
            f"Nothing here learns from {version.name!r} without a service or advice against it.",
            hint="Set up a training on the Train page.",
        )
    foreign = (
        foreign and foreign.model_copy(update={"to_services": False}) if version.record == datasets.PAIRS else None
    )
    if not found.run_ids and not found.missing:
        identity = comparison_id(version.id, found.model_ids, foreign, with_reranker=True)
        with database.reading() as connection:
            row = comparisons.find(connection, identity)
        if row is not None and not may_retry(row.result.get("out_of_domain")):
            return Launched(identity, row.job_id, is_finished=True)
    for recipe in found.missing:
        runs.checked_config(project_id, recipe.name, {})
    started = [runs.launch(project_id, version.id, recipe.name, {}) for recipe in found.missing]
    job_id = jobs.submit(
        project_id,
        "compare",
        {"dataset_id": version.id, "model_ids": found.model_ids, "run_ids": [*found.run_ids, *started],
         "with_reranker": True, "out_of_domain": foreign.model_dump() if foreign else None},
        title=f"Compare all on {version.name}",
        unique_key=f"compare-all:{project_id}:{version.id}",
        after=dict.fromkeys(found.run_ids, False) | dict.fromkeys(started, True),
    )  # fmt: skip
    return Launched("", job_id, is_finished=False)


def result(project_id: str, launched: Launched) -> str:
    """The id of the comparison that a launched job made, once it has ended; "" if it made none."""
    return launched.comparison_id or str(jobs.get(launched.job_id).result.get("comparison_id", ""))


def _latest_of_each(known: list[models.ModelView]) -> list[str]:
    """Ids with the newest model of each recipe first, so that none is left out for another's many runs."""
    first: dict[str, str] = {}
    for model in known:
        first.setdefault(model.recipe, model.id)
    return [*first.values(), *(model.id for model in known if model.id not in first.values())]
