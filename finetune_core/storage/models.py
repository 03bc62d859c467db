"""Rows of tuned models. Their files lie in the folder of their project; `storage.artefacts` guards those."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from finetune_core.errors import ArtefactError
from finetune_core.records import MODEL_REFERENCE
from finetune_core.storage import artefacts, database
from finetune_core.storage.tables import LIVE_STATES, job, model


@dataclass(frozen=True)
class ModelRow:
    """A tuned model: what it is called, which run made it from which dataset version, and its manifest."""

    id: str
    project_id: str
    job_id: str
    recipe: str
    dataset_id: str
    name: str
    manifest: dict[str, Any]
    size_bytes: int
    created_at: float = field(default_factory=database.now)


def folder(project_id: str, model_id: str) -> Path:
    """Where the files of a model lie, whether it exists or not."""
    return database.home() / "projects" / project_id / "models" / model_id


def add(connection: Connection, row: ModelRow) -> None:
    """Keep a model. Does nothing if a row of that id exists, so that a run that was killed may say it twice."""
    if find(connection, row.id) is None:
        connection.execute(insert(model).values(**asdict(row)))


def find(connection: Connection, model_id: str) -> ModelRow | None:
    """The model of that id, or None."""
    found = connection.execute(select(model).where(model.c.id == model_id)).mappings().first()
    return _row(found) if found else None


def checked_folder(connection: Connection, project_id: str, model_id: str) -> Path:
    """The folder of a project's model after its files were checked. Raises ArtefactError if it is gone or was altered."""
    row = find(connection, model_id)
    if row is None or row.project_id != project_id:
        raise ArtefactError(f"There is no model {model_id!r} in this project.", hint="Choose another model.")
    path = folder(project_id, model_id)
    artefacts.verify(path)
    return path


def of_project(connection: Connection, project_id: str) -> list[ModelRow]:
    """The models of a project, newest first; [] where there are none."""
    query = select(model).where(model.c.project_id == project_id).order_by(model.c.created_at.desc(), model.c.id)
    return [_row(found) for found in connection.execute(query).mappings()]


def of_job(connection: Connection, job_id: str) -> ModelRow | None:
    """The newest model that a run made, or None if it made none."""
    query = select(model).where(model.c.job_id == job_id).order_by(model.c.created_at.desc())
    found = connection.execute(query).mappings().first()
    return _row(found) if found else None


def supersede(connection: Connection, row: ModelRow) -> list[str]:
    """Forget the older models of the run that made `row`; returns the ids of those that are gone, for their files.

    One that an unfinished job works with, or another model stands on, stays, and is told apart by its name.
    """
    gone = []
    for old in of_project(connection, row.project_id):
        if old.job_id != row.job_id or old.id == row.id:
            continue
        if live_jobs_using(connection, old) or built_on(connection, old):
            name = f"{row.name} (stopped at step {old.manifest.get('facts', {}).get('last_step', '?')})"
            connection.execute(update(model).where(model.c.id == old.id).values(name=name))
        else:
            remove(connection, old.id)
            gone.append(old.id)
    return gone


def remove(connection: Connection, model_id: str) -> None:
    """Forget a model; its files stay where they are."""
    connection.execute(delete(model).where(model.c.id == model_id))


def live_jobs_using(connection: Connection, row: ModelRow) -> list[str]:
    """What the unfinished jobs are called whose parameters name this model or its run; [] if nothing needs it now."""
    query = select(job.c.kind, job.c.title, job.c.params).where(
        job.c.project_id == row.project_id, job.c.state.in_(LIVE_STATES)
    )
    names = {row.id, row.job_id}
    return [title or kind for kind, title, params in connection.execute(query) if names & set(_strings(params))]


def built_on(connection: Connection, row: ModelRow) -> list[str]:
    """The names of the models whose settings name this model, so that they cannot work without it; [] if none does."""
    reference = MODEL_REFERENCE + row.id
    others = [other for other in of_project(connection, row.project_id) if other.id != row.id]
    return [other.name for other in others if reference in json.dumps(other.manifest.get("config", {}))]


def _row(found: RowMapping) -> ModelRow:
    return ModelRow(**dict(found))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.removeprefix(MODEL_REFERENCE)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
