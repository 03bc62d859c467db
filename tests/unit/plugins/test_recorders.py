"""What a strong model is asked is recorded where it is used: through LlamaIndex and through the openai client."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from finetune_core.errors import DatasetError
from finetune_core.plugins.llama_index_recorder import recording_handler
from finetune_core.plugins.openai_recorder import record_openai
from finetune_core.plugins.recording import Event, Recording, read_events, save_lines, sift
from tests.vendors.openai_chat import completion
from tests.vendors.server import KEY, Fault, Vendor, serving

ASKED = [{"role": "user", "content": "Two on Friday"}]
TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"people": 2}'}}


def answered(body: dict[str, Any]) -> dict[str, Any]:
    """Calls the first function where there is one, else says hello."""
    reply = completion(body, "" if body.get("tools") else '{"hello": "you"}')
    if body.get("tools"):
        reply["choices"][0]["message"] |= {"content": None, "tool_calls": [CALL]}
        reply["choices"][0]["finish_reason"] = "tool_calls"
    return reply


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving("openai") as running:
        names = ("CreateChatCompletionRequest", "CreateChatCompletionResponse")
        running.on("POST", "/chat/completions", *names, answered)
        yield running


def test_the_clients_answers_stay_as_they_are_and_tools_usage_and_failures_are_kept(
    vendor: Vendor, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    with openai.OpenAI(base_url=vendor.url, api_key=KEY, max_retries=0) as plain:
        client = record_openai(plain, Recording(path))
        said = client.chat.completions.create(model="gpt", messages=ASKED)
        called = client.chat.completions.create(model="gpt", messages=ASKED, tools=[TOOL])
        vendor.faults.append(Fault(500, '{"error": {"message": "down"}}'))
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="gpt", messages=ASKED)
    assert said.choices[0].message.content == '{"hello": "you"}'
    assert called.choices[0].message.tool_calls[0].function.name == "book"
    first, second, third = read_events(path)
    assert first.response == {"role": "assistant", "content": '{"hello": "you"}'}
    assert first.usage["total_tokens"] > 0
    assert (first.model, first.source) == ("gpt", "chat")
    assert first.seconds > 0
    assert second.response == {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert second.tools == (TOOL,)
    assert "down" in third.failure
    assert third.response is None


def test_structured_output_and_the_async_client_are_recorded(vendor: Vendor) -> None:
    from pydantic import BaseModel

    class Hello(BaseModel):
        hello: str

    recording = Recording()

    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=vendor.url, api_key=KEY) as plain:
            client = record_openai(plain, recording)
            parsed = await client.chat.completions.parse(model="gpt", messages=ASKED, response_format=Hello)
            assert parsed.choices[0].message.parsed == Hello(hello="you")

    asyncio.run(ask())
    assert [event.source for event in recording.events] == ["parse"]
    assert recording.events[0].response["content"] == '{"hello": "you"}'


def test_a_stream_is_recorded_once_it_was_read(vendor: Vendor) -> None:
    deltas = [
        {"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"},
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"peo'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ple": 2}'}}]},
    ]  # fmt: skip
    pieces = [
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt",
         "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]  # fmt: skip
    body = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"
    vendor.faults.append(Fault(200, body, {"content-type": "text/event-stream"}))
    recording = Recording()
    with openai.OpenAI(base_url=vendor.url, api_key=KEY) as plain:
        stream = record_openai(plain, recording).chat.completions.create(model="gpt", messages=ASKED, stream=True)
        assert not recording.events
        heard = [piece.choices[0].delta.content for piece in stream]
    assert heard[:3] == ["", "Hel", "lo"]
    assert recording.events[0].response == {"role": "assistant", "content": "Hello", "tool_calls": [CALL]}


def test_llama_index_is_recorded_with_the_old_handlers_methods(tmp_path: Path) -> None:
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.llms import MockLLM

    handler = recording_handler()
    llm = MockLLM(max_tokens=3, callback_manager=CallbackManager([handler]))
    llm.chat([ChatMessage(role="user", content="one two three four")], tools=[TOOL])
    llm.complete("five six seven eight")
    assert "".join(piece.delta for piece in llm.stream_chat([ChatMessage(role="user", content="nine ten")]))
    events = handler.recording.events
    assert [event.source for event in events] == ["chat", "completion", "chat"]
    assert events[0].messages == ({"role": "user", "content": "one two three four"},)
    assert events[0].tools == (TOOL,)
    assert events[1].messages == ({"role": "user", "content": "five six seven eight"},)
    assert all(event.response["role"] == "assistant" for event in events)
    lines = handler.get_finetuning_events()
    assert lines[0]["messages"][-1] == events[0].response
    assert lines[0]["tools"] == [TOOL]
    handler.save_finetuning_events(str(tmp_path / "old.jsonl"))
    assert [json.loads(line) for line in (tmp_path / "old.jsonl").read_text("utf-8").splitlines()] == lines


def test_a_call_of_a_function_and_its_answer_keep_their_form() -> None:
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse
    from llama_index.core.callbacks import CBEventType, EventPayload

    handler = recording_handler()
    asked = [ChatMessage(role="tool", content="booked", additional_kwargs={"tool_call_id": "c1"})]
    handler.on_event_start(CBEventType.LLM, {EventPayload.MESSAGES: asked}, event_id="e")
    said = ChatMessage(role="assistant", content=None, additional_kwargs={"tool_calls": [CALL]})
    handler.on_event_end(CBEventType.LLM, {EventPayload.RESPONSE: ChatResponse(message=said)}, event_id="e")
    handler.on_event_start(CBEventType.LLM, {EventPayload.MESSAGES: asked}, event_id="f")
    handler.on_event_end(CBEventType.LLM, {EventPayload.EXCEPTION: ValueError("down")}, event_id="f")
    first, second = handler.recording.events
    assert first.messages == ({"role": "tool", "content": "booked", "tool_call_id": "c1"},)
    assert first.response == {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert second.failure == "ValueError: down"


def event(text: str, answer: str | None = "yes", **fields: Any) -> Event:
    said = None if answer is None else {"role": "assistant", "content": answer}
    return Event(({"role": "user", "content": text},), said, **fields)


def test_failures_duplicates_and_refine_turns_are_sifted_and_counted(tmp_path: Path) -> None:
    refine = event("We have provided an existing answer: 4. Refine the answer with more context.")
    events = [event("a"), event("a", "no"), event("b", None, failure="down"), refine, event("c")]
    found = sift(events)
    assert [one.messages[0]["content"] for one in found.events] == ["a", "c"]
    assert (found.num_failed, found.num_duplicates, found.num_refined) == (1, 1, 1)
    assert len(sift(events, duplicates=True, refine_turns=True).events) == 4
    assert save_lines(events, tmp_path / "lines.jsonl") == 4


def test_a_recording_goes_on_after_a_crash_and_garbage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    Recording(path).add(event("a"))
    path.write_text(path.read_text("utf-8") + '{"messages": [', "utf-8")
    assert [one.messages for one in Recording(path).events] == [event("a").messages]
    path.write_text("[1]\n" + path.read_text("utf-8"), "utf-8")
    with pytest.raises(DatasetError, match="line 1"):
        read_events(path)
