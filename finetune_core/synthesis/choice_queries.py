"""Queries for a choice, written by a chat model from the choice's description and from its documents."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune_core.providers.chat import Chat, Checkpoint, estimated_tokens
from finetune_core.records import OUT_OF_SCOPE, content_id
from finetune_core.synthesis.questions import Batch
from finetune_core.synthesis.sentences import sentences
from finetune_core.synthesis.templates import render

MAX_PER_CALL = 10
MAX_TEXTS_PER_CALL = 30
TOKENS_PER_TEXT = 60
EXCERPTS_PER_CALL = 3
MAX_EXCERPT_CHARS = 1200
AVOIDED = 20
"""How many earlier queries a prompt names, the newest, so that they are not written again."""
MAX_AVOIDED_CHARS = 200
MAX_OTHERS = 60
"""The most names of other choices that a prompt holds."""
LOCAL_MAX_TOKENS = 48
_OVERHEAD_TOKENS = 200  # the schema and the chat format, which a service counts as input too
_FENCE = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")
# A small model left alone starts with chatter and goes on for ever: the grammar makes it one sentence.
_ENGLISH = r"^(What|How|When|Where|Who|Which|Why|Can|Do|Does|Should|Is|Are|Will|I|My|Please) [^\"\\\\\n?!.:]{8,80}[?.]$"
_ANY_LANGUAGE = r"^[^\"\\\\\n?!.:]{10,90}[?.]$"


@dataclass(frozen=True, slots=True)
class Topic:
    """What queries are written for: a choice, or (label `OUT_OF_SCOPE`) what none of the choices is for.

    `id` changes with whatever would make other queries fit: name, description, documents. `others` are the names of the other
    choices; out of scope, the name and description of every choice. `excerpts` are passages of the choice's documents.
    """

    id: str
    label: str
    name: str
    description: str
    others: tuple[str, ...] = ()
    excerpts: tuple[str, ...] = ()

    @property
    def is_out_of_scope(self) -> bool:
        """Whether no choice is for these queries."""
        return self.label == OUT_OF_SCOPE


@dataclass(frozen=True, slots=True)
class WrittenQuery:
    """One query with its other wordings, the query first; `reason` says why it cannot be used, "" if it can."""

    wordings: tuple[str, ...]
    reason: str = ""


class ServiceQueries:
    """Asks a capable chat model for several queries in one call, each with its other wordings."""

    def __init__(
        self, chat: Chat, model: str, prompt: str, language: str, *, num_wordings: int = 1, seed: int = 0,
        temperature: float = 0.7,
    ) -> None:  # fmt: skip
        """`model` is what the key stands on: base URL and model name. `num_wordings` counts the query itself."""
        self._chat, self._prompt, self._language, self._num_wordings = chat, prompt, language, num_wordings
        self._seed, self._temperature = seed, temperature
        self.key = content_id("service queries", model, prompt, language, str(num_wordings))
        self.num_parallel = chat.num_parallel
        self.num_per_call = max(1, min(MAX_PER_CALL, MAX_TEXTS_PER_CALL // num_wordings))

    def write(
        self, topic: Topic, numbers: Sequence[int], avoid: Sequence[str] = (), checkpoint: Checkpoint | None = None
    ) -> Batch[WrittenQuery]:
        """Queries number `numbers` (0-based) of the topic, none of those in `avoid`. Raises ProviderError.

        An answer that is not the JSON asked for leaves its numbers unusable, with a reason.
        """
        reply = self._chat.complete(
            [{"role": "user", "content": self._filled(topic, numbers, avoid)}],
            schema=_SCHEMA,
            max_tokens=self._most_written(len(numbers)),
            seed=self._seed + numbers[0],
            temperature=self._temperature,
            checkpoint=checkpoint,
        )
        written = _parsed(reply.text, self._num_wordings)[: len(numbers)]
        reason = "The model wrote fewer queries than asked." if written else "The answer was not the JSON asked for."
        missing = [WrittenQuery((), reason)] * (len(numbers) - len(written))
        return Batch((*written, *missing), reply.input_tokens, reply.output_tokens)

    def largest_call(self, topic: Topic, num: int) -> tuple[int, int]:
        """The most input and output tokens a call for that many may take: twice the prompt's estimate, with room for `avoid`."""
        prompt = self._filled(topic, range(num), ())
        return 2 * estimated_tokens(prompt) + AVOIDED * TOKENS_PER_TEXT + _OVERHEAD_TOKENS, self._most_written(num)

    def close(self) -> None:
        """Close the chat."""
        self._chat.close()

    def _most_written(self, num: int) -> int:
        return TOKENS_PER_TEXT * num * self._num_wordings + 100

    def _filled(self, topic: Topic, numbers: Sequence[int], avoid: Sequence[str]) -> str:
        excerpts = [_taken(topic.excerpts, numbers[0] // self.num_per_call * EXCERPTS_PER_CALL + place)
                    for place in range(min(EXCERPTS_PER_CALL, len(topic.excerpts)))]  # fmt: skip
        values = {"name": topic.name, "description": topic.description, "is_out_of_scope": topic.is_out_of_scope}
        values |= {"others": list(topic.others), "excerpts": excerpts, "language": self._language}
        counts = {"num_queries": len(numbers), "num_wordings": self._num_wordings}
        return render(
            self._prompt, {**values, **counts, "avoid": [text[:MAX_AVOIDED_CHARS] for text in avoid[-AVOIDED:]]}
        )


class LocalQueries:
    """Asks a small model for one query, and then for each other wording of it; what it is told to write varies by number."""

    num_per_call = 1

    def __init__(
        self, chat: Chat, model: str, prompt: str, language: str, *, num_wordings: int = 1, seed: int = 0,
        temperature: float = 0.8,
    ) -> None:  # fmt: skip
        """`model` is what the key stands on: the file's name and size."""
        self._chat, self._prompt, self._language, self._num_wordings = chat, prompt, language, num_wordings
        self._seed, self._temperature = seed, temperature
        self.key = content_id("local queries", model, prompt, language, str(num_wordings))
        self.num_parallel = chat.num_parallel
        text = {"type": "string", "pattern": _ENGLISH if language == "English" else _ANY_LANGUAGE}
        self._schema = {"type": "object", "properties": {"query": text}, "required": ["query"]}

    def write(
        self, topic: Topic, numbers: Sequence[int], avoid: Sequence[str] = (), checkpoint: Checkpoint | None = None
    ) -> Batch[WrittenQuery]:
        """As `ServiceQueries.write`, for one number; `avoid` is more than a small model can heed."""
        (number,) = numbers
        said: list[str] = []
        input_tokens = output_tokens = 0
        for wording in range(self._num_wordings):
            reply = self._chat.complete(
                [{"role": "user", "content": self._filled(topic, number, said[0] if said else "")}],
                schema=self._schema,
                max_tokens=LOCAL_MAX_TOKENS,
                seed=self._seed + number + 1000 * wording,
                temperature=self._temperature,
                checkpoint=checkpoint,
            )
            input_tokens, output_tokens = input_tokens + reply.input_tokens, output_tokens + reply.output_tokens
            text = _local_answer(reply.text)
            if not text:
                break
            said.append(text)
        one = WrittenQuery(_distinct(said)) if said else WrittenQuery((), "The answer was cut off.")
        return Batch((one,), input_tokens, output_tokens)

    def largest_call(self, topic: Topic, num: int) -> tuple[int, int]:
        """As `ServiceQueries.largest_call`."""
        longest = estimated_tokens(self._prompt + topic.name + topic.description) + MAX_EXCERPT_CHARS // 4
        return num * self._num_wordings * (longest + _OVERHEAD_TOKENS), num * self._num_wordings * LOCAL_MAX_TOKENS

    def close(self) -> None:
        """Free the model's memory."""
        self._chat.close()

    def _filled(self, topic: Topic, number: int, said: str) -> str:
        sentence = ""
        if topic.excerpts:
            told = sentences(_taken(topic.excerpts, number)) or [""]
            sentence = " ".join(told[number // len(topic.excerpts) % len(told)].split())
        values = {"name": topic.name, "description": topic.description, "is_out_of_scope": topic.is_out_of_scope}
        return render(
            self._prompt, {**values, "sentence": sentence, "said": said, "number": number, "language": self._language}
        )


_TEXT = {"type": "string"}
_ITEM = {
    "type": "object",
    "properties": {"query": _TEXT, "wordings": {"type": "array", "items": _TEXT}},
    "required": ["query", "wordings"],
    "additionalProperties": False,
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"queries": {"type": "array", "items": _ITEM}},
    "required": ["queries"],
    "additionalProperties": False,
}


def _taken(excerpts: Sequence[str], number: int) -> str:
    return excerpts[number % len(excerpts)][:MAX_EXCERPT_CHARS]


def _parsed(text: str, num_wordings: int) -> list[WrittenQuery]:
    """The queries in a model's answer: JSON, also inside a code fence or chatter; [] if there is none."""
    text = _FENCE.sub("", text)
    try:
        items = json.loads(text[text.find("{") : text.rfind("}") + 1])["queries"]
    except (ValueError, KeyError, TypeError):
        return []
    if not isinstance(items, list):
        return []
    found = []
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("query"), str):
            others = item.get("wordings")
            said = [item["query"], *(one for one in others if isinstance(one, str))] if isinstance(others, list) else []
            wordings = _distinct(said or [item["query"]])[:num_wordings]
            found.append(WrittenQuery(wordings, "" if wordings else "The query was empty."))
    return found


def _distinct(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts in one line each, without empty ones and repetitions."""
    lines = (" ".join(text.split()) for text in texts)
    return tuple({line.casefold(): line for line in lines if line}.values())


def _local_answer(text: str) -> str:
    try:
        return str(json.loads(text)["query"]).strip()
    except (ValueError, KeyError, TypeError):
        return ""
