"""Projects: one line of work each."""

import uuid
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from finetune_core.storage.database import now
from finetune_core.storage.tables import chunk, dataset, document, model, pair, project


@dataclass(frozen=True, slots=True)
class Project:
    """A project and its settings; chunk sizes are in tokens of the base model's tokenizer."""

    id: str
    name: str
    base_model: str
    chunk_tokens: int
    chunk_overlap_tokens: int
    created_at: float


_columns = [project.c[field.name] for field in fields(Project)]


def insert_project(
    connection: Connection, name: str, base_model: str, chunk_tokens: int, overlap_tokens: int
) -> Project:
    """Add a project and return it."""
    made = Project(uuid.uuid4().hex[:12], name, base_model, chunk_tokens, overlap_tokens, now())
    connection.execute(insert(project).values(**{field.name: getattr(made, field.name) for field in fields(Project)}))
    return made


def listing(connection: Connection) -> list[Project]:
    """All projects, the oldest first."""
    return [Project(*row) for row in connection.execute(select(*_columns).order_by(project.c.created_at))]


def find(connection: Connection, *, project_id: str | None = None, name: str | None = None) -> Project | None:
    """The project of that id, or of that name, or None."""
    condition = project.c.id == project_id if project_id is not None else project.c.name == name
    row = connection.execute(select(*_columns).where(condition)).one_or_none()
    return None if row is None else Project(*row)


def change(connection: Connection, project_id: str, **values: Any) -> None:
    """Set columns of a project."""
    connection.execute(update(project).where(project.c.id == project_id).values(**values))


def remove(connection: Connection, project_id: str) -> None:
    """Delete a project and all rows that belong to it."""
    connection.execute(delete(project).where(project.c.id == project_id))


def counts(connection: Connection, project_id: str) -> dict[str, int]:
    """How many documents, chunks, pairs, datasets and models a project has."""
    nouns = {"documents": document, "chunks": chunk, "pairs": pair, "datasets": dataset, "models": model}
    return {
        noun: int(
            connection.execute(
                select(func.count()).select_from(table).where(table.c.project_id == project_id)
            ).scalar_one()
        )
        for noun, table in nouns.items()
    }
