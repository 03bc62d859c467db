"""Train a recipe on a dataset version and keep the model. The job is the run."""

import shutil
from importlib import metadata
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
        return dict(finished)
    recipe = recipes.get(params.recipe)
    config = recipe.config.model_validate(params.config)
    _limit_threads()
    run.progress(0.0, "Reading the dataset")
    split = datasets.load_split(run.project_id, params.dataset_id)
    run.say(f"Training {recipe.title} on {len(split.train):,} questions")
    try:
        model = recipe.train(split, config, run)
    except JobCancelled:
        shutil.rmtree(run.workdir, ignore_errors=True)
        raise
    result = _publish(run, params, recipe, config, split, model)
    if not run.was_stopped:
        run.remember(finished=result)
        shutil.rmtree(run.workdir, ignore_errors=True)  # checkpoints are several times the size of the model
    return result


def _publish(
    run: JobRun, params: Params, recipe: Recipe, config: BaseModel, split: Split[Any], model: Any
) -> dict[str, Any]:
    from finetune_core.storage import artefacts
    from finetune_core.storage import models as rows

    facts = getattr(model, "facts", {})
    # One model for each job and step it stopped at: said twice it is the same one, resumed it is a new one.
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
    run.remember(model_id=model_id)
    run.say(f"Published model {model_id}")
    return {"model_id": model_id, **facts}


def _limit_threads() -> None:
    if threads := settings.current().threads:
        import torch

        torch.set_num_threads(threads)
