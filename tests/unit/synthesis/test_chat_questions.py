"""What a chat says becomes questions, or a reason why not."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from finetune_core.providers.chat import Reply
from finetune_core.records import Passage
from finetune_core.synthesis.chat_questions import LocalQuestions, ServiceQuestions
from finetune_core.synthesis.templates import shipped_prompt

PASSAGE = Passage(
    "c1", "Bees dance to tell where food is. The dance has the form of an eight. Bees sleep at night.", "d1", "Bees"
)
GOOD = {
    "question": "How do bees show\n each other food?",
    "evidence": "Bees dance to tell where food is",
    "answer": "They dance.",
}


class SaysChat:
    """A chat that says one thing and keeps what it was asked."""

    name, num_parallel = "says", 3

    def __init__(self, text: str) -> None:
        self.text, self.asked = text, list[dict[str, Any]]()

    def complete(self, messages: Sequence[Any], **options: Any) -> Reply:
        self.asked.append({"prompt": messages[-1]["content"], **options})
        return Reply(self.text, 100, 20)

    def close(self) -> None:
        """Nothing is held."""


def service(text: str) -> tuple[ServiceQuestions, SaysChat]:
    chat = SaysChat(text)
    return ServiceQuestions(chat, "model", shipped_prompt("questions")[1], "Turkish", seed=5), chat


@pytest.mark.parametrize("wrapped", ["{}", "```json\n{}\n```", "Here you are:\n{}\nBye!"])
def test_json_is_read_whatever_stands_around_it(wrapped: str) -> None:
    writer, chat = service(wrapped.replace("{}", json.dumps({"questions": [GOOD]})))
    batch = writer.write(PASSAGE, [0, 1], avoid=["What is a bee?"])
    first, second = batch.written
    assert first.question == "How do bees show each other food?"
    assert first.evidence == "Bees dance to tell where food is"
    assert first.answer == "They dance."
    assert second.reason == "The model wrote fewer questions than asked."
    assert (batch.input_tokens, batch.output_tokens) == (100, 20)
    prompt = chat.asked[0]["prompt"]
    for part in ("Bees sleep at night.", "Turkish", "Write 2 different questions", "What is a bee?", "Heading: Bees"):
        assert part in prompt


def test_more_questions_than_asked_are_left_out_and_a_false_quote_is_no_evidence() -> None:
    writer, _ = service(json.dumps({"questions": [GOOD | {"evidence": "Bees like to drive cars"}, GOOD, GOOD]}))
    (only,) = writer.write(PASSAGE, [3]).written
    assert only.evidence == ""
    assert only.claimed_evidence == "Bees like to drive cars"


@pytest.mark.parametrize("text", ["", "no", "{", '{"questions": [1, "x"]}', '{"questions": [{"question": ""}]}'])
def test_anything_else_is_a_reason(text: str) -> None:
    writer, _ = service(text)
    (only,) = writer.write(PASSAGE, [0]).written
    assert only.reason
    assert not only.question


def test_the_key_changes_with_what_would_change_the_questions() -> None:
    chat, prompt = SaysChat(""), shipped_prompt("questions")[1]
    keys = {
        ServiceQuestions(chat, model, text, language).key
        for model, text, language in (
            ("a", prompt, "English"), ("b", prompt, "English"), ("a", prompt + "!", "English"), ("a", prompt, "Turkish"),
        )
    }  # fmt: skip
    assert len(keys) == 4
    assert ServiceQuestions(chat, "a", prompt, "English", seed=9).key in keys


def test_a_small_model_is_asked_about_one_sentence_which_is_the_evidence() -> None:
    chat = SaysChat('{"question": "How do bees dance?"}')
    writer = LocalQuestions(chat, "model", shipped_prompt("local_questions")[1], "English", seed=1)
    told = [writer.write(PASSAGE, [number]).written[0] for number in range(3)]
    assert {one.evidence for one in told} <= {
        "Bees dance to tell where food is.",
        "The dance has the form of an eight.",
    }
    assert len({one.evidence for one in told}) == 2
    assert [asked["seed"] for asked in chat.asked] == [1, 2, 3]
    assert all(one.evidence in asked["prompt"] for one, asked in zip(told, chat.asked, strict=True))
    chat.text = '{"question": "How do be'
    assert writer.write(PASSAGE, [0]).written[0].reason == "The answer was cut off."


def test_a_call_never_takes_more_than_was_set_aside_for_it() -> None:
    writer, chat = service(json.dumps({"questions": [GOOD]}))
    given, taken = writer.largest_call(PASSAGE, 2)
    writer.write(PASSAGE, [0, 1])
    assert taken == chat.asked[0]["max_tokens"]
    assert given > len(chat.asked[0]["prompt"]) / 3
