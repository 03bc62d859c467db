"""Requests with the function calls that are right for them: OpenAI's JSONL with tools, texts with slots, and the records."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finetune_core.corpus.interchange.fields import group_of, id_of, list_of, split_of, text_of
from finetune_core.corpus.interchange.messages import calls_of, check_schema, read_messages, read_tools
from finetune_core.corpus.interchange.row_formats import Brought, RowFormat, Rows
from finetune_core.errors import DatasetError
from finetune_core.records import Message, Tool, ToolCall, content_id

FEW_FUNCTION_SETS = 10
"""With fewer sets of functions than this in a file, no part for testing could be made of whole sets; then only requests of
the same words stay together.
"""
EXTRACT = "extract"
"""The function that texts with slots are filled in by."""


def _read_records(rows: Rows) -> Iterator[Brought]:
    found = []
    for where, row in rows:
        messages, tools = read_messages(list_of(row, "messages", where), where), read_tools(_tools(row, where), where)
        calls = [_checked_call(one, tools, where) for one in list_of(row, "calls", where)]
        found.append((where, row, messages, tools, calls))
    yield from grouped(found)


def _read_openai(rows: Rows) -> Iterator[Brought]:
    found = []
    for where, row in rows:
        messages, tools = read_messages(row["messages"], where), read_tools(_tools(row, where), where)
        if messages[-1]["role"] != "assistant" or len(messages) < 2:
            raise DatasetError(
                f"{where}: the last message is the {messages[-1]['role']}'s; the assistant's calls come last.",
                hint="Add them, or remove the row.",
            )
        calls = [_checked_call(one, tools, where) for one in calls_of(messages[-1], where)]
        found.append((where, row, messages[:-1], tools, calls))
    yield from grouped(found)


def _read_slots(rows: Rows) -> Iterator[Brought]:
    """Texts with what stands in their slots; the schema is the row's own, or made of all slots of the file."""
    common = _slots_schema(rows)
    for where, row in rows:
        text, schema = text_of(row, ("text",), where, needed=True), row.get("schema") or common
        check_schema(schema, where)
        slots = {name: _slot(values, schema, name) for name, values in _slots(row, where).items()}
        unknown = [name for name in slots if name not in schema.get("properties", {})]
        if unknown:
            raise DatasetError(f"{where}: the schema has no slot {unknown[0]!r}.", hint="Add it to the schema.")
        messages: list[Message] = [{"role": "user", "content": text}]
        if requested := list_of(row, "requested", where):
            messages.insert(
                0, {"role": "system", "content": f"The user was asked for: {', '.join(map(str, requested))}."}
            )
        tools = read_tools([{"name": EXTRACT, "description": "What the text says.", "parameters": schema}], where)
        calls = ({"name": EXTRACT, "arguments": slots},)
        one = ToolCall(id_of(row, messages, tools, calls), tuple(messages), tuple(tools), calls, group_of(row, text))
        yield Brought(one, split_of(row, where), where)


OWN = RowFormat("Ayar calls", ("messages", "tools", "calls"), _read_records)
OPENAI = RowFormat("OpenAI chat with tools", ("messages", "tools|functions"), _read_openai)
SLOTS = RowFormat("Texts with slots", ("text", "slots"), _read_slots)


def _read_texts(rows: Rows) -> Iterator[Brought]:
    """Texts that no function was called for yet."""
    for where, row in rows:
        text = text_of(row, ("text", "query", "question"), where, needed=True)
        asked: tuple[Message, ...] = ({"role": "user", "content": text},)
        yield Brought(ToolCall(id_of({}, text), asked, (), (), group_of(row, text)), split_of(row, where), where)


UNGRADED = (RowFormat("Texts", ("text|query|question",), _read_texts),)

Found = tuple[str, Mapping[str, Any], Sequence[Message], Sequence[Tool], Sequence[dict[str, Any]]]
"""Where a row stands, its fields, and what was read of them: messages, tools, calls."""


def grouped(found: Sequence[Found]) -> Iterator[Brought]:
    """The records of what was read, grouped by their sets of functions, or by their words where there are few sets."""
    sets = [content_id("functions", *sorted(tool["function"]["name"] for tool in tools)) for _, _, _, tools, _ in found]
    by_set = len(set(sets)) >= FEW_FUNCTION_SETS
    for (where, row, messages, tools, calls), functions in zip(found, sets, strict=True):
        asked = "\n".join(str(one["content"]) for one in messages if one["role"] == "user")
        if not asked.strip():
            raise DatasetError(f"{where} asks nothing: it has no user's message.", hint="Remove the row.")
        group = str(row.get("group") or "").strip() or (functions if by_set else group_of({}, asked))
        key = id_of(row, messages, tools, calls)
        yield Brought(ToolCall(key, tuple(messages), tuple(tools), tuple(calls), group), split_of(row, where), where)


def write_openai(one: ToolCall) -> dict[str, Any]:
    """The request as a line of OpenAI's fine-tuning file; where no call is due, the assistant says that in words."""
    calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["arguments"], ensure_ascii=False)},
        }
        for number, call in enumerate(one.calls)
    ]
    said = {"content": None, "tool_calls": calls} if calls else {"content": "No function fits this request."}
    return {"messages": [*one.messages, {"role": "assistant", **said}], "tools": list(one.tools)}


def _tools(row: Mapping[str, Any], where: str) -> Any:
    given = row.get("tools") or row.get("functions")
    return list_of({"tools": given}, "tools", where) if isinstance(given, str) else given


def _checked_call(call: Any, tools: Sequence[Tool], where: str) -> dict[str, Any]:
    known = [tool["function"]["name"] for tool in tools]
    if not isinstance(call, Mapping) or not isinstance(call.get("arguments", {}), Mapping):
        raise DatasetError(
            f"{where}: {str(call)[:60]!r} is no call.", hint='A call is {"name": "...", "arguments": {...}}.'
        )
    if call.get("name") not in known:
        raise DatasetError(
            f"{where}: {str(call.get('name'))[:60]!r} is called, but is none of the functions: {', '.join(known) or 'none'}.",
            hint="Add the function to the tools, or correct the call.",
        )
    accepted = call.get("accepted") or {}
    if not isinstance(accepted, Mapping) or not all(isinstance(values, list) for values in accepted.values()):
        raise DatasetError(f"{where}: accepted holds no lists of values.", hint='It is {"argument": [value, …]}.')
    kept = {"name": call["name"], "arguments": dict(call.get("arguments", {}))}
    return kept | ({"accepted": dict(accepted)} if accepted else {})


def _slots(row: Mapping[str, Any], where: str) -> dict[str, list[Any]]:
    slots = row["slots"]
    if not isinstance(slots, Mapping):
        raise DatasetError(f"{where}: slots are no object.", hint='They are {"slot": "value" or ["value", …]}.')
    return {str(name): value if isinstance(value, list) else [value] for name, value in slots.items()}


def _slots_schema(rows: Rows) -> dict[str, Any]:
    """A text for each slot of the file, or a list of texts for one that is filled twice somewhere."""
    most: dict[str, int] = {}
    for where, row in rows:
        for name, values in _slots(row, where).items():
            most[name] = max(most.get(name, 1), len(values))
    text = {"type": "string"}
    properties = {name: text if num == 1 else {"type": "array", "items": text} for name, num in sorted(most.items())}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _slot(values: list[Any], schema: Mapping[str, Any], name: str) -> Any:
    is_list = schema.get("properties", {}).get(name, {}).get("type") == "array"
    return values if is_list or len(values) != 1 else values[0]
