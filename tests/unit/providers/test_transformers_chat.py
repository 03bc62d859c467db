"""Chat models of transformers: batches, adapters, grammars, functions."""

import gc
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finetune_core.errors import JobCancelled, ProviderError
from finetune_core.models import batch_answers
from finetune_core.providers import transformers_chat
from finetune_core.providers.chat import BatchChat, Call, Reply, Request, RequestRefusedError
from finetune_core.providers.chat_template import parsed
from finetune_core.providers.transformers_chat import TransformersChat
from tests.tiny_transformer import CHATML, save_tiny_chat
from tests.training_fixtures import Trained, memorable_conversations

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 8},
        "people": {"type": "integer", "minimum": 1, "maximum": 20},
        "seat": {"enum": ["window", "aisle"]},
    },
    "required": ["city", "people", "seat"],
    "additionalProperties": False,
}
BOOK = {"type": "function", "function": {"name": "book", "description": "Book a table.", "parameters": SCHEMA}}
STRICT = {"type": "function", "function": {**BOOK["function"], "strict": True}}  # type: ignore[dict-item]


def asking(text: str, **options: Any) -> Request:
    return Request(({"role": "user", "content": text},), **{"max_tokens": 20, **options})


def all_replies(chat: BatchChat, requests: list[Request]) -> list[Reply | RequestRefusedError]:
    found: dict[int, Reply | RequestRefusedError] = {}
    chat.complete_batch(requests, lambda at, reply: found.update({at: reply}), lambda: None)
    return [found[at] for at in range(len(requests))]


def test_answers_in_a_padded_batch_are_those_of_each_request_alone(tuned_chat: Trained) -> None:
    texts = ["What is zorble?", "What is theta? Tell me, what is theta, and what is it not?", "x", "What is beta?"]
    for adapter in (None, tuned_chat.model.adapter_folder):
        chat = TransformersChat(tuned_chat.config.base_model, adapter)
        together = all_replies(chat, [asking(text, max_tokens=5 + at) for at, text in enumerate(texts)])
        alone = [
            chat.complete(asking(text).messages, max_tokens=5 + at, temperature=0) for at, text in enumerate(texts)
        ]
        assert together == alone
        assert [reply.output_tokens <= 5 + at for at, reply in enumerate(alone)] == [True] * 4


