"""JSONL and CSV: one row for a question and one of its judged passages; a row without a question is a passage to search.

    question_id, question, passage_id, passage, title, document, grade, split, answer, evidence

Only `question` and `passage` are needed; ids are made from the texts where there are none.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange.labelled import LabelledSet, Question, checked, grade_of, split_name
from finetune_core.errors import DatasetError
from finetune_core.records import Passage, content_id

COLUMNS = (
    "question_id", "question", "passage_id", "passage", "title", "document", "grade", "split", "answer", "evidence",
)  # fmt: skip
ALIASES = {
    "question_id": ("question_id", "query_id", "qid", "id"),
    "question": ("question", "query", "anchor"),
    "passage_id": ("passage_id", "chunk_id", "corpus_id", "doc_id"),
    "passage": ("passage", "positive", "context", "chunk", "text"),
    "grade": ("grade", "score", "label"),
}
MAX_FIELD = 50_000_000
MAX_FILE_BYTES = 1_000_000_000
"""Of a file's text once it is unpacked."""


def read_jsonl(path: Path) -> LabelledSet:
    """The set of a file with one JSON object on each line."""
    return _gathered(_flat_rows(path), path.name)


def read_csv(path: Path) -> LabelledSet:
    """The set of a table with a heading row; columns are separated by commas, semicolons or tabs."""
    return _gathered(table_rows(path), path.name)


