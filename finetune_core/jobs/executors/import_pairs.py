"""Bring in questions with their passages from a file."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, field_validator

from finetune_core.corpus import interchange
from finetune_core.jobs.run import JobRun
from finetune_core.records import SplitName
from finetune_core.storage import database, imports

HEAVY = False


class Params(BaseModel):
    """Which file, in which format, and for which split ("" takes what the file says)."""

    path: str
    format: str
    split: str = ""

    @field_validator("split")
    @classmethod
    def _known_split(cls, value: str) -> str:
        if value and value not in {name.value for name in SplitName}:
            raise ValueError("a split is train, validation or test")
        return value

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in interchange.FORMATS:
            raise ValueError(f"a format is one of {', '.join(interchange.FORMATS)}")
        return value


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Read the file, then add everything in one transaction: an import is whole or absent.

    A restart after that transaction finds the result in it, and does not need the file any more.
    """
    if not run.recall("result"):
        _import(run, params)
    if Path(params.path).is_relative_to(database.home() / "uploads"):
        Path(params.path).unlink(missing_ok=True)
    result: dict[str, Any] = run.recall("result")
    run.progress(1.0, result["sentence"])
    return result


def _import(run: JobRun, params: Params) -> None:
    run.progress(0.05, "Reading the file")
    labelled = interchange.read(Path(params.path), params.format)
    if params.split:
        labelled = labelled.for_split(params.split)
    run.progress(0.4, f"Adding {len(labelled.questions):,} questions and {len(labelled.passages):,} passages")
    run.flush()
    with run.writing() as connection:
        summary = imports.import_labelled(connection, run.project_id, labelled)
        result = {
            "num_pairs": summary.num_pairs, "num_known": summary.num_known, "num_passages": summary.num_passages,
            "num_without_passage": summary.num_without_passage, "splits": summary.splits, "sentence": summary.sentence,
        }  # fmt: skip
        run.remember_in(connection, result=result)
