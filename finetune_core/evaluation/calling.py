"""Function calls by language models: how they are asked for, read, validated, and held against the right ones.

A model is asked in one of two ways: a service gets the functions in its own interface, a model on this machine gets them in
the prompt and answers with a JSON list, which a grammar made from the functions' schemas can hold it to. That grammar
is a system of its own beside the free answer, so that what tuning adds is seen apart from what the grammar adds.

Shape suffixes: N examples.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune_core.evaluation.asking import Answered, ask_all, chat_facts
from finetune_core.evaluation.prompt_files import prompt
from finetune_core.evaluation.said import Said, calls_text, detail
from finetune_core.metrics.ranking import Mean
from finetune_core.metrics.ratios import Ratio
from finetune_core.metrics.structured import score_calls
from finetune_core.providers.chat import Call, Chat, Message, Request
from finetune_core.providers.portable_template import ToolForm, tool_form
from finetune_core.recipe import Metric, Prices, Report, Run
from finetune_core.records import Part, Tool, ToolCall, content_id

PROMPT = "function_calling.v2"
MAX_TOKENS = 256
NO_CALL = "no call"
HEADLINE = "field_f1"

CALLING_METRICS: dict[str, Metric] = {
    "field_f1": Ratio("fields_right", ("fields_said", "fields_expected"), 2.0),
    "field_precision": Ratio("fields_right", ("fields_said",)),
    "field_recall": Ratio("fields_right", ("fields_expected",)),
    "exact_match": Mean("exact"),
    "right_function": Ratio("right_function", ("due",)),
    "right_refusal": Ratio("right_refusal", ("not_due",)),
    "schema_valid": Mean("valid"),
}
"""Every metric of a report on calls, as functions of the columns of `evaluate_calls`."""

COLUMNS = (
    "valid",
    "exact",
    "due",
    "not_due",
    "right_function",
    "right_refusal",
    "fields_right",
    "fields_said",
    "fields_expected",
)


@dataclass(frozen=True)
class Caller:
    """A language model that calls functions.

    `is_native` hands the functions over in the interface of the service; else they stand in the prompt, and `has_grammar`
    holds the answer to their schemas where the chat can do that.
    """

    name: str
    chat: Chat
    is_native: bool = False
    has_grammar: bool = False
    prices: Prices | None = None

    @property
    def fingerprint(self) -> str:
        """Changes whenever the calls may."""
        identity = str(getattr(self.chat, "fingerprint", self.chat.name))
        return content_id("caller", identity, PROMPT, str(self.is_native), str(self.has_grammar))

    def request(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Request:
        """One question in the way this model is asked."""
        if self.is_native:
            return Request(tuple(messages), tools=tuple(tools), max_tokens=MAX_TOKENS)
        grammar = calls_schema(tools) if self.has_grammar else None
        return Request(prompted(messages, tools), schema=grammar, max_tokens=MAX_TOKENS)

    def calls(self, answer: Answered) -> list[dict[str, Any]] | None:
        """The calls of an answer, [] for none; None where what stands there is no list of calls."""
        return _native_calls(answer.calls) if self.is_native else read_calls(answer.text)


@dataclass(frozen=True)
class Silent:
    """Calls nothing, ever: the floor."""

    name: str


def prompted(messages: Sequence[Message], tools: Sequence[Tool]) -> tuple[Message, ...]:
    """The messages with the functions in a system message before them; one that is there already comes after it."""
    text = prompt(PROMPT, tools=tools)
    own = [str(message["content"]) for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    return ({"role": "system", "content": "\n\n".join([text, *own])}, *rest)


@functools.cache
def prompted_form() -> ToolForm:
    """How `prompted` writes functions, for a chat template that does the same."""
    return tool_form(lambda tools: prompt(PROMPT, tools=tools), is_first=True, is_sorted=True)


def answer_text(calls: Sequence[Mapping[str, Any]]) -> str:
    """What a prompted model should answer."""
    said = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
    return json.dumps(said, ensure_ascii=False)


def answer_message(calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a model with functions in its interface should answer: the calls, or a text that says there are none."""
    if not calls:
        return {"role": "assistant", "content": "No function fits this request."}
    wanted = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["arguments"], ensure_ascii=False)},
        }
        for number, call in enumerate(calls)
    ]
    return {"role": "assistant", "content": None, "tool_calls": wanted}


def calls_schema(tools: Sequence[Tool]) -> dict[str, Any]:
    """The JSON Schema of any list of calls of these functions."""
    options = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"].get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return {"type": "array", "items": {"anyOf": options}} if options else {"type": "array", "maxItems": 0}


def read_calls(text: str) -> list[dict[str, Any]] | None:
    """The list of calls in a model's answer, also inside a code fence or chatter; None if there is none."""
    start = text.find("[")
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return None
    if not isinstance(found, list) or not all(map(_is_call, found)):
        return None
    return [{"name": call["name"], "arguments": call["arguments"]} for call in found]