def table_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with a heading row by their number in the file. Raises DatasetError where it is no table."""
    content = decoded(path)
    heading = content.split("\n", 1)[0]
    delimiter = max(",;\t", key=heading.count)
    csv.field_size_limit(MAX_FIELD)
    try:
        rows = list(csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DatasetError(f"{path.name} is not CSV: {error}.", hint="Save the table as CSV (UTF-8).") from error
    if long := next((number for number, row in enumerate(rows, start=2) if None in row), None):
        raise DatasetError(
            f"{path.name}: row {long} has more columns than the heading.", hint='Put texts with commas in "quotes".'
        )
    yield from enumerate(rows, start=2)


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file by their line. Raises DatasetError for a line that is no JSON object."""
    for number, line in enumerate(decoded(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path.name} line {number} is not JSON: {error}.", hint="Correct that line.") from error
        if not isinstance(row, dict):
            raise DatasetError(f"{path.name} line {number} is no JSON object.", hint="Each line is one object.")
        yield number, row


def write_jsonl(labelled: LabelledSet, path: Path) -> None:
    """Write one JSON object for each row, without its empty values."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for row in _rows(labelled):
            stream.write(
                json.dumps({key: value for key, value in row.items() if value != ""}, ensure_ascii=False) + "\n"
            )


def write_csv(labelled: LabelledSet, path: Path) -> None:
    """Write a table with all columns, as UTF-8 with the mark that Excel needs to see that it is."""
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(_rows(labelled))


def _rows(labelled: LabelledSet) -> Iterator[dict[str, Any]]:
    passages = {passage.id: passage for passage in labelled.passages}
    written: set[str] = set()
    for question in labelled.questions:
        asked = {
            "question_id": question.id, "question": question.text, "split": question.split, "answer": question.answer,
            "evidence": question.evidence,
        }  # fmt: skip
        for key, grade in question.relevant.items():
            yield _blank() | asked | _described(passages[key]) | {"grade": grade}
            written.add(key)
        if not question.relevant:
            yield _blank() | asked
    for passage in labelled.passages:
        if passage.id not in written:
            yield _blank() | _described(passage)


def _blank() -> dict[str, Any]:
    return dict.fromkeys(COLUMNS, "")


def _described(passage: Passage) -> dict[str, Any]:
    document = passage.document if passage.document != passage.id else ""
    return {"passage_id": passage.id, "passage": passage.text, "title": passage.title, "document": document}


@dataclass
class _Gathering:
    """Questions and passages as the rows bring them, each under its id."""

    source: str
    questions: dict[str, dict[str, Any]] = field(default_factory=dict)
    passages: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, number: int, row: Mapping[str, str]) -> None:
        where = f"{self.source} row {number}"
        passage_id = self._add_passage(row, where)
        if not row["question"] and not row["question_id"]:
            if not passage_id:
                raise DatasetError(f"{where} has neither a question nor a passage.", hint="Remove the row.")
            return
        question_id = row["question_id"] or content_id("question", row["question"])
        told = {name: row[name] for name in ("question", "split", "answer", "evidence")}
        known = self.questions.setdefault(question_id, {**told, "relevant": {}})
        _join(known, told, f"{where}: question {question_id!r}")
        if passage_id:
            known["relevant"][passage_id] = grade_of(row["grade"] or 1, where)

    def _add_passage(self, row: Mapping[str, str], where: str) -> str:
        if not row["passage"] and not row["passage_id"]:
            return ""
        passage_id = row["passage_id"] or content_id("passage", row["title"], row["passage"])
        told = {name: row[name] for name in ("passage", "title", "document")}
        _join(self.passages.setdefault(passage_id, dict(told)), told, f"{where}: passage {passage_id!r}")
        return passage_id


def _join(known: dict[str, Any], told: Mapping[str, str], what: str) -> None:
    """Fill what was empty; an id that means two texts would silently lose one of them."""
    for name, value in told.items():
        if value and known[name] and known[name] != value:
            raise DatasetError(f"{what} was given another {name} before.", hint="Give each its own id.")
        known[name] = known[name] or value


def _gathered(rows: Iterable[tuple[int, Mapping[str, Any]]], source: str) -> LabelledSet:
    gathering = _Gathering(source)
    for number, row in rows:
        gathering.add(number, _canonical(row, f"{source} row {number}"))
    if not gathering.questions and not gathering.passages:
        raise DatasetError(f"{source} has no rows.", hint=f"Its columns are {', '.join(COLUMNS)}.")
    questions = [
        Question(
            key, one["question"], one["relevant"], split_name(one["split"], source), one["answer"], one["evidence"]
        )
        for key, one in gathering.questions.items()
    ]
    passages = [
        Passage(key, one["passage"], one["document"] or key, one["title"]) for key, one in gathering.passages.items()
    ]
    return checked(questions, passages, source)


def _canonical(row: Mapping[str, Any], where: str) -> dict[str, str]:
    """The row under its usual column names, each value a text. Raises DatasetError where no known column is there."""
    values = {}
    for name in COLUMNS:
        present = [row[alias] for alias in ALIASES.get(name, (name,)) if row.get(alias) is not None]
        values[name] = next((str(value) for value in present if value != ""), "")
    if not any(alias in row for name in ("question", "passage", "passage_id") for alias in ALIASES[name]):
        found = ", ".join(str(key) for key in row)
        raise DatasetError(
            f"{where} has no question and no passage column; it has {found[:120] or 'none'}.",
            hint=f"Name the columns {', '.join(COLUMNS)}; only question and passage are needed.",
        )
    return values


def _flat_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in json_rows(path):
        if any(isinstance(value, list | dict) for value in row.values()):
            raise DatasetError(
                f"{path.name} line {number} is not a flat object.",
                hint=f"Each line is one object with texts only: {', '.join(COLUMNS)}.",
            )
        yield number, row


def decoded(path: Path) -> str:
    """The text of a file, unpacked where its name ends in `.gz`. Raises DatasetError where it is no UTF-8 or too long."""
    try:
        content = _unpacked(path) if path.suffix == ".gz" else path.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path.name} is not UTF-8: byte {error.start} cannot be read.", hint="Save it as UTF-8."
        ) from error


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path.name} cannot be unpacked: {error}.", hint="Pack it anew with gzip.") from error
    if len(content) > MAX_FILE_BYTES:
        raise DatasetError(
            f"{path.name} unpacks to more than {MAX_FILE_BYTES:,} bytes.", hint="Divide it into several files."
        )
    return content
