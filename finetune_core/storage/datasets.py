"""Dataset versions: rows in the database, examples and corpora as Parquet in folders that never change once written."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select
from sqlalchemy import delete as delete_from

from finetune_core.errors import DatasetError
from finetune_core.records import Corpus, Part, Passage, QueryPassages, Split, SplitName, content_id
from finetune_core.storage import artefacts, database
from finetune_core.storage.record_rows import RECORDS, example_of, row_of, schema_of
from finetune_core.storage.tables import LIVE_STATES, comparison, dataset, job, model

PASSAGE_COLUMNS = ("id", "text", "document", "title")


@dataclass(frozen=True)
class DatasetRow:
    """A frozen dataset version; `manifest` says what is in it, how it was split and what was found on the way."""

    id: str
    name: str
    manifest: dict[str, Any]
    created_at: float


def folder(project_id: str, dataset_id: str) -> Path:
    """Where the files of a dataset version lie, whether it exists or not."""
    return database.home() / "projects" / project_id / "datasets" / dataset_id


def add(connection: Connection, project_id: str, row: DatasetRow) -> None:
    """Keep a version; does nothing if the project has it already, so that a killed freeze may say it twice."""
    if find(connection, project_id, row.id) is None:
        connection.execute(
            insert(dataset).values(
                project_id=project_id, id=row.id, name=row.name, manifest=row.manifest, created_at=row.created_at
            )
        )


def find(connection: Connection, project_id: str, name_or_id: str) -> DatasetRow | None:
    """The version of that name or id, or None; a name goes before an id."""
    query = select(dataset.c.id, dataset.c.name, dataset.c.manifest, dataset.c.created_at)
    here = (dataset.c.project_id == project_id, or_(dataset.c.name == name_or_id, dataset.c.id == name_or_id))
    row = connection.execute(query.where(*here).order_by(dataset.c.name != name_or_id)).first()
    return DatasetRow(*row) if row else None


def of_project(connection: Connection, project_id: str) -> list[DatasetRow]:
    """The versions of a project, newest first; [] where there are none."""
    query = select(dataset.c.id, dataset.c.name, dataset.c.manifest, dataset.c.created_at)
    ordered = query.where(dataset.c.project_id == project_id).order_by(dataset.c.created_at.desc(), dataset.c.id)
    return [DatasetRow(*row) for row in connection.execute(ordered)]


def users(connection: Connection, project_id: str, dataset_id: str) -> int:
    """How many models, comparisons and live jobs stand on a version."""
    counts = [
        select(func.count())
        .select_from(table)
        .where(table.c.project_id == project_id, table.c.dataset_id == dataset_id)
        for table in (model, comparison)
    ]
    live = (
        select(func.count())
        .select_from(job)
        .where(
            job.c.project_id == project_id,
            job.c.state.in_(LIVE_STATES),
            job.c.params["dataset_id"].as_string() == dataset_id,
        )
    )
    return sum(connection.scalar(query) or 0 for query in (*counts, live))


def remove(connection: Connection, project_id: str, dataset_id: str) -> None:
    """Forget a version; its folder is the caller's to delete once this is committed."""
    connection.execute(delete_from(dataset).where(dataset.c.project_id == project_id, dataset.c.id == dataset_id))


def fingerprint(parts: Mapping[SplitName, Part[Any]]) -> str:
    """The content hash of a version: every example and every searched passage of every part, in order."""
    texts: list[str] = []
    for name in SplitName:
        texts.append(name)
        texts += [json.dumps(row_of(example), sort_keys=True) for example in parts[name].examples]
        texts.append(_corpus_hash(parts[name].corpus))
    return content_id(*texts)


def write_split(target: Path, split: Split[Any], record: type[Any] = QueryPassages) -> dict[str, str]:
    """Write the three parts of examples of one kind into `target`; return part name -> file of its corpus, for the manifest.

    A corpus that parts share is written once.
    """
    import pyarrow as pa
    from pyarrow import parquet

    corpora: dict[str, str] = {}
    for name in SplitName:
        part = split.part(name)
        rows = [row_of(example) for example in part.examples]
        parquet.write_table(pa.Table.from_pylist(rows, schema=schema_of(record)), target / f"{name}.parquet")
        corpora[name] = f"corpus-{_corpus_hash(part.corpus)}.parquet"
        if not (target / corpora[name]).exists():
            passages = [{key: getattr(passage, key) for key in PASSAGE_COLUMNS} for passage in part.corpus]
            parquet.write_table(pa.Table.from_pylist(passages, schema=_passage_schema(pa)), target / corpora[name])
    return corpora


def load_split(project_id: str, dataset_id: str) -> Split[Any]:
    """The examples and corpora of a version, after the bytes of its files were checked.

    Raises DatasetError if the project has no such version, ArtefactError if a file is missing or was altered.
    """
    path = folder(project_id, dataset_id)
    if not path.is_dir():
        raise DatasetError(
            f"There is no dataset version {dataset_id!r} in this project.", hint="Freeze one on the Train page."
        )
    return read_split(path, artefacts.verify(path))


def read_split(source: Path, manifest: Mapping[str, Any]) -> Split[Any]:
    """The split that `write_split` wrote into `source`; equal corpora are one object.

    The manifest's `record` names the kind of its examples; without one they are `QueryPassages`.
    """
    record = RECORDS[manifest.get("record", QueryPassages.__name__)]
    corpora = functools.cache(lambda file_name: _read_corpus(source / file_name))

    def part(name: SplitName) -> Part[Any]:
        return Part(name, _read_examples(source / f"{name}.parquet", record), corpora(manifest["corpora"][name]))

    return Split(part(SplitName.TRAIN), part(SplitName.VALIDATION), part(SplitName.TEST), manifest["hash"])


def _read_examples(path: Path, record: type[Any]) -> tuple[Any, ...]:
    from pyarrow import parquet

    return tuple(example_of(record, row) for row in parquet.read_table(path).to_pylist())


def _read_corpus(path: Path) -> Corpus:
    from pyarrow import parquet

    return Corpus(tuple(Passage(**row) for row in parquet.read_table(path).to_pylist()))


def _passage_schema(pa: Any) -> Any:
    return pa.schema([(name, pa.string()) for name in PASSAGE_COLUMNS])


def _corpus_hash(corpus: Corpus) -> str:
    return content_id(
        *(text for passage in corpus for text in (passage.id, passage.text, passage.document, passage.title))
    )
