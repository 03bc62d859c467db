"""Demonstrations, inputs with what a strong model or a person answered: what files each kind of record comes and goes in."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange import bfcl, chats, judgements, preferences, sql_questions, tool_calls
from finetune_core.corpus.interchange.row_formats import Brought, RowFormat, checked, read_rows
from finetune_core.records import Chat, Comparison, Judgement, SqlQuestion, ToolCall

Written = Iterable[tuple[Any, str]]
"""Records, each with its split ("" for none)."""


@dataclass(frozen=True, slots=True)
class WrittenFormat:
    """A form that records are exported in: its title, the suffix of its files, and what makes the file's text."""

    title: str
    suffix: str
    write: Callable[[Written], str]


@dataclass(frozen=True, slots=True)
class KindFiles:
    """The files of one kind of record. `own` reads rows whose fields are those of the record."""

    formats: Sequence[RowFormat]
    own: RowFormat
    written: Mapping[str, WrittenFormat]


def _lines(row_of: Callable[[Any], Mapping[str, Any]]) -> Callable[[Written], str]:
    return lambda given: "".join(json.dumps(row_of(one), ensure_ascii=False) + "\n" for one, _ in given)


def _all_lines(rows_of: Callable[[Iterable[Any]], Iterable[Mapping[str, Any]]]) -> Callable[[Written], str]:
    """For forms that take only some of the records."""
    return lambda given: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_of(one for one, _ in given))


def _listed(row_of: Callable[[Any], Mapping[str, Any]]) -> Callable[[Written], str]:
    return lambda given: json.dumps([row_of(one) for one, _ in given], ensure_ascii=False, indent=1)


def _records(given: Written) -> str:
    return "".join(json.dumps(_row(one, split), ensure_ascii=False) + "\n" for one, split in given)


def _table(given: Written) -> str:
    rows = [{name: _cell(value) for name, value in _row(one, split).items()} for one, split in given]
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]) if rows else ["id"])
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _row(one: Any, split: str) -> dict[str, Any]:
    return {name: value for name, value in asdict(one).items() if name != "reviewed"} | {"split": split}


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple | list | dict) else value


_JSONL = WrittenFormat("JSONL, all fields", ".jsonl", _records)
_CSV = WrittenFormat("CSV", ".csv", _table)
FILES: dict[str, KindFiles] = {
    Chat.__name__: KindFiles(
        chats.FORMATS,
        chats.OWN,
        {
            "openai": WrittenFormat("OpenAI chat JSONL", ".jsonl", _lines(chats.write_openai)),
            "jsonl": _JSONL,
            "sharegpt": WrittenFormat("ShareGPT", ".json", _listed(chats.write_sharegpt)),
            "alpaca": WrittenFormat("Alpaca", ".json", _listed(chats.write_alpaca)),
            "preferences": WrittenFormat(
                "OpenAI preferences JSONL (chats with a rejected answer)",
                ".jsonl",
                _all_lines(chats.write_openai_preferences),
            ),
            "trl": WrittenFormat(
                "TRL preferences JSONL (chats with a rejected answer)", ".jsonl", _all_lines(chats.write_trl)
            ),
        },
    ),
    ToolCall.__name__: KindFiles(
        (tool_calls.OWN, bfcl.FORMAT, tool_calls.OPENAI, tool_calls.SLOTS),
        tool_calls.OWN,
        {
            "openai": WrittenFormat("OpenAI chat JSONL with tools", ".jsonl", _lines(tool_calls.write_openai)),
            "jsonl": _JSONL,
        },
    ),
    Judgement.__name__: KindFiles(judgements.FORMATS, judgements.FORMATS[-1], {"jsonl": _JSONL, "csv": _CSV}),
    Comparison.__name__: KindFiles(
        preferences.FORMATS,
        preferences.FORMATS[0],
        {
            "jsonl": _JSONL,
            "csv": _CSV,
            "preferences": WrittenFormat(
                "OpenAI preferences JSONL (without ties)", ".jsonl", _all_lines(preferences.write_openai)
            ),
            "trl": WrittenFormat("TRL preferences JSONL (without ties)", ".jsonl", _all_lines(preferences.write_trl)),
        },
    ),
    SqlQuestion.__name__: KindFiles(
        sql_questions.FORMATS,
        sql_questions.OWN,
        {
            "jsonl": _JSONL,
            "csv": _CSV,
            "context": WrittenFormat("sql-create-context JSON", ".json", _listed(sql_questions.write_context)),
        },
    ),
}
"""By the name of the record's class."""


def read(path: Path, kind: str) -> tuple[str, list[Brought]]:
    """The title of the file's format, and its records. Raises DatasetError for anything wrong with it; ValueError for an
    unknown kind.
    """
    if kind == SqlQuestion.__name__ and path.is_dir():
        return sql_questions.read_spider(path)
    return read_rows(path, _files(kind).formats)


UNGRADED: dict[str, Sequence[RowFormat]] = {
    Judgement.__name__: judgements.UNGRADED,
    Comparison.__name__: preferences.UNGRADED,
    ToolCall.__name__: tool_calls.UNGRADED,
}
"""What a strong model can be asked about, by the name of the record's class: rows without what is right for them."""


def read_ungraded(path: Path, kind: str) -> list[Brought]:
    """What a file asks, in records whose right answer is left empty. Raises DatasetError for anything wrong with it."""
    return read_rows(path, UNGRADED[kind])[1]


def read_one(kind: str, fields: Mapping[str, Any], where: str) -> Any:
    """The record of those fields, checked as one of a file. Raises DatasetError."""
    return checked(_files(kind).own.read([(where, fields)]))[0].example


def write(given: Written, kind: str, file_format: str) -> bytes:
    """The file's bytes, UTF-8. Raises DatasetError where a record does not fit into the format; ValueError for others."""
    known = _files(kind).written
    if file_format not in known:
        raise ValueError(f"{file_format!r} is none of {', '.join(known)}")
    return known[file_format].write(given).encode("utf-8-sig" if file_format == "csv" else "utf-8")


def _files(kind: str) -> KindFiles:
    if kind not in FILES:
        raise ValueError(f"{kind!r} is none of {', '.join(FILES)}")
    return FILES[kind]
