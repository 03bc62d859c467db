"""Runs: trainings of a recipe on a dataset version. A run is a job of kind "train"; the run's id is the job's."""

import functools
import json
import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from finetune_core import recipes, settings
from finetune_core.errors import JobError, StorageError, TrainingError
from finetune_core.jobs import queue
from finetune_core.jobs.states import JobState, JobView
from finetune_core.providers import embedder
from finetune_core.providers.tokens import TokenCounter
from finetune_core.records import MODEL_REFERENCE, content_id
from finetune_core.storage import database, datasets
from finetune_core.training import cost, speeds
from finetune_core.training.batches import ROWS_PER_PASSAGE
from finetune_core.training.embedding_config import EmbeddingConfig, Loss
from finetune_core.training.speeds import Work
from finetune_core.training.validation import TRAINING_COST
from finetune_core.workspace import jobs, models, projects
from finetune_core.workspace.datasets import get as dataset_version

KIND = "train"
SAMPLE = 400  # texts whose tokens are counted for an estimate


@dataclass(frozen=True)
class RunView:
    """A run as pages and the command line show it.

    `base_value` and `best_value` are nDCG@10 (0 to 1) on the validation pool, None until measured; `best_step` is where
    the best was, 0 for none yet. `pool` says what the curve is measured on. `model_id` is "" until a model was kept.
    """

    id: str
    project_id: str
    name: str
    recipe: str
    dataset_id: str
    state: JobState
    config: dict[str, Any]
    best_step: int
    best_value: float | None
    base_value: float | None
    total_steps: int
    pool: dict[str, int]
    model_id: str
    job: JobView


