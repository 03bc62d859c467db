"""The fields of each kind of demonstration as a person reads and writes them: every value as a text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from jsonschema import Draft202012Validator

from finetune_core.corpus.interchange import demonstrations as files
from finetune_core.errors import DatasetError
from finetune_core.evaluation.said import message_text
from finetune_core.records import Chat, Comparison, Judgement, Message, Preference, SqlQuestion, ToolCall
from finetune_core.storage.demonstrations import content_of


class Form(StrEnum):
    """How a field is written."""

    TEXT = "text"
    MESSAGES = "messages"  # a single message as it is, several as JSON
    ANSWER = "answer"  # the assistant's message: a text, or JSON with tool_calls
    JSON = "json"
    NUMBER = "number"
    WINNER = "winner"
    SQL = "sql"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; `is_answer` tells that it belongs to what is right, and not to what is asked."""

    name: str
    title: str
    form: Form = Form.TEXT
    is_answer: bool = False
    is_needed: bool = True


FIELDS: dict[str, tuple[Field, ...]] = {
    Chat.__name__: (
        Field("messages", "Messages", Form.MESSAGES),
        Field("tools", "Functions", Form.JSON, is_needed=False),
        Field("response", "Answer", Form.ANSWER, is_answer=True),
    ),
    ToolCall.__name__: (
        Field("messages", "Request", Form.MESSAGES),
        Field("tools", "Functions", Form.JSON),
        Field("calls", "Calls", Form.JSON, is_answer=True),
    ),
    Judgement.__name__: (
        Field("query", "Question"),
        Field("response", "Answer to judge"),
        Field("reference", "True answer", is_needed=False),
        Field("score", "Score", Form.NUMBER, is_answer=True),
        Field("feedback", "Reason", is_answer=True, is_needed=False),
    ),
    Comparison.__name__: (
        Field("query", "Question"),
        Field("first", "First answer"),
        Field("second", "Second answer"),
        Field("reference", "True answer", is_needed=False),
        Field("winner", "Better answer", Form.WINNER, is_answer=True),
        Field("feedback", "Reason", is_answer=True, is_needed=False),
    ),
    SqlQuestion.__name__: (
        Field("question", "Question"),
        Field("schema", "CREATE TABLE statements", Form.SQL),
        Field("database", "Database (URL or path)", is_needed=False),
        Field("sql", "SQL", Form.SQL, is_answer=True),
    ),
}
"""By the name of the record's class, in the order in which a person meets them."""

_NO_ANSWER: dict[str, dict[str, Any]] = {
    Chat.__name__: {"response": {"role": "assistant", "content": "?"}},
    ToolCall.__name__: {"calls": []},
    Judgement.__name__: {"score": 1.0},
    Comparison.__name__: {"winner": Preference.TIE.value},
    SqlQuestion.__name__: {"sql": "?"},
}


def turns(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Who speaks in each message, and what they say, calls of functions included."""
    names = {
        "system": "System",
        "developer": "System",
        "user": "User",
        "assistant": "Assistant",
        "tool": "Function's result",
    }
    return [(names.get(str(one["role"]), str(one["role"])), message_text(one)) for one in messages]


def as_text(field: Field, value: Any) -> str:
    """The value as a person edits it."""
    if field.form is Form.MESSAGES:
        messages: list[Message] = list(value or [])
        is_single = len(messages) == 1 and messages[0]["role"] == "user"
        return str(messages[0]["content"]) if is_single else _json(messages)
    if field.form is Form.ANSWER:
        return _json(value) if value.get("tool_calls") else str(value.get("content") or "")
    if field.form is Form.JSON:
        return _json(value) if value else ("[]" if field.is_needed else "")
    return f"{value:.15g}" if field.form is Form.NUMBER else str(value)


def from_text(field: Field, text: str) -> Any:
    """The value that a person wrote. Raises DatasetError where it should be JSON and is none."""
    written = text.strip()
    if field.form is Form.MESSAGES:
        return _parsed(field, written) if written[:1] == "[" else [{"role": "user", "content": text}]
    if field.form is Form.ANSWER:
        return _parsed(field, written) if written[:1] == "{" else {"role": "assistant", "content": text}
    if field.form is Form.JSON:
        return _parsed(field, written) if written else []
    return text


def texts(kind: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Each field of a record's content as a text; "" for what it does not have."""
    return {field.name: as_text(field, content[field.name]) if field.name in content else "" for field in FIELDS[kind]}


def values(kind: str, written: Mapping[str, str]) -> dict[str, Any]:
    """The fields that a person wrote, as values of a record. Raises DatasetError for JSON that is none."""
    return {field.name: from_text(field, written[field.name]) for field in FIELDS[kind] if field.name in written}


def changed(kind: str, content: Mapping[str, Any], written: Mapping[str, str]) -> dict[str, Any]:
    """Those of the written fields that say something else than `content` does, as values. Raises DatasetError as `values`."""
    before = texts(kind, content)
    return values(kind, {name: text for name, text in written.items() if text != before.get(name)})


def asked(kind: str, written: Mapping[str, str]) -> Any:
    """The record of what is asked, its right answer left empty. Raises DatasetError for a field that is missing or wrong."""
    questions = {field.name for field in FIELDS[kind] if not field.is_answer}
    fields = values(kind, {name: text for name, text in written.items() if name in questions})
    example = files.read_one(kind, fields | _NO_ANSWER[kind], "This question")
    if kind == Chat.__name__:
        return replace(example, response={})
    return replace(example, sql="") if kind == SqlQuestion.__name__ else example


def schema_problems(example: Any) -> list[str]:
    """What the arguments of calls have that their JSON Schema (2020-12) does not allow, one sentence each; [] for nothing."""
    if not isinstance(example, ToolCall):
        return []
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in example.tools}
    return [
        f"{call['name']}: {error.message[:200]}"
        for call in example.calls
        for error in Draft202012Validator(schemas[call["name"]]).iter_errors(call["arguments"])
    ]


def wire(example: Any) -> dict[str, Any]:
    """A record as JSON that can be sent to the process which answers."""
    return {"kind": type(example).__name__, "group": example.group, "content": content_of(example)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _parsed(field: Field, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{field.title}: this is no JSON: {error}.", hint="Correct it; brackets and quotes come in pairs."
        ) from error
