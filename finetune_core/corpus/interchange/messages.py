"""Chat messages and tools as OpenAI's interface has them, checked, with the older `function_call` form made the same."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from finetune_core.errors import DatasetError
from finetune_core.records import Message, Tool

FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What OpenAI's interface takes as the name of a function."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Function(_Strict):
    name: str
    arguments: str | dict[str, Any]


class _Call(_Strict):
    id: str = ""
    type: Literal["function"] = "function"
    function: _Function


class _Part(_Strict):
    type: Literal["text"]
    text: str


class _Message(_Strict):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None
    name: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    function_call: _Function | None = None


class _Messages(_Strict):
    messages: list[_Message]


def read_messages(given: Any, where: str) -> list[Message]:
    """The messages, at least one. Raises DatasetError that names the message, for what is no text chat and for a tool's
    result without its call.
    """
    try:
        found = _Messages.model_validate({"messages": given}).messages
    except (ValidationError, RecursionError) as error:
        raise DatasetError(
            f"{where}: {_first_problem(error)}", hint="Correct it in the file; only texts are read."
        ) from error
    if not found:
        raise DatasetError(f"{where} has no messages.", hint="Remove the row.")
    messages: list[Message] = []
    open_calls: list[str] = []
    for number, one in enumerate(found, start=1):
        place = f"{where}, message {number}"
        message = _as_message(one, len(messages), open_calls, place)
        open_calls += [call["id"] for call in message.get("tool_calls", ())]
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise DatasetError(
                    f"{place} is the result of the call {message['tool_call_id']!r}, which no message before it makes.",
                    hint="Put the assistant's message with that call before it.",
                )
            open_calls.remove(message["tool_call_id"])
        messages.append(message)
    return messages


def read_tools(given: Any, where: str) -> list[Tool]:
    """The tools, each with a name, a description and a JSON Schema of its parameters; [] for none.

    Functions without the wrapping `{"type": "function", ...}` are taken too. Raises DatasetError.
    """
    tools: list[Tool] = []
    if not isinstance(given or [], list):
        raise DatasetError(f"{where}: tools are no list.", hint="Correct it in the file.")
    for number, one in enumerate(given or [], start=1):
        place = f"{where}, tool {number}"
        function = one.get("function", one) if isinstance(one, Mapping) else None
        if not isinstance(function, Mapping) or not FUNCTION_NAME.fullmatch(str(function.get("name", ""))):
            name = function.get("name") if isinstance(function, Mapping) else one
            raise DatasetError(
                f"{place}: a function's name has 1 to 64 letters, digits, - and _; this one is {str(name)[:70]!r}.",
                hint="Rename it in the file.",
            )
        parameters = function.get("parameters") or {"type": "object", "properties": {}}
        check_schema(parameters, place)
        description = str(function.get("description") or "")
        tools.append(
            {"type": "function", "function": {"name": function["name"], "description": description, "parameters": parameters}}
        )  # fmt: skip
    names = [tool["function"]["name"] for tool in tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DatasetError(f"{where}: there are two tools called {twice!r}.", hint="Give each its own name.")
    return tools


def check_schema(schema: Any, where: str) -> None:
    """Raise DatasetError where `schema` is no JSON Schema of an object, draft 2020-12, that is whole in itself."""
    if problem := _schema_problem(json.dumps(schema, default=str)):
        raise DatasetError(f"{where}: the parameters are no JSON Schema: {problem}.", hint="Correct the schema.")
    if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
        raise DatasetError(f"{where}: the parameters are no object.", hint='The schema has "type": "object".')


@functools.lru_cache(maxsize=2048)
def _schema_problem(text: str) -> str:
    """What is wrong with a schema, "" for nothing; a file's rows share a few schemas, and each look takes milliseconds."""
    try:
        schema = json.loads(text)
        Draft202012Validator.check_schema(schema)
        resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
        for reference in _references(schema):
            if not reference.startswith("#"):
                return f"it refers to {reference[:60]!r}, which is outside of it and is never fetched"
            resolver.lookup(reference)
    except SchemaError as error:
        return str(error.message)[:200]
    except Unresolvable as error:
        return f"it refers to {str(error.ref)[:60]!r}, which it does not have"
    except RecursionError:
        return "it is nested too deeply"
    return ""


def _references(schema: Any) -> Iterator[str]:
    """Whatever the schema's parts refer to; a property that is called "$ref" counts too, unless it is a schema itself."""
    if isinstance(schema, dict):
        for key, inner in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def calls_of(message: Message, where: str) -> list[dict[str, Any]]:
    """The calls of a message as `{"name", "arguments"}`, arguments parsed. Raises DatasetError where they are no object."""
    found = []
    for call in message.get("tool_calls") or ():
        name, text = call["function"]["name"], call["function"]["arguments"]
        try:
            arguments = json.loads(text or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise DatasetError(
                f"{where}: the arguments of {name} are no JSON object: {text[:60]!r}.", hint="Correct them in the file."
            )
        found.append({"name": name, "arguments": arguments})
    return found


def _as_message(one: _Message, number: int, open_calls: list[str], place: str) -> Message:
    """The message without empty fields. An older `function_call` becomes a tool call, a function's result that of a tool."""
    content = (
        one.content if one.content is None or isinstance(one.content, str) else "\n".join(p.text for p in one.content)
    )
    message: Message = {"role": "tool" if one.role == "function" else one.role, "content": content}
    calls = one.tool_calls or ([_Call(function=one.function_call)] if one.function_call else [])
    if calls and one.role != "assistant":
        raise DatasetError(
            f"{place} calls a function, but is the {one.role}'s.", hint="Only the assistant calls functions."
        )
    if calls:
        message["tool_calls"] = [_as_call(call, f"call_{number}_{at}") for at, call in enumerate(calls)]
    if message["role"] == "tool":
        message["tool_call_id"] = one.tool_call_id or (open_calls[0] if open_calls else "")
    elif one.name:
        message["name"] = one.name
    if content is None and not calls:
        raise DatasetError(f"{place} has no content.", hint="Write it, or remove the message.")
    calls_of(message, place)
    return message


def _as_call(call: _Call, fallback: str) -> dict[str, Any]:
    given = call.function.arguments
    arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return {
        "id": call.id or fallback,
        "type": "function",
        "function": {"name": call.function.name, "arguments": arguments},
    }


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "the messages are nested too deeply."
    first = max(
        error.errors(), key=lambda one: len(one["loc"])
    )  # of the forms a content may have, the one that is meant
    place = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("list[", "str")))
    return f"{place} is {str(first['input'])[:60]!r}: {first['msg'][:1].lower()}{first['msg'][1:]}."
