"""Lists of functions that a model may call: from texts and files, or made field by field; kept with the project."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from finetune_core.corpus.encodings import decode
from finetune_core.corpus.interchange.messages import read_tools
from finetune_core.corpus.interchange.pydantic_source import COMMAND
from finetune_core.corpus.interchange.tool_texts import read_tool_text
from finetune_core.errors import DatasetError
from finetune_core.records import Tool
from finetune_core.storage import database
from finetune_core.storage import tool_lists as rows
from finetune_core.storage.tool_lists import ToolList

__all__ = ["COMMAND", "ToolList"]

MAX_NAME = 120
_FIELD_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")


class FieldType(StrEnum):
    """What a field of a function holds."""

    TEXT = "text"
    INTEGER = "whole number"
    NUMBER = "number"
    BOOLEAN = "yes or no"
    TEXTS = "list of texts"


_SCHEMAS: dict[FieldType, dict[str, Any]] = {
    FieldType.TEXT: {"type": "string"},
    FieldType.INTEGER: {"type": "integer"},
    FieldType.NUMBER: {"type": "number"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.TEXTS: {"type": "array", "items": {"type": "string"}},
}


@dataclass(frozen=True, slots=True)
class ToolField:
    """A field of a function; `choices` are the texts that a text may be, () for any."""

    name: str
    type: FieldType = FieldType.TEXT
    description: str = ""
    is_required: bool = True
    choices: tuple[str, ...] = ()


def listing(project_id: str) -> list[ToolList]:
    """The lists of a project in order of name; [] where there are none."""
    with database.reading() as connection:
        return rows.listing(connection, project_id)


def get(project_id: str, name: str) -> ToolList:
    """The list of that name. Raises DatasetError that names the lists there are."""
    with database.reading() as connection:
        found = rows.get(connection, project_id, name)
        if found is None:
            known = ", ".join(one.name for one in rows.listing(connection, project_id)) or "none"
            raise DatasetError(
                f"There is no list of functions {name!r}; the project has: {known}.",
                hint="Choose one of these, or add one on the Review page.",
            )
        return found


def read(text: str, name: str = "") -> list[Tool]:
    """The functions in a text: OpenAI's tools, a JSON Schema, whose function is called `name`, or pydantic classes, which are
    read and never run. Raises DatasetError for anything else.
    """
    return read_tool_text(text, name)


def read_file(path: Path, name: str = "", called: str = "") -> list[Tool]:
    """The same for a file, whatever its encoding; `called` is what the person calls it. Raises DatasetError."""
    text = decode(path.read_bytes())
    return read_tool_text(text, name, called or path.name)


def from_fields(name: str, description: str, fields: Sequence[ToolField]) -> Tool:
    """A function made of fields; it takes nothing beside them. Raises DatasetError for a name that cannot be or occurs twice,
    and for choices of what is no text.
    """
    properties: dict[str, Any] = {}
    for one in fields:
        if not _FIELD_NAME.fullmatch(one.name):
            raise DatasetError(
                f"{one.name[:70]!r} is no name of a field; it has 1 to 64 letters, digits, - and _, and starts with a letter.",
                hint="Rename it.",
            )
        if one.name in properties:
            raise DatasetError(f"There are two fields called {one.name!r}.", hint="Give each its own name.")
        schema = dict(_SCHEMAS[one.type])
        if one.choices and one.type is FieldType.TEXTS:
            schema["items"] = {"type": "string", "enum": list(dict.fromkeys(one.choices))}
        elif one.choices and one.type is FieldType.TEXT:
            schema["enum"] = list(dict.fromkeys(one.choices))
        elif one.choices:
            raise DatasetError(
                f"{one.name} is a {one.type.value}, which has no choices.", hint="Make it a text, or take them out."
            )
        properties[one.name] = schema | ({"description": one.description} if one.description else {})
    required = [one.name for one in fields if one.is_required]
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    given = [{"name": name, "description": description, "parameters": parameters}]
    return read_tools(given, "This function")[0]


def add(project_id: str, name: str, tools: Sequence[Tool]) -> ToolList:
    """Add functions to the list of that name, which is made if there is none; one called like another takes its place.

    Raises DatasetError for a name of spaces or more than 120 characters, and where there are no functions.
    """
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME:
        raise DatasetError(
            f"The name of a list has 1 to {MAX_NAME} characters; this one has {len(name)}.", hint="Choose another name."
        )
    if not tools:
        raise DatasetError("There are no functions to add.", hint="Write or paste at least one.")
    checked = read_tools(list(tools), f"The list {name}")
    with database.writing() as connection:
        before = rows.get(connection, project_id, name)
        by_name = {tool["function"]["name"]: tool for tool in (*(before.tools if before else ()), *checked)}
        made = ToolList(name, tuple(by_name.values()))
        rows.save(connection, project_id, made)
    return made


def delete(project_id: str, name: str, function: str = "") -> None:
    """Delete a list, or one function of it, with the list if it was the last. Examples keep their own copy.

    Raises DatasetError if there is no such list or function.
    """
    found = get(project_id, name)
    left = tuple(tool for tool in found.tools if tool["function"]["name"] != function)
    if function and len(left) == len(found.tools):
        raise DatasetError(f"The list {name!r} has no function {function!r}.", hint="Reload the page.")
    with database.writing() as connection:
        if function and left:
            rows.save(connection, project_id, ToolList(name, left))
        else:
            rows.remove(connection, project_id, name)