def is_valid(calls: Sequence[Mapping[str, Any]] | None, tools: Sequence[Tool]) -> bool:
    """Whether there are only calls of these functions, each with arguments that its JSON Schema (2020-12) allows."""
    return calls is not None and not problem(calls, tools)


def problem(calls: Sequence[Mapping[str, Any]], tools: Sequence[Tool]) -> str:
    """Why these functions do not allow the calls, in a sentence about the first that is wrong; "" if they do."""
    validators = {
        tool["function"]["name"]: _validator(json.dumps(tool["function"].get("parameters") or {})) for tool in tools
    }
    for call in calls:
        if call["name"] not in validators:
            return f"There is no function {call['name'][:60]!r}."
        if wrong := next(validators[call["name"]].iter_errors(call["arguments"]), None):
            place = ".".join(str(part) for part in wrong.absolute_path)
            return f"{call['name']}{f', {place}' if place else ''}: {wrong.message[:200]}."
    return ""


def evaluate_calls(caller: Caller | Silent, part: Part[ToolCall], run: Run) -> Report:
    """Ask for the calls of every example of the part and compare them with the right ones; columns as `COLUMNS`, each (N,).

    An answer that is no list of calls is invalid, and counts as calling nothing that is right; one that the service refused
    is NaN.
    """
    if isinstance(caller, Silent):
        return _report(caller.name, part, [[] for _ in part.examples], [Answered() for _ in part.examples], {})
    requests = [caller.request(one.messages, one.tools) for one in part.examples]
    answers = ask_all(caller.chat, requests, run, run.workdir / f"answers-{caller.fingerprint}.jsonl")
    facts = chat_facts(caller.chat, answers, caller.prices)
    return _report(caller.name, part, [caller.calls(answer) for answer in answers], answers, facts)


def answer_calls(caller: Caller | Silent, example: ToolCall, run: Run) -> Said:
    """The calls for one request, and whether the functions allow them; nothing of it is kept."""
    if isinstance(caller, Silent):
        return Said(NO_CALL)
    [answer] = ask_all(caller.chat, [caller.request(example.messages, example.tools)], run, on_text=run.on_text)
    calls = caller.calls(answer)
    text, note = _shown(calls, answer)
    if not note and not is_valid(calls, example.tools):
        note = "The functions do not allow these calls."
    return Said(text, note)


def _report(
    name: str,
    part: Part[ToolCall],
    said: Sequence[list[dict[str, Any]] | None],
    answers: Sequence[Answered],
    facts: dict[str, Any],
) -> Report:
    rows = [
        np.full(len(COLUMNS), np.nan) if answer.failure else _row(calls, one)
        for one, calls, answer in zip(part.examples, said, answers, strict=True)
    ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(COLUMNS))
    columns = dict(zip(COLUMNS, table.T, strict=True))
    details = tuple(
        _detail(one, calls, answer, _rightness(columns, row))
        for row, (one, calls, answer) in enumerate(zip(part.examples, said, answers, strict=True))
    )
    ids, groups = tuple(one.id for one in part.examples), tuple(one.group for one in part.examples)
    return Report(name, ids, groups, columns, details, facts)


def _detail(
    example: ToolCall, calls: list[dict[str, Any]] | None, answer: Answered, score: float | None
) -> dict[str, Any]:
    text, note = _shown(calls, answer)
    return detail(text, calls_text(example.calls) or NO_CALL, score, note)


def _shown(calls: list[dict[str, Any]] | None, answer: Answered) -> tuple[str, str]:
    """What was said as a person reads it, and what is odd about it."""
    if calls is None:
        return answer.text, answer.failure or "This is no list of calls."
    return calls_text(calls) or NO_CALL, answer.failure


def _rightness(columns: Mapping[str, Any], row: int) -> float | None:
    """The F1 of one example's fields; for one without fields, whether the right functions, or none, were called."""
    right, said, expected = (columns[name][row] for name in ("fields_right", "fields_said", "fields_expected"))
    if np.isnan(right):
        return None
    if not said + expected:
        return float(columns["right_function"][row] or columns["right_refusal"][row])
    return float(2 * right / (said + expected))


def _row(calls: list[dict[str, Any]] | None, example: ToolCall) -> tuple[float, ...]:
    score = score_calls(calls or [], example.calls)
    is_due, is_read = bool(example.calls), calls is not None
    return (
        is_valid(calls, example.tools),
        is_read and score.is_exact,
        is_due,
        not is_due,
        is_due and score.is_right_function,
        not is_due and calls == [],
        score.num_right,
        score.num_said,
        score.num_expected,
    )


def _native_calls(calls: Sequence[Call]) -> list[dict[str, Any]] | None:
    found = []
    for call in calls:
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            return None
        found.append({"name": call.name, "arguments": arguments})
    return found if all(map(_is_call, found)) else None


def _is_call(found: Any) -> bool:
    is_object = isinstance(found, dict) and isinstance(found.get("name"), str)
    return is_object and isinstance(found.get("arguments"), dict)


@functools.lru_cache(maxsize=2048)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))
