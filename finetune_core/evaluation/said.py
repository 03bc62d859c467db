"""What a model said, and how examples of every kind read as texts: what was asked, and what is right.

Pages, lists, searches and comparisons show examples through these, so that a kind of example reads the same everywhere.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_core.providers.database import ResultTable
from finetune_core.records import Chat, Comparison, Judgement, Message, SqlQuestion, ToolCall


@dataclass(frozen=True, slots=True)
class Said:
    """What `Recipe.answer` of a recipe over chats, calls, judgements, comparisons or SQL gives.

    `text` is the answer as a person reads it (calls as `calls_text` writes them, a score, "first", SQL); `note` says what
    is odd about it, "" for nothing; `table` are rows that come with it.
    """

    text: str
    note: str = ""
    table: ResultTable | None = None


def detail(answer: str, expected: str, score: float | None, note: str = "") -> dict[str, Any]:
    """One entry of `Report.details` of such a recipe.

    `score` says how right the answer is, from 0 to 1, None where that could not be told; by it pages say which examples
    were won and lost. `note` says why, "" for nothing.
    """
    return {"answer": answer, "expected": expected, "score": score, "note": note}


def question_text(example: Any) -> str:
    """What an example of any kind asks of a model, as one text."""
    if isinstance(example, Chat | ToolCall):
        return conversation_text(example.messages)
    if isinstance(example, Judgement):
        return f"{example.query}\n\n{example.response}"
    if isinstance(example, Comparison):
        return f"{example.query}\n\n1: {example.first}\n\n2: {example.second}"
    return str(example.question if isinstance(example, SqlQuestion) else example.query)


def answer_text(example: Any) -> str:
    """What is right for an example, as one text; "" for kinds whose answer is no text of its own."""
    if isinstance(example, Chat):
        return message_text(example.response)
    if isinstance(example, ToolCall):
        return calls_text(example.calls)
    if isinstance(example, Judgement):
        return f"{example.score:g}"
    if isinstance(example, Comparison):
        return str(example.winner)
    return example.sql if isinstance(example, SqlQuestion) else ""


def conversation_text(messages: Sequence[Message]) -> str:
    """What was said, without what the system was told; who said it stands before each turn where there are several."""
    turns = [message for message in messages if message["role"] not in ("system", "developer")]
    if len(turns) == 1:
        return message_text(turns[0])
    return "\n".join(f"{message['role']}: {message_text(message)}" for message in turns)


def message_text(message: Message) -> str:
    """The text of a message, and below it the functions it calls."""
    calls = [
        {"name": call["function"]["name"], "arguments": _parsed(call["function"]["arguments"])}
        for call in message.get("tool_calls") or ()
    ]
    parts = [str(message.get("content") or ""), calls_text(calls) if calls else ""]
    return "\n".join(part for part in parts if part)


def calls_text(calls: Iterable[Mapping[str, Any]]) -> str:
    """Function calls, each on a line of its own as `name({"argument": value})`; "" for none."""
    return "\n".join(f"{call['name']}({json.dumps(call['arguments'], ensure_ascii=False)})" for call in calls)


def _parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, TypeError):
        return arguments
