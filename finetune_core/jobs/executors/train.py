"""Train a recipe on a dataset version and keep the model. The job is the run."""

import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from finetune_core import settings
from finetune_core.errors import JobCancelled
from finetune_core.jobs.run import JobRun
from finetune_core.recipe import Recipe
from finetune_core.records import Split, content_id

HEAVY = True
LIBRARIES = ("sentence-transformers", "transformers", "torch", "numpy")


class Params(BaseModel):
    """What to train on what; `config` holds the settings of the recipe, all of them."""

    dataset_id: str
    recipe: str
    name: str = Field("", max_length=120)
    config: dict[str, Any]


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Train, publish, and say which model came out.

    A job that was stopped publishes the best so far, and goes on from its last checkpoint if it is resumed.
    """
    from finetune_core import recipes
    from finetune_core.storage import datasets

    if finished := run.recall("finished"):
        _drop_superseded(run)
        return dict(finished)
    recipe = recipes.get(params.recipe)
    config = recipe.config.model_validate(params.config)
    _limit_threads()
    run.progress(0.0, "Reading the dataset")
    split = datasets.load_split(run.project_id, params.dataset_id)
    recipe.check(split.train)
    run.say(f"Training {recipe.title} on {len(split.train):,} questions")
    _lend_candidates(run, params, config)
    try:
        model = recipe.train(split, config, run)
    except JobCancelled:
        shutil.rmtree(run.workdir, ignore_errors=True)
        raise
    _note_speed(recipe, config, getattr(model, "facts", {}))
    _keep_candidates(run, params, config)
    result = _publish(run, params, recipe, config, split, model)
    if not run.was_stopped:
        run.remember(finished=result)
        shutil.rmtree(run.workdir, ignore_errors=True)  # checkpoints are several times the size of the model
    return result


def _lend_candidates(run: JobRun, params: Params, config: BaseModel) -> None:
    """Give the run what mining found on this version with the settings it would mine with itself."""
    lent, found = _candidates(run, params, config)
    if found is not None and found.is_file() and not lent.exists():
        partial = lent.with_suffix(".lent")
        shutil.copyfile(found, partial)
        partial.rename(lent)
        run.say("Hard negatives were mined before with these settings; the search is not repeated")


def _keep_candidates(run: JobRun, params: Params, config: BaseModel) -> None:
    """Leave what this run mined to the next one, and to whoever looks at the margin on the Train page."""
    mined, place = _candidates(run, params, config)
    if place is not None and mined.is_file() and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        mined.rename(place)


def _candidates(run: JobRun, params: Params, config: BaseModel) -> tuple[Path, Path | None]:
    """Where candidates for hard negatives lie in the run's folder, and in the project; None if the recipe never mines."""
    from finetune_core.storage import mined
    from finetune_core.training.negatives import CANDIDATES_FILE

    mined_with = getattr(config, "mined_with", None)
    place = mined.path(run.project_id, params.dataset_id, *mined_with) if mined_with else None
    return run.workdir / CANDIDATES_FILE, place


def _publish(
    run: JobRun, params: Params, recipe: Recipe, config: BaseModel, split: Split[Any], model: Any
) -> dict[str, Any]:
    from finetune_core.storage import artefacts
    from finetune_core.storage import models as rows

    facts = getattr(model, "facts", {})
    # One id for each step the job stopped at: said twice it is the same model, resumed it takes the place of the other.
    model_id = content_id("model", run.job_id, str(facts.get("best_step")), str(facts.get("last_step")))
    folder = rows.folder(run.project_id, model_id)
    manifest = {
        "recipe": recipe.name,
        "config": config.model_dump(mode="json"),
        "base_model": getattr(config, "base_model", ""),
        "dataset_id": params.dataset_id,
        "dataset_hash": split.fingerprint,
        "split": {part.name: len(part) for part in (split.train, split.validation, split.test)},
        "seed": run.seed,
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "run_id": run.job_id,
        "facts": facts,
    }
    known = run.recall("published", [])
    run.remember(published=[*known, *({model_id} - set(known))])
    with artefacts.publish(folder, manifest) as target:
        recipe.save(model, target)
    manifest = artefacts.read_manifest(folder)
    name = params.name or f"{recipe.name}-{run.job_id[:6]}"
    size = artefacts.size_bytes(folder)
    row = rows.ModelRow(
        id=model_id,
        project_id=run.project_id,
        job_id=run.job_id,
        recipe=recipe.name,
        dataset_id=params.dataset_id,
        name=name,
        manifest=manifest,
        size_bytes=size,
    )
    with run.writing() as connection:
        rows.add(connection, row)
        gone = rows.supersede(connection, row)
        run.remember_in(connection, model_id=model_id)
    _drop_superseded(run)
    if gone:
        run.say(f"It takes the place of {', '.join(gone)}, which this run had kept when it was stopped.")
    run.say(f"Published model {model_id}")
    return {"model_id": model_id, **facts}


def _drop_superseded(run: JobRun) -> None:
    """Delete the files of models of this run that are no models any more; may be done twice."""
    from finetune_core.jobs.executors import export
    from finetune_core.storage import artefacts, database
    from finetune_core.storage import models as rows

    for model_id in run.recall("published", []):
        with database.reading() as connection:
            if rows.find(connection, model_id) is not None:
                continue
        folder = rows.folder(run.project_id, model_id)
        # The manifest goes first, so that a half-deleted folder never looks complete.
        (folder / artefacts.MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        export.zip_path(run.project_id, model_id).unlink(missing_ok=True)


def _note_speed(recipe: Recipe, config: BaseModel, facts: dict[str, Any]) -> None:
    """What the next estimate goes by."""
    from finetune_core.storage import database
    from finetune_core.training import speeds

    spent, read = facts.get("train_seconds") or 0.0, facts.get("num_tokens") or 0
    base_model = getattr(config, "base_model", "")
    speeds.record(database.home(), base_model, recipe.name, read, spent, settings.current().threads)


def _limit_threads() -> None:
    if threads := settings.current().threads:
        import torch

        torch.set_num_threads(threads)
