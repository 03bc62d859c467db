"""The demo's test questions, each anchored by topic and quote instead of by chunk."""

import functools
import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the topic that answers it, and the words of the topic that do; the quote is four words or more."""

    topic: str
    question: str
    quote: str


@functools.cache
def questions() -> tuple[Question, ...]:
    """All of them, in the order of the file: by topic."""
    raw: dict[str, list[list[str]]] = json.loads(files(__package__).joinpath("questions.json").read_text("utf-8"))
    return tuple(Question(topic, question, quote) for topic, rows in raw.items() for question, quote in rows)


def reserved_topics() -> frozenset[str]:
    """The topics that the questions ask about."""
    return frozenset(question.topic for question in questions())
