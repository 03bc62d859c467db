"""Projects: create, rename, delete, measure."""

import shutil
from dataclasses import dataclass

from finetune_core.errors import ProjectError
from finetune_core.jobs import queue
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.storage import artefacts, database
from finetune_core.storage import projects as rows
from finetune_core.storage.database import Connection
from finetune_core.storage.projects import Project

__all__ = ["BUNDLED_EMBEDDER", "Project"]

MAX_NAME = 120
DEFAULT_CHUNK_TOKENS = 200
DEFAULT_OVERLAP_TOKENS = 20


@dataclass(frozen=True, slots=True)
class ProjectSize:
    """How much a project holds; `size_bytes` counts its files, not its share of the database."""

    num_documents: int
    num_chunks: int
    num_pairs: int
    num_datasets: int
    num_models: int
    size_bytes: int


def listing() -> list[Project]:
    """All projects, the oldest first."""
    with database.reading() as connection:
        return rows.listing(connection)


def create(name: str) -> Project:
    """Add a project with the bundled base model and default chunk settings. Raises ProjectError for a name that is taken."""
    with database.writing() as connection:
        free = _free_name(connection, name)
        return rows.insert_project(connection, free, BUNDLED_EMBEDDER, DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS)


def get(project_id: str) -> Project:
    """The project of that id. Raises ProjectError if there is none."""
    with database.reading() as connection:
        return _existing(rows.find(connection, project_id=project_id), project_id)


def by_name(name: str) -> Project:
    """The project of that name. Raises ProjectError that lists the names there are."""
    with database.reading() as connection:
        return _existing(rows.find(connection, name=name), name)


def by_name_or_new(name: str) -> tuple[Project, bool]:
    """The project of that name, made if there is none, and whether it was made now."""
    with database.reading() as connection:
        found = rows.find(connection, name=name.strip())
    return (found, False) if found else (create(name), True)


def rename(project_id: str, name: str) -> Project:
    """Give a project another name. Raises ProjectError for a name that is empty, too long or taken."""
    get(project_id)
    with database.writing() as connection:
        rows.change(connection, project_id, name=_free_name(connection, name, but_for=project_id))
    return get(project_id)


def update(
    project_id: str,
    *,
    base_model: str | None = None,
    chunk_tokens: int | None = None,
    chunk_overlap_tokens: int | None = None,
) -> Project:
    """Change settings; None leaves one as it is. What follows from chunk settings is the corpus' business."""
    given = {"base_model": base_model, "chunk_tokens": chunk_tokens, "chunk_overlap_tokens": chunk_overlap_tokens}
    values = {name: value for name, value in given.items() if value is not None}
    if values:
        with database.writing() as connection:
            rows.change(connection, project_id, **values)
    return get(project_id)


def delete(project_id: str) -> None:
    """Delete a project with all its documents, pairs, datasets and models. Raises ProjectError while a job of it is live."""
    name = get(project_id).name
    with database.writing() as connection:
        if num_live := queue.num_live(connection, project_id):
            raise ProjectError(
                f"Project {name!r} has {num_live} job(s) queued or running.",
                hint="Cancel them, or wait until they have ended.",
            )
        rows.remove(connection, project_id)
    shutil.rmtree(database.home() / "projects" / project_id, ignore_errors=True)


def size(project_id: str) -> ProjectSize:
    """How much the project holds."""
    with database.reading() as connection:
        counts = rows.counts(connection, project_id)
    numbers = {f"num_{noun}": count for noun, count in counts.items()}
    return ProjectSize(**numbers, size_bytes=artefacts.size_bytes(database.home() / "projects" / project_id))


def _existing(found: Project | None, wanted: str) -> Project:
    if found is None:
        names = ", ".join(repr(project.name) for project in listing()) or "none yet"
        raise ProjectError(
            f"There is no project {wanted!r}; there are: {names}.", hint="Create it, or name another one."
        )
    return found


def _free_name(connection: Connection, name: str, but_for: str = "") -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME:
        raise ProjectError(
            f"A project's name has 1 to {MAX_NAME} characters; this one has {len(name)}.", hint="Choose another."
        )
    taken = rows.find(connection, name=name)
    if taken is not None and taken.id != but_for:
        raise ProjectError(f"A project is called {name!r} already.", hint="Choose another name, or open that project.")
    return name
