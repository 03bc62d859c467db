"""Rows that hold a question with a better and a worse answer: OpenAI's file for tuning by preference, and TRL's data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.corpus.interchange.fields import list_of
from finetune_core.errors import DatasetError

PREFERENCE_FIELDS = {
    "OpenAI preferences": ("input", "preferred_output", "non_preferred_output"),
    "TRL preferences": ("chosen", "rejected"),
}
"""The titles of the forms, and the fields by which they are known."""


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """What is asked, and an assistant's message that is better and one that is worse, all as the row has them, unchecked."""

    messages: list[Any]
    preferred: Any
    non_preferred: Any
    tools: Any = None


def preference_of(row: Mapping[str, Any], where: str) -> PreferenceRow:
    """What the row says. In TRL's form a prompt is a text, messages, or what both conversations begin with.

    Raises DatasetError where an answer is not one message, or nothing is asked.
    """
    if "input" in row:
        asked = row["input"]
        if not isinstance(asked, Mapping):
            raise DatasetError(f"{where}: input is no object.", hint='It is {"messages": […]}.')
        better, worse = (_one(row[name], name, where) for name in PREFERENCE_FIELDS["OpenAI preferences"][1:])
        return PreferenceRow(list_of(asked, "messages", where), better, worse, asked.get("tools"))
    chosen, rejected = (_turns(row[name], "assistant", where) for name in ("chosen", "rejected"))
    prompt = _turns(row.get("prompt") or [], "user", where)
    if not prompt:
        num_same = next(
            (at for at, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other), len(rejected)
        )
        prompt, chosen, rejected = chosen[:num_same], chosen[num_same:], rejected[num_same:]
    if not prompt:
        raise DatasetError(f"{where} asks nothing.", hint="Add a prompt, or begin both conversations with it.")
    return PreferenceRow(prompt, _one(chosen, "chosen", where), _one(rejected, "rejected", where), row.get("tools"))


def _turns(value: Any, role: str, where: str) -> list[Any]:
    """Messages as they are; a text is one message of `role`."""
    if isinstance(value, str):
        return [{"role": role, "content": value}] if value else []
    if not isinstance(value, list):
        raise DatasetError(
            f"{where}: {str(value)[:60]!r} is neither a text nor messages.", hint="Correct it in the file."
        )
    return value


def _one(value: Any, name: str, where: str) -> Any:
    if not isinstance(value, list) or len(value) != 1:
        num = len(value) if isinstance(value, list) else 0
        raise DatasetError(
            f"{where}: {name} holds {num} messages; an answer is one message of the assistant.",
            hint="Put what comes before the last answer into what is asked.",
        )
    return value[0]
