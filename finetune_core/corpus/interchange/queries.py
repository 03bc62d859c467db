"""Queries with their labels, and the choices those name, as JSONL or as a table.

query, label, group, split, id             only `query` and `label` are needed; a query may be called `text` as well
label, name, description, documents        the choices; only `label` (or `name`) is needed; documents by name, split by ";"
{"name": "description", ...}               the choices as one JSON object
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange.labelled import split_name
from finetune_core.corpus.interchange.rows import json_rows, table_rows
from finetune_core.errors import DatasetError
from finetune_core.records import OUT_OF_SCOPE, content_id

MAX_LABEL = 200
QUERY_NAMES = ("query", "text", "question", "utterance")
LABEL_NAMES = ("label", "intent", "choice")
GROUP_NAMES = ("group", "seed", "seed_question")
SPLITS = {"validate": "test"}  # what snips calls the part it is judged on


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A query of a file; `group` is what it was worded after, its own id where the file does not say."""

    id: str
    query: str
    label: str
    group: str
    split: str = ""


@dataclass(frozen=True, slots=True)
class DescribedChoice:
    """A choice of a file; `documents` are names, None where the file does not speak of any."""

    id: str
    name: str
    description: str
    documents: tuple[str, ...] | None = None


def read_queries(path: Path, out_of_scope: str = "") -> list[LabelledQuery]:
    """The queries of a `.jsonl` or a table; the label `out_of_scope` becomes `OUT_OF_SCOPE`, as does an empty one.

    Raises DatasetError that names the row for a missing query or label column, an empty query, and a label too long.
    """
    found = []
    for number, row in _rows(path):
        where = f"{path.name} row {number}"
        query, label = _value(row, QUERY_NAMES, where), _value(row, LABEL_NAMES, where)
        if not query:
            raise DatasetError(f"{where} has no query.", hint="Write one, or remove the row.")
        label = OUT_OF_SCOPE if label == out_of_scope else _checked_label(label, where)
        split = str(row.get("split") or "").strip().lower()
        query_id = str(row.get("id") or "") or content_id("query", query, label)
        group = next((str(row[name]) for name in GROUP_NAMES if row.get(name)), query_id)
        found.append(LabelledQuery(query_id, query, label, group, split_name(SPLITS.get(split, split), where)))
    if not found:
        raise DatasetError(
            f"{path.name} has no rows.", hint="Its columns are query and label; group and split may follow."
        )
    return found


def read_choices(path: Path) -> list[DescribedChoice]:
    """The choices of a `.jsonl`, a table, or a `.json` with one object of names and descriptions.

    Raises DatasetError for a row without a label or a name, and for a JSON file that is anything else.
    """
    found = []
    for number, row in _described(path) if path.suffix.lower() == ".json" else _rows(path):
        where = f"{path.name} row {number}"
        label = str(row.get("label") or row.get("id") or row.get("name") or "").strip()
        if not label:
            raise DatasetError(f"{where} names no choice.", hint="The columns are label, name and description.")
        name = str(row.get("name") or "").strip() or label.replace("_", " ")
        description = str(row.get("description") or "").strip()
        found.append(DescribedChoice(_checked_label(label, where), name, description, _documents(row)))
    if not found:
        raise DatasetError(f"{path.name} has no rows.", hint="Its columns are label, name and description.")
    return found


def _documents(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "documents" not in row:
        return None
    given = row["documents"] or ""
    names = given if isinstance(given, list) else str(given).split(";")
    return tuple(name for one in names if (name := str(one).strip()))


def _described(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a JSON object that maps names to descriptions."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DatasetError(f"There is no file {path}.", hint="Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path.name} is not JSON: {error}.", hint="Look for a comma or a quote too many."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise DatasetError(
            f"{path.name} is not an object of names and descriptions.",
            hint='Write it as {"invoices": "questions about bills", "travel": "questions about trains"}.',
        )
    yield from (
        (number, {"label": name, "name": name, "description": text})
        for number, (name, text) in enumerate(found.items(), 1)
    )


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not path.is_file():
        raise DatasetError(f"There is no file {path}.", hint="Check the path.")
    yield from json_rows(path) if path.suffix == ".jsonl" else table_rows(path)


def _value(row: Mapping[str, Any], names: tuple[str, ...], where: str) -> str:
    for name in names:
        if name in row:
            return str(row[name] or "").strip()
    raise DatasetError(
        f"{where} has no column {names[0]!r}; it has {', '.join(map(str, row))[:120] or 'none'}.",
        hint=f"Call the column one of: {', '.join(names)}.",
    )


def _checked_label(label: str, where: str) -> str:
    if len(label) > MAX_LABEL:
        raise DatasetError(
            f"{where}: the label has {len(label)} characters; at most {MAX_LABEL} are kept.", hint="Shorten it."
        )
    return label
