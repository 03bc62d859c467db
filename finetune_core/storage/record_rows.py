"""Examples of every kind as rows of plain values, for Parquet and for the content hash of a dataset version."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from finetune_core.records import Labelled, QueryPassages

RECORDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (QueryPassages, Labelled)}
"""Every kind of example that can be frozen, by the name that stands in a version's manifest."""


def row_of(example: Any) -> dict[str, Any]:
    """The fields of an example in order; grades become a list of `{"id", "grade"}`, because Parquet has no free keys."""
    row = {}
    for each in fields(example):
        value = getattr(example, each.name)
        is_grades = isinstance(value, dict)
        row[each.name] = [{"id": key, "grade": grade} for key, grade in value.items()] if is_grades else value
    return row


def example_of(record: type[Any], row: Mapping[str, Any]) -> Any:
    """The example that `row_of` made the row of."""
    values = dict(row)
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = {item["id"]: item["grade"] for item in value}
    return record(**values)


def schema_of(record: type[Any]) -> Any:
    """The Arrow schema of the rows of a kind of example."""
    import pyarrow as pa

    columns = {str: pa.string(), bool: pa.bool_(), dict[str, int]: _grades(pa)}
    return pa.schema([(each.name, columns[each.type]) for each in fields(record)])  # type: ignore[index]


def _grades(pa: Any) -> Any:
    return pa.list_(pa.struct([("id", pa.string()), ("grade", pa.int32())]))
