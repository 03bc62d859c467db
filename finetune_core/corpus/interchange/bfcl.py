"""The Berkeley Function Calling Leaderboard's cases (Patil et al., The Berkeley Function Calling Leaderboard, 2025).

A case names for each argument all values that are right; "" among them means that it may be left out. Its schemas speak of
`dict`, `float` and `tuple`, and its functions have dots in their names: both become what JSON Schema and OpenAI's
interface know.
"""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from finetune_core.corpus.interchange.messages import read_messages, read_tools
from finetune_core.corpus.interchange.row_formats import Brought, RowFormat, Rows
from finetune_core.corpus.interchange.tool_calls import Found, grouped
from finetune_core.errors import DatasetError

MAX_ACCEPTED = 200
"""Values of an argument that are taken, where a nested one is right in so many combinations."""

_TYPES = {
    "dict": "object", "hashmap": "object", "float": "number", "double": "number", "tuple": "array", "arraylist": "array",
    "list": "array", "int": "integer", "long": "integer", "bool": "boolean", "string": "string", "boolean": "boolean",
    "integer": "integer", "number": "number", "array": "array", "object": "object", "null": "null",
}  # fmt: skip
_ANY = {"any", ""}


def _read(rows: Rows) -> Iterator[Brought]:
    yield from grouped([_case(where, row) for where, row in rows])


FORMAT = RowFormat("BFCL", ("messages|question", "functions|function", "ground_truth|category"), _read)


def _case(where: str, row: Mapping[str, Any]) -> Found:
    turns = row.get("messages") or row.get("question")
    functions = row.get("functions") or row.get("function")
    if isinstance(turns, list) and turns and isinstance(turns[0], list):
        if len(turns) > 1:
            raise DatasetError(f"{where} has {len(turns)} turns; a case of 1 can be read.", hint="Remove the row.")
        turns = turns[0]
    if not isinstance(functions, list) or not all(isinstance(one, Mapping) for one in functions):
        raise DatasetError(f"{where}: the functions are no list of objects.", hint="Correct it in the file.")
    tools = read_tools(
        [{**one, "name": _name(one.get("name")), "parameters": _schema(one.get("parameters"))} for one in functions],
        where,
    )
    truth = row.get("ground_truth") or []
    if not truth and "ground_truth" not in row and "irrelevance" not in str(row.get("category", row.get("id", ""))):
        raise DatasetError(
            f"{where} has no ground_truth.", hint="Put the case's answer beside it, from the folder possible_answer."
        )
    if not isinstance(truth, list) or not all(isinstance(one, Mapping) and len(one) == 1 for one in truth):
        raise DatasetError(
            f"{where}: ground_truth is no list of calls.", hint='It is [{"function": {"argument": [values]}}].'
        )
    calls = [_call(name, values, where) for one in truth for name, values in one.items()]
    return where, row, read_messages(turns, where), tools, calls


def _call(name: str, given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(values, list) for values in given.values()):
        raise DatasetError(f"{where}: the arguments of {name} are no lists of values.", hint="Correct it in the file.")
    accepted = {
        argument: [None if one == "" else one for one in _options(values)] for argument, values in given.items()
    }
    arguments = {argument: values[0] for argument, values in accepted.items() if values and values[0] is not None}
    return {"name": _name(name), "arguments": arguments, "accepted": accepted}


def _options(values: list[Any]) -> list[Any]:
    """The values with those inside objects spelled out: `{"a": [1, 2]}` is right as `{"a": 1}` and as `{"a": 2}`."""
    found: list[Any] = []
    for value in values:
        found += _spelled(value)
    return found[:MAX_ACCEPTED]


def _spelled(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        options = [_options(inner) if isinstance(inner, list) else [inner] for inner in value.values()]
        return [
            {key: one for key, one in zip(value, chosen, strict=True) if one != ""}
            for chosen in islice(product(*options), MAX_ACCEPTED)
        ]
    if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        return [list(chosen) for chosen in islice(product(*map(_spelled, value)), MAX_ACCEPTED)]
    return [value]


def _name(name: Any) -> str:
    return str(name or "").replace(".", "_")


def _schema(schema: Any) -> Any:
    """The schema with the types that JSON Schema has; one that may be anything has none."""
    if isinstance(schema, list):
        return [_schema(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {key: _schema(value) for key, value in schema.items()}
    if isinstance(kind := schema.get("type"), str):
        if kind.lower() in _ANY:
            del made["type"]
        elif kind.lower() in _TYPES:
            made["type"] = _TYPES[kind.lower()]
    return made
