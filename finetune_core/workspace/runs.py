"""Runs: trainings of a recipe on a dataset version. A run is a job of kind "train"; the run's id is the job's."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from finetune_core import recipes
from finetune_core.errors import DatasetError, JobError, ProviderError, StorageError, TrainingError
from finetune_core.jobs import queue
from finetune_core.jobs.states import JobState, JobView
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.recipe import Charge, Estimate
from finetune_core.records import MODEL_REFERENCE, content_id
from finetune_core.storage import database
from finetune_core.workspace import jobs, models, outlines, projects
from finetune_core.workspace.datasets import get as dataset_version
from finetune_core.workspace.outlines import ThisMachine
from finetune_core.workspace.steering import Steering, steering

__all__ = ["Charge", "Estimate"]

KIND = "train"


@dataclass(frozen=True)
class RunView:
    """A run as pages and the command line show it.

    `steering` is what is measured on the validation pool; `best_step` is where the best was, 0 for none yet. `pool` says
    what the curve is measured on. `model_id` is "" until a model was kept.
    """

    id: str
    project_id: str
    name: str
    recipe: str
    dataset_id: str
    state: JobState
    config: dict[str, Any]
    best_step: int
    steering: Steering
    total_steps: int
    pool: dict[str, int]
    model_id: str
    job: JobView


def listing(project_id: str, limit: int = 50) -> list[RunView]:
    """The newest runs of a project first; [] where there are none."""
    with database.reading() as connection:
        views = queue.listing(connection, project_id, (KIND,), limit)
        return [_view(view, queue.recall(connection, view.id)) for view in views]


def get(run_id: str) -> RunView:
    """The run of that id. Raises JobError if there is none."""
    view = jobs.get(run_id)
    if view.kind != KIND:
        raise JobError(f"{run_id} is a job of kind {view.kind}, not a run.", hint="List the runs of the project.")
    with database.reading() as connection:
        return _view(view, queue.recall(connection, run_id))


def launch(project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any], name: str = "") -> str:
    """Queue a run and return its id; the same run asked for twice while it is live is one run.

    `dataset_id` may be a version's name. Settings not given take their defaults, the base model that of the project.
    Raises TrainingError for a setting out of bounds, DatasetError for an unknown version, ArtefactError for a model that
    is gone, StorageError if the disk is too full for the checkpoints.
    """
    row = dataset_version(project_id, dataset_id)
    checked = checked_config(project_id, recipe, config)
    _check_models(checked)
    _check_disk(project_id, row.id, recipe, checked)
    params = {"dataset_id": row.id, "recipe": recipe, "name": name.strip(), "config": checked.model_dump(mode="json")}
    key = content_id(project_id, json.dumps(params, sort_keys=True))
    return jobs.submit(
        project_id, KIND, params, title=name.strip() or f"{recipe} on {row.name}", unique_key=f"train-{key}"
    )


def checked_config(project_id: str, recipe: str, config: Mapping[str, Any]) -> BaseModel:
    """The settings with defaults filled in. Raises TrainingError that names the first one that does not fit."""
    model = recipes.get(recipe).config
    values = dict(config)
    for name in ("base_model", "retriever"):
        if not values.get(name) and starts_from_embedder(recipe, name):
            values[name] = projects.get(project_id).base_model
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        known = f" Known are: {', '.join(model.model_fields)}." if first["type"] == "extra_forbidden" else ""
        raise TrainingError(
            f"{name} is {first['input']!r}: {first['msg']}.", hint=f"Give {name} another value.{known}"
        ) from error


def starts_from_embedder(recipe: str, setting: str = "base_model") -> bool:
    """Whether that setting of a recipe names an embedding model: then the project's own stands there unless another is named."""
    field = recipes.get(recipe).config.model_fields.get(setting)
    return field is not None and field.default == BUNDLED_EMBEDDER


def parsed_settings(recipe: str, assignments: Sequence[str]) -> dict[str, Any]:
    """What `--set name=value` says, as values of the recipe's settings; lists are written "256,128".

    Raises TrainingError for one without "=".
    """
    fields = recipes.get(recipe).config.model_fields
    lists = {name for name, field in fields.items() if "tuple" in str(field.annotation)}
    return {
        name: [part.strip() for part in text.split(",") if part.strip()] if name in lists else text
        for name, text in named_values(assignments).items()
    }


def named_values(assignments: Sequence[str]) -> dict[str, str]:
    """The texts that `--set name=value` gives, by name. Raises TrainingError for one without "="."""
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise TrainingError(f"--set {assignment!r} has no '='.", hint="Write it as --set name=value.")
        values[name.strip()] = text.strip()
    return values


def estimate(project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any]) -> Estimate | None:
    """What a run that was not started yet would take, None for a recipe of which nobody can tell.

    Raises what `launch` raises, but for StorageError. The time comes from the last runs of the same base model on this
    machine, else from how fast it encoded texts with it when a dataset was frozen, else from a probe.
    """
    checked = checked_config(project_id, recipe, config)
    return _estimate(project_id, dataset_version(project_id, dataset_id).id, recipe, checked, ThisMachine())


def _estimate(
    project_id: str, dataset_id: str, recipe: str, checked: BaseModel, machine: ThisMachine
) -> Estimate | None:
    foresee = recipes.get(recipe).estimate
    return foresee(outlines.outline(project_id, dataset_id), checked, machine) if foresee else None


def _check_models(checked: BaseModel) -> None:
    for name in ("base_model", "retriever", "teacher"):
        if (reference := str(getattr(checked, name, ""))).startswith(MODEL_REFERENCE):
            models.folder(reference.removeprefix(MODEL_REFERENCE))


def _check_disk(project_id: str, dataset_id: str, recipe: str, checked: BaseModel) -> None:
    found = None
    with suppress(ProviderError, DatasetError):  # a model that is not here yet is fetched by the run: no size is known
        found = _estimate(project_id, dataset_id, recipe, checked, ThisMachine(is_probed=False))
    needed, free = (found.disk_bytes if found else None) or 0, shutil.disk_usage(database.home()).free
    if free < needed:
        raise StorageError(
            f"The run needs {needed / 1e9:.1f} GB for checkpoints; {free / 1e9:.1f} GB are free in {database.home()}.",
            hint="Free some space, or set AYAR_HOME to a larger disk.",
        )


def _view(view: JobView, facts: Mapping[str, Any]) -> RunView:
    params = view.params
    return RunView(
        id=view.id,
        project_id=view.project_id,
        name=params.get("name") or view.title,
        recipe=params["recipe"],
        dataset_id=params["dataset_id"],
        state=view.state,
        config=params["config"],
        best_step=facts.get("best_step") or 0,
        steering=steering(recipes.get(params["recipe"]), params["config"], facts),
        total_steps=facts.get("total_steps") or 0,
        pool=facts.get("pool") or {},
        model_id=facts.get("model_id") or "",
        job=view,
    )
