"""Answers of chat models, held against those of the model they should learn from, or against the true ones.

Shape suffixes: N examples.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune_core.evaluation.asking import Answered, ask_all, chat_facts
from finetune_core.evaluation.said import Said, calls_text, detail, message_text
from finetune_core.evaluation.side_by_side import NO_SYSTEM, TEACHER
from finetune_core.evaluation.text_similarity import similarity_columns
from finetune_core.metrics.ranking import Mean
from finetune_core.metrics.ratios import Ratio
from finetune_core.metrics.structured import score_calls
from finetune_core.metrics.text import Bleu
from finetune_core.providers import chat as providers
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Metric, Prices, Report, Run
from finetune_core.records import Chat, Part, content_id

HEADLINE = "similarity"
ANSWER_METRICS: dict[str, Metric] = {
    "similarity": Mean("similarity"),
    "rouge_l": Mean("rouge_l"),
    "chrf": Mean("chrf"),
    "bleu": Bleu(),
    "right_calls": Ratio("calls_right", ("calls_due",)),
}
"""What needs no judge; of `right_calls`, the answers that should call a function are the whole."""


@dataclass(frozen=True)
class Answerer:
    """A chat model that answers, with answers of at most `max_tokens` tokens."""

    name: str
    chat: providers.Chat
    max_tokens: int
    prices: Prices | None = None
    is_teacher: bool = False

    @property
    def fingerprint(self) -> str:
        """Changes whenever the answers may."""
        identity = str(getattr(self.chat, "fingerprint", self.chat.name))
        return content_id("answerer", identity, str(self.max_tokens))

    def ask(self, examples: Sequence[Chat], run: Run, *, keep: bool = True) -> list[Answered]:
        """The answers in order, kept in the run's folder; or, where a person typed the question, shown as they grow."""
        kept = run.workdir / f"answers-{self.fingerprint}.jsonl" if keep else None
        requests = [
            providers.Request(example.messages, tools=example.tools, max_tokens=self.max_tokens) for example in examples
        ]
        return ask_all(self.chat, requests, run, kept, None if keep else run.on_text)


@dataclass(frozen=True)
class Recorded:
    """The answers that were recorded: the ceiling, which nobody is asked for again."""

    name: str = "recorded answers"


@dataclass(frozen=True)
class Copier:
    """Repeats the first passage it is shown: the floor."""

    name: str = "first passage"


System = Answerer | Recorded | Copier


def target(example: Chat) -> str:
    """What an answer is held against: the true answer where it is known, else the recorded one."""
    return example.reference or message_text(example.response)


def evaluate_answers(system: System, part: Part[Chat], embedder: Embedder, run: Run) -> Report:
    """Answer every example of the part.

    Columns: those of `similarity_columns`, and `calls_due` and `calls_right` (N,), each 0 or 1. An answer that the model
    refused is NaN.
    """
    answers = _answers(system, part, run)
    texts = [None if answer.failure else _text(answer) for answer in answers]
    columns: dict[str, Any] = {
        **similarity_columns(texts, [target(one) for one in part.examples], embedder, run.checkpoint)
    }
    due_N = np.array([bool(one.response.get("tool_calls")) for one in part.examples], dtype=np.float64)
    right_N = [_calls_right(a, one) for a, one in zip(answers, part.examples, strict=True)]
    columns |= {"calls_due": due_N, "calls_right": np.array(right_N, dtype=np.float64)}
    details = tuple(
        detail(_text(answer), target(one), None if answer.failure else float(columns[HEADLINE][row]), answer.failure)
        for row, (answer, one) in enumerate(zip(answers, part.examples, strict=True))
    )
    ids, groups = tuple(one.id for one in part.examples), tuple(one.group for one in part.examples)
    return Report(system.name, ids, groups, columns, details, _facts(system, answers))


def answer_chat(system: System, example: Chat, run: Run) -> Said:
    """One answer; nothing of it is kept."""
    if isinstance(system, Answerer):
        [answer] = system.ask([example], run, keep=False)
        return Said(_text(answer), answer.failure)
    return Said(example.contexts[0] if isinstance(system, Copier) and example.contexts else "")


def _answers(system: System, part: Part[Chat], run: Run) -> list[Answered]:
    if isinstance(system, Answerer):
        return system.ask(part.examples, run)
    if isinstance(system, Copier):
        return [Answered(one.contexts[0] if one.contexts else "") for one in part.examples]
    return [Answered(str(one.response.get("content") or ""), _recorded_calls(one)) for one in part.examples]


def _recorded_calls(example: Chat) -> tuple[providers.Call, ...]:
    wanted = [call["function"] for call in example.response.get("tool_calls") or ()]
    return tuple(providers.Call(call["name"], call["arguments"]) for call in wanted)


def _text(answer: Answered) -> str:
    """The answer as `said.message_text` writes the right one."""
    return "\n".join(part for part in (answer.text, calls_text(_parsed(answer.calls))) if part)


def _calls_right(answer: Answered, example: Chat) -> float:
    """Whether the calls are those of the recorded answer; 0 where none is due."""
    right = _parsed(_recorded_calls(example))
    if answer.failure:
        return np.nan
    said = _parsed(answer.calls)
    are_objects = all(isinstance(call["arguments"], Mapping) for call in [*said, *right])
    return float(bool(right) and are_objects and score_calls(said, right).is_exact)


def _parsed(calls: Sequence[providers.Call]) -> list[dict[str, Any]]:
    found = []
    for call in calls:
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            arguments = call.arguments
        found.append({"name": call.name, "arguments": arguments})
    return found


def _facts(system: System, answers: Sequence[Answered]) -> dict[str, Any]:
    if not isinstance(system, Answerer):
        return {TEACHER: True, NO_SYSTEM: True} if isinstance(system, Recorded) else {}
    said = {TEACHER: True} if system.is_teacher else {}
    return {**said, **chat_facts(system.chat, answers, system.prices)}
