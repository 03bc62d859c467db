"""Function calls by language models, asked through a chat that a test controls."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from finetune_core.evaluation import calling
from finetune_core.evaluation.calling import CALLING_METRICS, Caller, Silent
from finetune_core.providers.chat import Call, Reply, RequestRefusedError
from finetune_core.records import Part, SplitName, ToolCall
from tests.training_fixtures import RecordedRun

BOOK = {
    "type": "function",
    "function": {
        "name": "book",
        "description": "Book a table.",
        "parameters": {
            "type": "object",
            "properties": {"people": {"type": "integer", "minimum": 1}, "day": {"type": "string"}},
            "required": ["people"],
            "additionalProperties": False,
        },
    },
}
NOW = {
    "type": "function",
    "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}},
}


def example(number: int, text: str, *calls: dict[str, Any]) -> ToolCall:
    return ToolCall(f"t{number}", ({"role": "user", "content": text},), (BOOK, NOW), calls, f"g{number % 2}")


PART = Part(
    SplitName.TEST,
    (
        example(0, "Two on Friday", {"name": "book", "arguments": {"people": 2, "day": "Friday"}}),
        example(1, "Three please", {"name": "book", "arguments": {"people": 3}}),
        example(2, "What time is it?", {"name": "now", "arguments": {}}),
        example(3, "Sing a song"),
    ),
)
SAYS = {
    "Two on Friday": '```json\n[{"name": "book", "arguments": {"people": 2, "day": "friday"}}]\n```',
    "Three please": '[{"name": "book", "arguments": {"people": 0}}] is what I would call',
    "What time is it?": "It is late.",
    "Sing a song": "[]",
}


class Said:
    """A chat that answers from a table, in text or in calls."""

    name, num_parallel = "said", 1

    def __init__(self, reply: Callable[[str], Reply]) -> None:
        self.reply, self.asked = reply, []

    def complete(self, messages: Sequence[Any], **options: Any) -> Reply:
        self.asked.append((messages, options))
        return self.reply(messages[-1]["content"])

    def close(self) -> None:
        """Nothing is held."""


def values(report: Any) -> dict[str, float]:
    return {name: metric(report.columns) for name, metric in CALLING_METRICS.items()}


def test_answers_in_the_prompts_form_are_read_validated_and_compared(tmp_path: Path) -> None:
    chat = Said(lambda text: Reply(SAYS[text], 5, 5))
    report = calling.evaluate_calls(Caller("base", chat), PART, RecordedRun(tmp_path))
    found = values(report)
    assert found["schema_valid"] == 0.5  # people below 1, and a sentence
    assert found["exact_match"] == 0.5
    assert found["right_function"] == pytest.approx(2 / 3)
    assert found["right_refusal"] == 1.0
    assert (found["field_precision"], found["field_recall"]) == pytest.approx((2 / 3, 2 / 3))
    assert report.details[2] == {
        "answer": "It is late.",
        "expected": "now({})",
        "score": 0.0,
        "note": "This is no list of calls.",
    }
    messages, options = chat.asked[0]
    assert '"name": "book"' in messages[0]["content"]
    assert messages[1] == {"role": "user", "content": "Two on Friday"}
    assert not options["tools"]
    assert options["schema"] is None


def test_a_service_is_asked_through_its_own_interface(tmp_path: Path) -> None:
    def reply(text: str) -> Reply:
        if text == "Three please":
            raise RequestRefusedError("filtered", hint="Leave it out.")
        calls = {"Two on Friday": (Call("book", '{"people": 2}'),), "What time is it?": (Call("now", "not json"),)}
        return Reply("", 5, 5, calls.get(text, ()))

    chat = Said(reply)
    report = calling.evaluate_calls(Caller("teacher", chat, is_native=True), PART, RecordedRun(tmp_path))
    assert chat.asked[0][1]["tools"] == (BOOK, NOW)
    assert report.num_failed("exact") == 1
    found = values(report)
    assert found["schema_valid"] == pytest.approx(2 / 3)
    assert found["right_refusal"] == 1.0
    assert (found["field_precision"], found["field_recall"]) == (1.0, 0.5)


def test_the_grammar_permits_exactly_the_calls_of_the_functions(tmp_path: Path) -> None:
    chat = Said(lambda text: Reply(SAYS[text], 5, 5))
    calling.evaluate_calls(Caller("base, grammar", chat, has_grammar=True), PART, RecordedRun(tmp_path))
    schema = chat.asked[0][1]["schema"]
    Draft202012Validator.check_schema(schema)
    allowed = Draft202012Validator(schema)
    assert allowed.is_valid([])
    assert allowed.is_valid([{"name": "book", "arguments": {"people": 2}}, {"name": "now", "arguments": {}}])
    assert not allowed.is_valid([{"name": "book", "arguments": {"people": 0}}])
    assert not allowed.is_valid([{"name": "sing", "arguments": {}}])
    assert calling.calls_schema([]) == {"type": "array", "maxItems": 0}


def test_calling_nothing_is_the_floor(tmp_path: Path) -> None:
    found = values(calling.evaluate_calls(Silent("silent"), PART, RecordedRun(tmp_path)))
    assert (found["right_refusal"], found["right_function"], found["exact_match"]) == (1.0, 0.0, 0.25)
    assert found["field_f1"] == 0.0


def test_what_a_model_should_say_is_read_back_as_the_right_calls() -> None:
    for one in PART.examples:
        assert calling.read_calls(calling.answer_text(one.calls)) == list(one.calls)
        message = calling.answer_message(one.calls)
        assert [
            {"name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"])}
            for call in message.get("tool_calls", ())
        ] == list(one.calls)


@pytest.mark.parametrize("text", ["", "[", '[{"name": "f"}]', '[{"name": 1, "arguments": {}}]', "[1]", '{"name": "f"}'])
def test_what_is_no_list_of_calls_is_none(text: str) -> None:
    assert calling.read_calls(text) is None
