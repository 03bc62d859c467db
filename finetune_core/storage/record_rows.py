"""Examples of every kind as rows of plain values, for Parquet and for the content hash of a dataset version.

Texts, numbers and flags are columns of their own, and so are lists of texts or numbers; whatever has a shape of its own
(messages, tools, calls) is a column of JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args, get_origin

from finetune_core.records import Chat, Comparison, Judgement, Labelled, QueryPassages, SqlQuestion, ToolCall

RECORDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (QueryPassages, Labelled, Chat, ToolCall, Judgement, Comparison, SqlQuestion)
}
"""Every kind of example that can be frozen, by the name that stands in a version's manifest."""

_GRADES = dict[str, int]
_LISTS: tuple[Any, ...] = (tuple[str, ...], tuple[float, ...])
_PLAIN: tuple[Any, ...] = (str, bool, int, float)


def row_of(example: Any) -> dict[str, Any]:
    """The fields of an example in order; grades become a list of `{"id", "grade"}`, because Parquet has no free keys."""
    return {each.name: _written(each.type, getattr(example, each.name)) for each in fields(example)}


def example_of(record: type[Any], row: Mapping[str, Any]) -> Any:
    """The example that `row_of` made the row of; a field that came into being later has its default."""
    return record(**{each.name: _read(each.type, row[each.name]) for each in fields(record) if each.name in row})


def schema_of(record: type[Any]) -> Any:
    """The Arrow schema of the rows of a kind of example."""
    import pyarrow as pa

    grades = pa.list_(pa.struct([("id", pa.string()), ("grade", pa.int32())]))
    columns = {
        str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64(), _GRADES: grades,
        tuple[str, ...]: pa.list_(pa.string()), tuple[float, ...]: pa.list_(pa.float64()),
    }  # fmt: skip
    return pa.schema([(each.name, columns.get(each.type, pa.string())) for each in fields(record)])  # type: ignore[arg-type]


def _written(kind: Any, value: Any) -> Any:
    if kind in _PLAIN:
        return kind(value)  # 3 and 3.0 are one score, and must have one hash
    if kind == _GRADES:
        return [{"id": key, "grade": grade} for key, grade in value.items()]
    return [get_args(kind)[0](each) for each in value] if kind in _LISTS else json.dumps(value, ensure_ascii=False)


def _read(kind: Any, value: Any) -> Any:
    if kind in _PLAIN:
        return value
    if kind == _GRADES:
        return {item["id"]: item["grade"] for item in value}
    found = value if kind in _LISTS else json.loads(value)
    return tuple(found) if get_origin(kind) is tuple else found