@dataclass(frozen=True)
class RunEstimate:
    """What a run will take; `basis` says in words where the time comes from, `warnings` what a person should know."""

    seconds: float
    memory_bytes: int
    disk_bytes: int
    num_steps: int
    basis: str
    warnings: tuple[str, ...] = ()


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
    Raises TrainingError for a setting out of bounds, DatasetError for an unknown version, StorageError if the disk is
    too full for the checkpoints.
    """
    row = dataset_version(project_id, dataset_id)
    checked = checked_config(project_id, recipe, config)
    _check_disk(checked)
    params = {"dataset_id": row.id, "recipe": recipe, "name": name.strip(), "config": checked.model_dump(mode="json")}
    key = content_id(project_id, json.dumps(params, sort_keys=True))
    return jobs.submit(
        project_id, KIND, params, title=name.strip() or f"{recipe} on {row.name}", unique_key=f"train-{key}"
    )


def checked_config(project_id: str, recipe: str, config: Mapping[str, Any]) -> BaseModel:
    """The settings with defaults filled in. Raises TrainingError that names the first one that does not fit."""
    model = recipes.get(recipe).config
    values = dict(config)
    for name in {"base_model", "retriever"} & model.model_fields.keys():
        if not values.get(name):
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


def parsed_settings(recipe: str, assignments: Sequence[str]) -> dict[str, Any]:
    """What `--set name=value` says, as values of the recipe's settings; lists are written "256,128".

    Raises TrainingError for one without "=".
    """
    fields = recipes.get(recipe).config.model_fields
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals:
            raise TrainingError(f"--set {assignment!r} has no '='.", hint="Write it as --set name=value.")
        is_list = name in fields and "tuple" in str(fields[name].annotation)
        values[name] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text.strip()
    return values


def estimate(project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any]) -> RunEstimate | None:
    """Time, memory and disk of a run that was not started yet, None for a recipe whose work nobody can foresee: that of
    a service, say. Raises what `launch` raises.

    The time comes from the last runs of the same base model on this machine, else from how fast it encoded texts with
    it when a dataset was frozen, else from a probe.
    """
    checked = checked_config(project_id, recipe, config)
    row = dataset_version(project_id, dataset_id)
    if not isinstance(checked, EmbeddingConfig):
        return None
    counts = _token_sample(project_id, row.id, checked.base_model)
    size = cost.model_size(embedder.resolve(checked.base_model))
    num_groups = counts.num_rows if checked.loss is Loss.CACHED else counts.num_groups
    num_passages = num_groups + checked.hard_negatives * counts.num_rows
    num_tokens = checked.epochs * int(
        counts.num_rows * _mean(np.minimum(counts.queries, checked.max_tokens))
        + num_passages * _mean(np.minimum(counts.passages, checked.max_tokens))
    )
    speed, basis = _speed(checked.base_model, size)
    longest = int(min(checked.max_tokens, counts.passages.max(initial=0)))
    passages_at_once = min(checked.batch_size, 32) if checked.loss is Loss.CACHED else checked.batch_size
    passages_at_once *= round(num_passages / max(num_groups, 1))
    return RunEstimate(
        seconds=1.15 * num_tokens / speed,  # validation takes up to 15 % on top
        memory_bytes=cost.train_memory_bytes(size, passages_at_once * longest, longest),
        disk_bytes=cost.train_disk_bytes(size),
        num_steps=checked.epochs * -(-num_groups // checked.batch_size),
        basis=basis,
        warnings=_warnings(checked, counts),
    )


@dataclass(frozen=True)
class _TokenSample:
    queries: np.ndarray[Any, np.dtype[np.int64]]
    passages: np.ndarray[Any, np.dtype[np.int64]]
    num_rows: int
    num_groups: int  # passages as often as they are read in an epoch


@functools.lru_cache(maxsize=16)
def _token_sample(project_id: str, dataset_id: str, base_model: str) -> _TokenSample:
    part = datasets.load_split(project_id, dataset_id).train
    counter = TokenCounter.for_model(base_model)
    pairs = [(e.query, p) for e in part.examples for p in e.relevant if p in part.corpus.positions]
    sample = random.Random(0).sample(pairs, min(SAMPLE, len(pairs)))
    return _TokenSample(
        queries=np.array(counter.count_many([query for query, _ in sample]), dtype=np.int64),
        passages=np.array(counter.count_many([part.corpus[p].full_text for _, p in sample]), dtype=np.int64),
        num_rows=len(pairs),
        num_groups=sum(-(-count // ROWS_PER_PASSAGE) for count in Counter(passage for _, passage in pairs).values()),
    )


def _mean(tokens: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    return float(tokens.mean()) if len(tokens) else 0.0


def _speed(base_model: str, size: cost.ModelSize) -> tuple[float, str]:
    """Tokens per second of training, and where the number comes from."""
    home, threads = database.home(), settings.current().threads
    if trained := speeds.tokens_per_s(home, base_model, Work.TRAIN, threads):
        runs = "the last run" if trained[1] == 1 else f"the last {trained[1]} runs"
        return trained[0], f"{runs} of this base model on this machine"
    if encoded := speeds.tokens_per_s(home, base_model, Work.ENCODE, threads):
        return encoded[0] / TRAINING_COST, "how fast this base model encoded texts on this machine"
    flops = speeds.machine_flops(home, threads)
    return 1 / cost.train_seconds(size, 1, flops), "a short probe of this machine, and is rough until a run was timed"


def _warnings(config: EmbeddingConfig, counts: _TokenSample) -> tuple[str, ...]:
    found = []
    if counts.num_groups < config.batch_size * 4:
        found.append(
            f"Only {counts.num_rows} training pairs on {counts.num_groups} passages: that is less than four batches of "
            f"{config.batch_size} passages."
        )
    limit = min(config.max_tokens, TokenCounter.for_model(config.base_model).max_tokens)
    cut = float((counts.passages > limit).mean()) if counts.num_rows else 0.0
    if cut >= 0.01:
        found.append(f"About {cut:.0%} of the passages are longer than {limit} tokens and are cut there.")
    return tuple(found)


def _check_disk(config: BaseModel) -> None:
    model = str(getattr(config, "base_model", ""))
    if model.startswith(MODEL_REFERENCE):
        model = str(models.folder(model.removeprefix(MODEL_REFERENCE)))
    if not model.startswith("bundled/") and not Path(model).is_dir():
        return  # a hub model is fetched by the run itself, a service has no weights: no size is known here
    needed = cost.train_disk_bytes(cost.model_size(embedder.resolve(model)))
    free = shutil.disk_usage(database.home()).free
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
        best_value=facts.get("best_validation"),
        base_value=facts.get("base_validation"),
        total_steps=facts.get("total_steps") or 0,
        pool=facts.get("pool") or {},
        model_id=facts.get("model_id") or "",
        job=view,
    )
