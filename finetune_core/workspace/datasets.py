"""Frozen dataset versions: make them, list them, look into them, delete them."""

import shutil
from dataclasses import dataclass
from typing import Any

from finetune_core.errors import DatasetError
from finetune_core.records import Labelled, QueryPassages
from finetune_core.storage import database, demonstrations, examples, labelled
from finetune_core.storage import datasets as rows
from finetune_core.storage.pairs import PairState
from finetune_core.workspace import jobs

PAIRS, QUERIES = QueryPassages.__name__, Labelled.__name__
"""Question/passage pairs, and queries with the choice each is for; the other kinds are `demonstrations.KINDS`."""


@dataclass(frozen=True)
class DatasetView:
    """A frozen version. `id` is its content hash; `manifest` says what is in it and what was found when it was made."""

    id: str
    name: str
    created_at: float
    manifest: dict[str, Any]

    @property
    def record(self) -> str:
        """The kind of its examples, by the name of their class."""
        return str(self.manifest.get("record", PAIRS))

    @property
    def num_examples(self) -> dict[str, int]:
        """Examples in each part."""
        return {name: self.manifest[f"num_{name}"] for name in ("train", "validation", "test")}


@dataclass(frozen=True)
class FreezeCounts:
    """What a freeze would take now: accepted pairs, and the pending ones that passed the filters."""

    num_accepted: int
    num_pending: int


def listing(project_id: str) -> list[DatasetView]:
    """The versions of a project, newest first; [] where there are none."""
    with database.reading() as connection:
        return [_view(row) for row in rows.of_project(connection, project_id)]


def get(project_id: str, name_or_id: str) -> DatasetView:
    """The version of that name or id. Raises DatasetError that lists the names there are."""
    with database.reading() as connection:
        row = rows.find(connection, project_id, name_or_id)
        known = [one.name for one in rows.of_project(connection, project_id)]
    if row is None:
        raise DatasetError(
            f"There is no dataset version {name_or_id!r}; there are: {', '.join(known) or 'none yet'}.",
            hint="Freeze one on the Train page, or with `python -m finetune_core freeze`.",
        )
    return _view(row)


def counts(project_id: str, record: str = PAIRS) -> FreezeCounts:
    """How many examples of a kind a freeze would take, without and with those nobody has reviewed."""
    with database.reading() as connection:
        if record == QUERIES:
            found = labelled.counts(connection, project_id)
            in_state = {state: sum(num for (_, one), num in found.items() if one is state) for state in PairState}
            return FreezeCounts(in_state[PairState.ACCEPTED], in_state[PairState.PENDING])
        if record in demonstrations.KINDS:
            shown = demonstrations.counts(connection, project_id)
            return FreezeCounts(*(shown.get((record, state), 0) for state in (PairState.ACCEPTED, PairState.PENDING)))
        return FreezeCounts(*examples.num_chosen(connection, project_id))


def freeze(
    project_id: str, name: str, *, record: str = PAIRS, include_pending: bool = False, seed: int = 0,
    measure_base: bool = True,
) -> str:  # fmt: skip
    """Start freezing a version and return the job's id; `get` finds the version once it is done.

    Raises JobError for an empty or too long name or an unknown kind of example, DatasetError if a version of that name
    exists or no example would be taken.
    """
    found, noun = counts(project_id, record), {PAIRS: "pairs", QUERIES: "queries"}.get(record, "examples")
    if found.num_accepted + (found.num_pending if include_pending else 0) == 0:
        raise DatasetError(
            f"There are no accepted {noun} to freeze ({found.num_pending:,} are pending).",
            hint="Accept some on the Review page, import some, or include the pending ones.",
        )
    params = {
        "name": name, "record": record, "include_pending": include_pending, "seed": seed, "measure_base": measure_base,
    }  # fmt: skip
    key = f"freeze:{project_id}:{name.strip()}"
    return jobs.submit(project_id, "freeze", params, title=f"Freeze {name.strip()}", unique_key=key)


def suggested_name(project_id: str) -> str:
    """The first of v1, v2, ... that no version has."""
    taken = {one.name for one in listing(project_id)}
    return next(name for number in range(1, len(taken) + 2) if (name := f"v{number}") not in taken)


def delete(project_id: str, name_or_id: str) -> None:
    """Delete a version. Raises DatasetError while a model, a comparison or a live job stands on it."""
    found = get(project_id, name_or_id)
    with database.writing() as connection:
        if num := rows.users(connection, project_id, found.id):
            raise DatasetError(
                f"{num} model(s), comparison(s) or live job(s) stand on {found.name!r}.", hint="Delete those first."
            )
        rows.remove(connection, project_id, found.id)
    shutil.rmtree(rows.folder(project_id, found.id), ignore_errors=True)


def _view(row: rows.DatasetRow) -> DatasetView:
    return DatasetView(row.id, row.name, row.created_at, row.manifest)