def test_instructions_that_all_requests_begin_with_are_read_once_and_change_no_answer(
    tuned_chat: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = batch_answers.read_once
    monkeypatch.setattr(batch_answers, "read_once", lambda *given: read.append(len(given[1])) or original(*given))
    system = {"role": "system", "content": "What is zorble? What is theta? What is beta? Say what it is and be brief."}
    texts = ["What is zorble?", "x", "What is theta? Tell me, what is theta, and what is it not?"]
    requests = [Request((system, *asking(text).messages), max_tokens=8) for text in texts]
    for adapter in (None, tuned_chat.model.adapter_folder):
        chat = TransformersChat(tuned_chat.config.base_model, adapter)
        together = all_replies(chat, requests)
        assert len(read) == 1
        assert read.pop() > 20
        assert together == [chat.complete(one.messages, max_tokens=8, temperature=0) for one in requests]
        assert read == []


def test_base_and_tuned_share_one_model_and_the_adapter_leaves_no_trace(tuned_chat: Trained) -> None:
    folder, adapter = tuned_chat.config.base_model, tuned_chat.model.adapter_folder
    messages = memorable_conversations()[0].messages
    base, tuned = TransformersChat(folder), TransformersChat(folder, adapter)
    before = base.complete(messages, temperature=0, max_tokens=12)
    assert tuned.complete(messages, temperature=0, max_tokens=12).text == "It is pellonk 0."
    assert base.complete(messages, temperature=0, max_tokens=12) == before != tuned.complete(messages, temperature=0)
    assert base._shared is tuned._shared
    assert base.fingerprint != tuned.fingerprint
    assert base.fingerprint == TransformersChat(Path(folder)).fingerprint
    base.close()
    tuned.close()
    gc.collect()
    assert not transformers_chat._SharedModel._all, "closing gives the memory back"


def test_an_answer_held_to_a_schema_is_valid_whatever_the_model_wants(tiny_chat: str) -> None:
    chat = TransformersChat(tiny_chat)
    requests = [asking(f"What is {at}?", schema=SCHEMA, max_tokens=80) for at in range(6)] + [asking("free")]
    *held, free = all_replies(chat, requests)
    for reply in held:
        assert isinstance(reply, Reply)
        jsonschema.validate(json.loads(reply.text), SCHEMA)
        assert reply.text == json.dumps(json.loads(reply.text), ensure_ascii=False)
    assert isinstance(free, Reply)
    sampled = chat.complete(asking("x").messages, schema=SCHEMA, temperature=1.0, seed=3, max_tokens=80)
    assert sampled == chat.complete(asking("x").messages, schema=SCHEMA, temperature=1.0, seed=3, max_tokens=80)
    jsonschema.validate(json.loads(sampled.text), SCHEMA)


def test_strict_functions_are_called_well_formed_or_not_at_all(tiny_chat: str) -> None:
    chat = TransformersChat(tiny_chat)
    forced = chat.complete(asking("x").messages, tools=[STRICT], temperature=0, max_tokens=90)
    assert forced.text or forced.calls
    for seed in range(2):
        reply = chat.complete(asking("x").messages, tools=[STRICT], temperature=3.0, seed=seed, max_tokens=90)
        for call in reply.calls:
            assert call.name == "book"
            jsonschema.validate(json.loads(call.arguments), SCHEMA)


def test_a_schema_that_no_grammar_can_hold_to_and_a_text_too_long_are_refused(tiny_chat: str) -> None:
    chat = TransformersChat(tiny_chat)
    replies = all_replies(chat, [asking("word " * 3000), asking("x", schema={"type": "nonsense"}), asking("fine")])
    assert [type(reply) for reply in replies] == [RequestRefusedError, RequestRefusedError, Reply]
    assert "2,048" in str(replies[0])
    assert "nonsense" in str(replies[1])


def test_a_cancel_is_heard_within_an_answer(tiny_chat: str) -> None:
    chat, heard = TransformersChat(tiny_chat), 0

    def checkpoint() -> None:
        nonlocal heard
        heard += 1
        if heard > 10:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        chat.complete(asking("x").messages, temperature=0, max_tokens=500, checkpoint=checkpoint)
    assert chat.complete(asking("x").messages, temperature=0, max_tokens=3).output_tokens <= 3


@pytest.mark.parametrize(
    "how",
    [
        {"max_tokens": 12},
        {"max_tokens": 12, "temperature": 2.0, "seed": 5},
        {"max_tokens": 80, "schema": SCHEMA},
        {"max_tokens": 30, "tools": [STRICT]},
    ],
    ids=["likeliest", "sampled", "held to a schema", "with functions"],
)
def test_an_answer_that_is_watched_is_the_same(tuned_chat: Trained, how: dict[str, Any]) -> None:
    chat = TransformersChat(tuned_chat.config.base_model, tuned_chat.model.adapter_folder)
    told: list[str] = []
    how = {"messages": memorable_conversations()[0].messages, "temperature": 0.0, **how}
    whole = chat.complete(**how)
    assert chat.complete(**how, on_text=told.append) == whole
    assert parsed(told[-1], how.get("tools", ())) == (whole.text, whole.calls)
    assert len(told) > 2
    if how["max_tokens"] == 12 and not how["temperature"]:
        assert told[-1] == "It is pellonk 0."


def test_whoever_watches_can_leave_within_an_answer(tiny_chat: str) -> None:
    chat, told = TransformersChat(tiny_chat), list[str]()

    def leave(text: str) -> None:
        told.append(text)
        raise JobCancelled

    with pytest.raises(JobCancelled):
        chat.complete(asking("x").messages, temperature=0, max_tokens=500, on_text=leave)
    assert len(told) == 1
    assert chat.complete(asking("x").messages, temperature=0, max_tokens=3).output_tokens <= 3


def test_functions_are_described_to_a_template_that_knows_none(tiny_chat: str) -> None:
    chat = TransformersChat(tiny_chat)
    messages = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A table?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "book", "arguments": '{"people": 2}'}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "done"},
    )
    with chat._ready(lambda: None) as shared:
        text = shared.template.prompt(messages, [BOOK])
        answer = shared.template.answer(messages, [BOOK], {"content": "Booked."})
    assert text.startswith("<|im_start|>system\nBe brief.\n\nYou may call these functions.")
    assert json.dumps(BOOK["function"]) in text
    assert '<tool_call>\n{"name": "book", "arguments": {"people": 2}}\n</tool_call><|im_end|>' in text
    assert "<|im_start|>user\n<tool_response>\ndone\n</tool_response><|im_end|>\n<|im_start|>assistant\n" in text
    assert answer == "Booked.<|im_end|>\n"


def test_functions_go_into_a_template_that_knows_them(tmp_path: Path) -> None:
    template = "{% if tools %}TOOLS {{ tools | tojson }}\n{% endif %}" + CHATML
    chat = TransformersChat(save_tiny_chat(tmp_path / "m", ["a"], template))
    with chat._ready(lambda: None) as shared:
        assert shared.template.knows_tools
        assert not shared.template.tags_calls
        assert shared.template.prompt(asking("x").messages, [BOOK]).startswith('TOOLS [{"type": "function"')


@pytest.mark.parametrize(
    ("text", "said", "calls"),
    [
        ('Sure.\n<tool_call>\n{"name": "a", "arguments": {"x": 1}}\n</tool_call>', "Sure.", (Call("a", '{"x": 1}'),)),
        ('<tool_call>{"name": "a", "arguments": {}}</tool_call><tool_call>{"name": "b"}', "", (Call("a", "{}"), Call("b", "{}"))),
        ('{"name": "a", "parameters": {"x": "ü"}}', "", (Call("a", '{"x": "ü"}'),)),
        ('[TOOL_CALLS] [{"name": "a", "arguments": {"x": 1}}]', "", (Call("a", '{"x": 1}'),)),
        ('<tool_call>{"name": "a", "arguments": {"x": </tool_call>', "", (Call("a", '{"name": "a", "arguments": {"x":'),)),
        ("No function fits.", "No function fits.", ()),
        ('{"answer": 1}', '{"answer": 1}', ()),
    ],
)  # fmt: skip
def test_calls_are_read_from_what_models_write(text: str, said: str, calls: tuple[Call, ...]) -> None:
    assert parsed(text, [BOOK]) == (said, calls)
    assert parsed(text, []) == (text, ())


def test_what_is_no_chat_model_is_said(tiny_chat: str, tiny_transformer: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no folder"):
        TransformersChat(tmp_path / "gone").complete(asking("x").messages)
    with pytest.raises(ProviderError, match=r"cannot be loaded|chat template"):
        TransformersChat(tiny_transformer).complete(asking("x").messages)
    with pytest.raises(ProviderError, match=r"has no adapter_model\.safetensors"):
        TransformersChat(tiny_chat, tmp_path)
