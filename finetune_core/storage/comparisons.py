"""Comparisons: their summaries in the database, their rows as Parquet in a folder of their own, one file for each system."""

import functools
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from finetune_core.evaluation.said import question_text
from finetune_core.recipe import Measured, Report
from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Part, Passage, QueryPassages, SplitName
from finetune_core.storage import artefacts, database, datasets, models
from finetune_core.storage.tables import comparison

QUESTIONS_FILE = "questions.parquet"
_FIXED = ("id", "group", "details")


@dataclass(frozen=True)
class ComparisonRow:
    """A finished comparison; `result` is the summary that `evaluation.side_by_side` makes."""

    id: str
    project_id: str
    job_id: str
    dataset_id: str
    recipe: str
    result: dict[str, Any]
    created_at: float


@dataclass(frozen=True)
class Question:
    """A test question of a comparison; `document` is that of its first right passage, `relevant` id to grade.

    For a query with a label, both name its choice; out of scope, nothing is relevant. For an example that is answered in
    words, `query` is what was asked, as one text, `document` its group, and nothing is relevant.
    """

    id: str
    query: str
    group: str
    document: str
    relevant: dict[str, int]


def folder(project_id: str, comparison_id: str) -> Path:
    """Where the rows of a comparison lie, whether it exists or not."""
    return database.home() / "projects" / project_id / "comparisons" / comparison_id


def add(connection: Connection, row: ComparisonRow) -> None:
    """Keep a comparison; does nothing if it is there already, so that a killed job may say it twice."""
    if find(connection, row.id) is None:
        connection.execute(insert(comparison).values(**asdict(row)))


def find(connection: Connection, comparison_id: str) -> ComparisonRow | None:
    """The comparison of that id, or None."""
    found = connection.execute(select(comparison).where(comparison.c.id == comparison_id)).mappings().first()
    return ComparisonRow(**found) if found else None


def of_project(connection: Connection, project_id: str) -> list[ComparisonRow]:
    """The comparisons of a project, newest first; [] where there are none."""
    mine = select(comparison).where(comparison.c.project_id == project_id)
    ordered = mine.order_by(comparison.c.created_at.desc(), comparison.c.id)
    return [ComparisonRow(**found) for found in connection.execute(ordered).mappings()]


def measured(connection: Connection, project_id: str, model_id: str) -> Measured | None:
    """What the project's newest comparison of that model found of it; None if it was never compared, or is gone."""
    row = models.find(connection, model_id)
    if row is None or row.project_id != project_id:
        return None
    for found in of_project(connection, project_id):
        for system in found.result["systems"]:
            if system["role"] == "tuned" and system["model_id"] == model_id:
                return Measured(
                    recipe=row.recipe,
                    name=row.name,
                    config=row.manifest.get("config", {}),
                    comparison_id=found.id,
                    dataset=str(found.result["dataset"]["name"]),
                    num_examples=int(found.result["num_questions"]),
                    metrics=system["metrics"],
                    facts={**(row.manifest.get("facts") or {}), **system["facts"]},
                )
    return None


def spreads(connection: Connection, project_id: str, limit: int = 10) -> list[float]:
    """How much the tuned models of the project's last comparisons differed from their base, question by question.

    See `metrics.bootstrap.spread_of_differences`; a model that stands in several comparisons counts once.
    """
    found: dict[str, float] = {}
    for row in of_project(connection, project_id)[:limit]:
        for difference in row.result.get("differences", ()):
            if (spread := difference.get("spread")) is not None:
                found.setdefault(difference["system"], float(spread))
    return list(found.values())


def remove(connection: Connection, comparison_id: str) -> None:
    """Forget a comparison; its folder is the caller's to delete once this is committed."""
    connection.execute(delete(comparison).where(comparison.c.id == comparison_id))


def write_report(path: Path, report: Report) -> None:
    """Write a report as one Parquet file, whole or not at all."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "id": list(report.ids),
        "group": list(report.groups),
        "details": [json.dumps(detail, ensure_ascii=False) for detail in report.details],
        **{name: _arrow(np.asarray(values, dtype=np.float64)) for name, values in report.columns.items()},
    }
    facts = json.dumps({"system": report.system, "facts": report.facts})
    _write(path, pa.table(columns).replace_schema_metadata({"report": facts}))


def _arrow(values: NDArray[np.float64]) -> Any:
    """A column of numbers (N,), or of lists of them (N, K)."""
    return values if values.ndim == 1 else list(values)


def read_report(path: Path) -> Report:
    """The report that `write_report` wrote."""
    from pyarrow import parquet

    table = parquet.read_table(path)
    about = json.loads(table.schema.metadata[b"report"])
    return Report(
        system=about["system"],
        ids=tuple(table["id"].to_pylist()),
        groups=tuple(table["group"].to_pylist()),
        columns={name: np.array(table[name].to_pylist()) for name in table.column_names if name not in _FIXED},
        details=tuple(json.loads(detail) for detail in table["details"].to_pylist()),
        facts=about["facts"],
    )


def write_questions(path: Path, part: Part[Any]) -> None:
    """Write the questions of a test part as one Parquet file, whole or not at all."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "id": [example.id for example in part.examples],
        "query": [question_text(example) for example in part.examples],
        "group": [example.group for example in part.examples],
        "document": [_document(example, part.corpus) for example in part.examples],
        "relevant": [json.dumps(_relevant(example)) for example in part.examples],
    }
    schema = pa.schema([(name, pa.string()) for name in columns])
    _write(path, pa.table(columns, schema=schema))


@functools.lru_cache(maxsize=8)
def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions that `write_questions` wrote; a comparison never changes, so they are read once."""
    from pyarrow import parquet

    rows = parquet.read_table(path).to_pylist()
    return tuple(Question(**{**row, "relevant": json.loads(row["relevant"])}) for row in rows)


def searched_passages(project_id: str, dataset_id: str, ids: Sequence[str]) -> dict[str, Passage]:
    """The passages of those ids, by id, from what a version's test questions are searched against; unknown ids are
    left out.

    Raises ArtefactError if the version's files are gone.
    """
    from pyarrow import parquet

    source = datasets.folder(project_id, dataset_id)
    corpus = artefacts.read_manifest(source)["corpora"][SplitName.TEST]
    found = parquet.read_table(source / corpus, filters=[("id", "in", list(ids))]).to_pylist() if ids else []
    return {row["id"]: Passage(**row) for row in found}


def searched_corpus(project_id: str, dataset_id: str) -> Corpus:
    """All that a version's test questions are searched against, in order. Raises ArtefactError if the files are gone."""
    from pyarrow import parquet

    source = datasets.folder(project_id, dataset_id)
    rows = parquet.read_table(source / artefacts.read_manifest(source)["corpora"][SplitName.TEST]).to_pylist()
    return Corpus(tuple(Passage(**row) for row in rows))


def _relevant(example: Any) -> dict[str, int]:
    if isinstance(example, QueryPassages):
        return example.relevant
    return {example.label: 1} if isinstance(example, Labelled) and example.label != OUT_OF_SCOPE else {}


def _document(example: Any, corpus: Corpus) -> str:
    for passage_id in _relevant(example):
        if passage_id in corpus.positions:
            return corpus[passage_id].document
    return "" if isinstance(example, Labelled) else str(example.group)


def _write(path: Path, table: Any) -> None:
    from pyarrow import parquet

    partial = path.with_name(f"{path.name}.part")
    parquet.write_table(table, partial)
    os.replace(partial, path)
