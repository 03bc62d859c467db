"""The training files of OpenAI's fine-tuning API, checked as strictly as the service does before anything is sent.

The forms are those of the vendor's guide: one conversation a line for supervised tuning, two answers to one input for
tuning by preference.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from finetune_core.errors import DatasetError
from finetune_core.providers.chat import Message
from finetune_core.training.conversations import Conversation

MIN_EXAMPLES = 10
"""The fewest examples the vendor takes."""
MAX_FILE_BYTES = 512_000_000
ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def supervised_line(conversation: Conversation) -> dict[str, Any]:
    """A line for supervised tuning."""
    line: dict[str, Any] = {"messages": [dict(message) for message in (*conversation.messages, conversation.response)]}
    return line | _tools(conversation)


def preference_line(conversation: Conversation) -> dict[str, Any]:
    """A line for tuning by preference."""
    messages = {"messages": [dict(message) for message in conversation.messages], **_tools(conversation)}
    return {
        "input": messages,
        "preferred_output": [dict(conversation.response)],
        "non_preferred_output": [dict(conversation.rejected or {})],
    }


def training_file(conversations: Sequence[Conversation], part: str, *, is_preference: bool) -> bytes:
    """The file of all conversations of a part ("training", "validation") as JSON lines in UTF-8.

    Raises DatasetError that names the first line the service would refuse, its example, and why.
    """
    if len(conversations) < MIN_EXAMPLES:
        raise DatasetError(
            f"The service takes at least {MIN_EXAMPLES} {part} examples; this dataset has {len(conversations)}.",
            hint="Add examples and freeze a new version, or tune on this machine.",
        )
    line = preference_line if is_preference else supervised_line
    for number, conversation in enumerate(conversations, start=1):
        check(conversation, f"Line {number:,} of the {part} file", is_preference=is_preference)
    lines = [json.dumps(line(conversation), ensure_ascii=False) for conversation in conversations]
    data = "".join(f"{each}\n" for each in lines).encode("utf-8", "replace")
    if len(data) > MAX_FILE_BYTES:
        raise DatasetError(
            f"The {part} file has {len(data):,} bytes; the service takes {MAX_FILE_BYTES:,}.",
            hint="Freeze a smaller version.",
        )
    return data


def check(conversation: Conversation, where: str, *, is_preference: bool) -> None:
    """Raise DatasetError if the service would refuse this conversation, which stands `where`."""
    answers = [conversation.response, *([conversation.rejected or {}] if is_preference else [])]
    problem = _problem(conversation.messages, answers)
    if is_preference and not problem and conversation.rejected == conversation.response:
        problem = "its better and its worse answer are the same"
    if problem:
        raise DatasetError(
            f"{where}, example {conversation.id!r}, cannot be learned from: {problem}. Nothing was sent.",
            hint="Correct or reject it on the Review page, then freeze a new version.",
        )


def _problem(messages: Sequence[Message], answers: Sequence[Message]) -> str:
    if not messages:
        return "nothing is asked"
    for message in messages:
        if message.get("role") not in ROLES:
            return f"a message has the role {message.get('role')!r}; there are {', '.join(sorted(ROLES))}"
        if not message.get("content") and not message.get("tool_calls"):
            return f"a message of the role {message['role']} is empty"
    for answer in answers:
        if answer.get("role") != "assistant":
            return f"its answer is a message of the role {answer.get('role')!r}, not of the assistant"
        if not answer.get("content") and not answer.get("tool_calls"):
            return "its answer is empty"
        for call in answer.get("tool_calls") or ():
            if not _is_json(call["function"].get("arguments")):
                return f"its call of {call['function'].get('name')!r} has arguments that are no JSON object"
    return ""


def _tools(conversation: Conversation) -> dict[str, Any]:
    return {"tools": [dict(tool) for tool in conversation.tools]} if conversation.tools else {}


def _is_json(text: object) -> bool:
    try:
        return isinstance(text, str) and isinstance(json.loads(text), Mapping)
    except ValueError:
        return False
