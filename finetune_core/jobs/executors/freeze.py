"""Freeze a dataset version: gather, split, look for leaks, measure the base model, write, keep."""

from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, Field, field_validator

from finetune_core.errors import DatasetError
from finetune_core.jobs import freezing_demonstrations, freezing_pairs, freezing_queries
from finetune_core.jobs.run import JobRun
from finetune_core.records import Part, Split, SplitName

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from finetune_core.storage.datasets import DatasetRow

HEAVY = False


class FreezingKind(Protocol):
    """How one kind of example is frozen; what `gather` gives is for `split` and `findings` of the same kind alone."""

    @property
    def RECORD(self) -> type[Any]: ...  # noqa: N802 - a constant of its modules
    def gather(self, connection: "Connection", project_id: str, *, include_pending: bool) -> Any: ...
    def split(self, gathered: Any, seed: int) -> tuple[dict[SplitName, Part[Any]], str, tuple[str, ...]]: ...
    def findings(
        self, run: JobRun, gathered: Any, split: Split[Any], manifest: dict[str, Any], left_out: tuple[str, ...], *,
        measure_base: bool,
    ) -> dict[str, Any]: ...  # fmt: skip


_KINDS: tuple[FreezingKind, ...] = (freezing_pairs, freezing_queries, *freezing_demonstrations.KINDS)
KINDS: dict[str, FreezingKind] = {kind.RECORD.__name__: kind for kind in _KINDS}
"""What differs between kinds of example: how they are gathered and split, and what is said of a version."""


class Params(BaseModel):
    """The version's name, the kind of example in it, whether ones nobody reviewed may join, the seed of the split, and
    whether the base model is measured.
    """

    name: str = Field(max_length=120)
    record: str = "QueryPassages"
    include_pending: bool = False
    seed: int = Field(0, ge=0)
    measure_base: bool = True

    @field_validator("name")
    @classmethod
    def _trimmed(cls, value: str) -> str:
        if not (name := " ".join(value.split())):
            raise ValueError("a name has at least one character")
        return name

    @field_validator("record")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in KINDS:
            raise ValueError(f"a version holds one of: {', '.join(KINDS)}")
        return value


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Freeze the version; the result is `id`, `name`, `hash`, `is_new` and the manifest.

    The same content under another name gives the version there is. Raises DatasetError where a name is taken by other
    content or a part would be empty.
    """
    from finetune_core.storage import database, datasets

    kind = KINDS[params.record]
    run.progress(0.02, "Gathering examples")
    with database.reading() as connection:
        gathered = kind.gather(connection, run.project_id, include_pending=params.include_pending)
    run.progress(0.1, "Splitting")
    parts, rule, left_out = kind.split(gathered, params.seed)
    fingerprint = datasets.fingerprint(parts)
    with database.reading() as connection:
        known = datasets.find(connection, run.project_id, fingerprint)
        namesake = datasets.find(connection, run.project_id, params.name)
    if known is not None and known.id == fingerprint:
        return _known(run, known)
    _check_name(namesake, params.name, fingerprint)
    split = Split(parts[SplitName.TRAIN], parts[SplitName.VALIDATION], parts[SplitName.TEST], fingerprint)
    manifest = {
        "kind": "dataset", "record": params.record, "name": params.name, "hash": split.fingerprint,
        **{f"num_{name}": len(part) for name, part in parts.items()},
        "num_groups": {name.value: len({one.group for one in part.examples}) for name, part in parts.items()},
        "num_searched": {name.value: len(part.corpus) for name, part in parts.items()},
        "num_never_reviewed": sum(not one.reviewed for part in parts.values() for one in part.examples),
        "num_test_never_reviewed": sum(not one.reviewed for one in split.test.examples),
        "include_pending": params.include_pending, "seed": params.seed, "split_rule": rule,
    }  # fmt: skip
    manifest |= kind.findings(run, gathered, split, manifest, left_out, measure_base=params.measure_base)
    return _kept(run, params, split, manifest)


def _kept(run: JobRun, params: Params, split: Split[Any], manifest: dict[str, Any]) -> dict[str, Any]:
    from finetune_core.storage import artefacts, database, datasets

    run.progress(0.95, "Writing the version")
    run.flush()
    with artefacts.publish(datasets.folder(run.project_id, split.fingerprint), manifest) as folder:
        manifest["corpora"] = datasets.write_split(folder, split, KINDS[params.record].RECORD)
    row = datasets.DatasetRow(split.fingerprint, params.name, manifest, database.now())
    with run.writing() as connection:
        _check_name(datasets.find(connection, run.project_id, params.name), params.name, split.fingerprint)
        datasets.add(connection, run.project_id, row)
        kept = datasets.find(connection, run.project_id, split.fingerprint)
    assert kept is not None
    if kept.name != params.name:  # another job froze the same examples meanwhile
        return _known(run, kept)
    run.progress(1.0, f"Frozen as {params.name}")
    return {"id": row.id, "name": row.name, "hash": row.id, "is_new": True, "manifest": manifest}


def _known(run: JobRun, row: "DatasetRow") -> dict[str, Any]:
    run.say(f"The same examples are frozen already as {row.name!r}.")
    return {"id": row.id, "name": row.name, "hash": row.id, "is_new": False, "manifest": row.manifest}


def _check_name(namesake: "DatasetRow | None", name: str, fingerprint: str) -> None:
    if namesake is not None and namesake.name == name and namesake.id != fingerprint:
        raise DatasetError(
            f"A version called {name!r} holds other examples, and versions never change.",
            hint="Give this one another name.",
        )
