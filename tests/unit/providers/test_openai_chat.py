"""The OpenAI-compatible chat against a loopback service that is held to the official API description."""

import email.utils
import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from finetune_core.errors import ProviderError
from finetune_core.providers import retries
from finetune_core.providers.chat import Call, RequestRefusedError, redacted
from finetune_core.providers.openai_chat import Dialect, OpenAIChat, open_chat
from finetune_core.providers.streamed_message import StreamedMessage
from tests.vendors.openai_chat import completion, in_pieces, serving_chat
from tests.vendors.server import KEY, Events, Fault, Vendor, serving

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
ASK = [{"role": "user", "content": "Say hello to everybody."}]
ASKED = {"messages": ASK, "model": "m"}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving_chat(lambda body: '{"a": "hello"}') as running:
        yield running


def chat_with(vendor: Vendor, key: str = KEY, **options: float) -> OpenAIChat:
    return OpenAIChat(vendor.url, "gpt-test", key, **{"timeout_s": 60.0, "max_attempts": 3, **options})


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real_pauses" not in request.keywords:
        monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)


def test_sends_an_official_request_and_counts_tokens(vendor: Vendor) -> None:
    chat = chat_with(vendor)
    reply = chat.complete(ASK, schema=SCHEMA, max_tokens=50, seed=7, temperature=0.2)
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ('{"a": "hello"}', 5, 3)
    body = vendor.requests[0].body
    assert (body["max_tokens"], body["seed"], body["temperature"]) == (50, 7, 0.2)
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    chat.close()


def test_a_wrong_request_is_noticed_by_the_fake() -> None:
    with pytest.raises(AssertionError, match="temperature"), serving_chat() as running:  # noqa: PT012 the fake raises at its end
        chat = chat_with(running)
        with pytest.raises(ProviderError, match="temperature"):
            chat.complete([{"role": "wizard", "content": "x"}], temperature=9.0)
        chat.close()


def test_a_refused_key_comes_in_the_vendors_words_without_the_key(vendor: Vendor) -> None:
    wrong = "sk-secret-8a7b6c5d4e3f2a1b0c"
    chat = chat_with(vendor, wrong)
    with pytest.raises(ProviderError, match=r"answered 401: Incorrect API key provided: \[key\]") as caught:
        chat.complete(ASK)
    assert not caught.value.retryable
    assert "Settings" in caught.value.hint
    assert len(vendor.requests) == 1
    assert vendor.requests[0].authorization == f"Bearer {wrong}"
    seen: BaseException | None = caught.value
    while seen is not None:  # the whole chain, as a traceback would print it
        assert wrong not in repr(seen) + str(seen)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    chat.close()


def test_waits_as_long_as_retry_after_says(vendor: Vendor) -> None:
    vendor.faults.append(Fault(429, '{"error": {"message": "slow down"}}', {"retry-after": "0.6"}))
    chat = OpenAIChat(vendor.url, "gpt-test", KEY, timeout_s=60)
    openai_chat_pause = retries.retry_after_s
    assert openai_chat_pause(None) is None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(retries, "pause_s", lambda state: retries.retry_after_s(state.outcome.exception()) or 0.0)
        assert chat.complete(ASK).text == '{"a": "hello"}'
    first, second = vendor.requests
    assert second.at - first.at >= 0.6
    chat.close()


def test_retry_after_is_read_as_a_number_or_a_date() -> None:
    class Answer:
        def __init__(self, value: str | None) -> None:
            self.response = self
            self.headers = {} if value is None else {"retry-after": value}

    assert retries.retry_after_s(Answer("12")) == 12.0
    assert retries.retry_after_s(Answer(None)) is None
    assert retries.retry_after_s(Answer("soon")) is None
    at = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 28 <= retries.retry_after_s(Answer(at)) <= 30


def test_a_pause_of_an_hour_is_reported_instead_of_slept(vendor: Vendor) -> None:
    vendor.faults.append(Fault(429, '{"error": {"message": "come back later"}}', {"retry-after": "3600"}))
    chat = chat_with(vendor)
    with pytest.raises(ProviderError, match="429: come back later") as caught:
        chat.complete(ASK)
    assert caught.value.retryable
    assert len(vendor.requests) == 1
    chat.close()


def test_an_empty_purse_is_not_knocked_at_again(vendor: Vendor) -> None:
    vendor.faults.append(Fault(429, '{"error": {"message": "no credit", "code": "insufficient_quota"}}'))
    chat = chat_with(vendor)
    with pytest.raises(ProviderError, match="no credit"):
        chat.complete(ASK)
    assert len(vendor.requests) == 1
    chat.close()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_faults_are_retried_a_bounded_number_of_times(vendor: Vendor, status: int) -> None:
    vendor.faults.extend([Fault(status, '{"error": {"message": "busy"}}')] * 2)
    chat = chat_with(vendor)
    assert chat.complete(ASK).text == '{"a": "hello"}'
    vendor.faults.extend([Fault(status, '{"error": {"message": "busy"}}')] * 3)
    with pytest.raises(ProviderError, match=f"answered {status}: busy") as caught:
        chat.complete(ASK)
    assert caught.value.retryable
    assert len(vendor.requests) == 6
    chat.close()


def test_a_hanging_service_is_given_up(vendor: Vendor) -> None:
    vendor.faults.extend([Fault(hang_s=30)] * 2)
    chat = chat_with(vendor, timeout_s=0.3, max_attempts=2)
    started = time.monotonic()
    with pytest.raises(ProviderError, match=r"no answer within 0\.3 s, 2 times") as caught:
        chat.complete(ASK)
    assert caught.value.retryable
    assert time.monotonic() - started < 25
    chat.close()


def test_broken_json_is_an_error_with_a_hint(vendor: Vendor) -> None:
    vendor.faults.append(Fault(200, '{"id": "x", "choices": [{"mess'))
    chat = chat_with(vendor)
    with pytest.raises(ProviderError) as caught:
        chat.complete(ASK)
    assert "/v1" in caught.value.hint
    vendor.faults.append(Fault(200, "<html>a proxy's page</html>", {"content-type": "text/html"}))
    with pytest.raises(ProviderError):
        chat.complete(ASK)
    chat.close()


def test_a_connection_cut_in_the_middle_is_tried_again(vendor: Vendor) -> None:
    vendor.faults.append(Fault(200, json.dumps(completion({"messages": ASK, "model": "m"}, "x" * 500)), cut=True))
    chat = chat_with(vendor)
    assert chat.complete(ASK).text == '{"a": "hello"}'
    chat.close()


def test_nobody_listening_is_named(vendor: Vendor) -> None:
    chat = OpenAIChat("http://127.0.0.1:9/v1", "gpt-test", KEY, max_attempts=1)
    with pytest.raises(ProviderError, match="cannot be reached") as caught:
        chat.complete(ASK)
    assert caught.value.retryable
    chat.close()


def test_learns_what_an_endpoint_does_not_understand(vendor: Vendor) -> None:
    refused = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
    limit = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    for words in (refused, limit):
        vendor.faults.append(Fault(400, json.dumps({"error": {"message": words}})))
    chat = chat_with(vendor)
    assert chat.complete(ASK, schema=SCHEMA).text == '{"a": "hello"}'
    assert vendor.requests[-1].body["response_format"] == {"type": "json_object"}
    assert "max_tokens" not in vendor.requests[-1].body
    chat.complete(ASK, schema=SCHEMA)
    assert len(vendor.requests) == 4, "what was learnt is remembered"
    chat.close()


def test_dialect_gives_up_in_the_end() -> None:
    dialect = Dialect()
    words = "response_format is unknown"
    dialect = dialect.after(words)
    assert dialect.response_format == "json_object"
    dialect = dialect.after(words)
    assert dialect.response_format == ""
    assert dialect.after(words) is None
    assert Dialect().after("the prompt is too long") is None


def test_a_refused_prompt_blames_the_request_not_the_service(vendor: Vendor) -> None:
    vendor.faults.append(Fault(400, '{"error": {"message": "maximum context length is 8192 tokens"}}'))
    chat = chat_with(vendor)
    with pytest.raises(RequestRefusedError, match="8192"):
        chat.complete(ASK)
    chat.close()


def test_a_wait_can_be_given_up(vendor: Vendor) -> None:
    vendor.faults.append(Fault(429, "{}", {"retry-after": "60"}))
    chat, stop = OpenAIChat(vendor.url, "gpt-test", KEY), threading.Event()

    class GivenUpError(Exception):
        pass

    def checkpoint() -> None:
        if stop.is_set():
            raise GivenUpError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(retries, "pause_s", lambda state: 60.0)
        threading.Timer(0.3, stop.set).start()
        started = time.monotonic()
        with pytest.raises(GivenUpError):
            chat.complete(ASK, checkpoint=checkpoint)
    assert time.monotonic() - started < 50
    chat.close()


def test_a_missing_key_names_the_line_to_add(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProviderError, match="LOOPBACK_API_KEY is not set") as caught:
        open_chat(vendor.url, "gpt-test", "LOOPBACK_API_KEY")
    assert "LOOPBACK_API_KEY=" in caught.value.hint
    monkeypatch.setenv("LOOPBACK_API_KEY", KEY)
    chat = open_chat(vendor.url, "gpt-test", "LOOPBACK_API_KEY")
    assert chat.complete(ASK).output_tokens == 3
    chat.close()


def test_redaction_takes_whole_and_half_keys() -> None:
    assert redacted(f"bad key {KEY}.", KEY) == "bad key [key]."
    assert redacted("bad key sk-loo****4e55, sorry", KEY) == "bad key [key], sorry"
    assert redacted("nothing here", "") == "nothing here"


LONG = "The quick brown fox jumps over the lazy dög, çok hızlı."
BOOK = {"type": "function", "function": {"name": "book", "description": "", "parameters": {"type": "object"}}}


@pytest.fixture
def talker() -> Iterator[Vendor]:
    """Says a sentence; with functions it calls two of them instead."""

    def answer(body: dict[str, Any]) -> Any:
        whole = completion(body, "" if body.get("tools") else LONG)
        if body.get("tools"):
            wanted = [("one", "book", '{"for": 2, "at": "the window"}'), ("two", "pay", "{}")]
            calls = [
                {"id": name, "type": "function", "function": {"name": function, "arguments": arguments}}
                for name, function, arguments in wanted
            ]
            whole["choices"][0]["message"]["tool_calls"] = calls
        return in_pieces(body, whole)

    with serving("openai") as running:
        running.on("POST", "/chat/completions", "CreateChatCompletionRequest", "CreateChatCompletionResponse", answer)
        yield running


@pytest.mark.parametrize("tools", [(), (BOOK,)], ids=["text", "calls"])
def test_a_streamed_answer_is_the_same_and_costs_the_same(talker: Vendor, tools: tuple[Any, ...]) -> None:
    paid: list[tuple[int, int]] = []
    told: list[str] = []
    chat = OpenAIChat(talker.url, "gpt-test", KEY, on_paid=lambda *tokens: paid.append(tokens))
    whole = chat.complete(ASK, tools=tools)
    assert chat.complete(ASK, tools=tools, on_text=told.append) == whole
    assert paid[0] == paid[1]
    assert talker.requests[1].body["stream_options"] == {"include_usage": True}
    assert all(after.startswith(before) for before, after in pairwise(told)), "it only grows"
    if tools:
        assert whole.calls == (Call("book", '{"for": 2, "at": "the window"}'), Call("pay", "{}"))
        assert told[-1] == 'book({"for": 2, "at": "the window"})\npay({})'
    else:
        assert told == [LONG[: len(" ".join(LONG.split(" ")[: num + 1])) + 1] for num in range(len(LONG.split(" ")))]
    chat.close()


def test_an_answer_that_broke_off_is_begun_anew_and_what_was_said_is_booked(talker: Vendor) -> None:
    paid: list[tuple[int, int]] = []
    told: list[str] = []
    talker.faults.append(Fault(cut=True))
    chat = OpenAIChat(talker.url, "gpt-test", KEY, max_attempts=2, on_paid=lambda *tokens: paid.append(tokens))
    assert chat.complete(ASK, on_text=told.append).text == LONG
    assert told.count("The ") == 2
    assert [given for given, _ in paid] == [6, 5], "estimated, then counted"
    assert 0 < paid[0][1] < paid[1][1]
    talker.faults.extend([Fault(cut=True)] * 2)
    with pytest.raises(ProviderError, match="cannot be reached") as caught:
        chat.complete(ASK, on_text=told.append)
    assert caught.value.retryable
    chat.close()


def test_a_service_that_hangs_up_politely_has_not_answered(talker: Vendor) -> None:
    pieces = in_pieces({**ASKED, "stream": True}, completion(ASKED, LONG))
    assert isinstance(pieces, Events)
    half = Events(pieces.values[:4], pieces.schema, is_whole=False)
    talker.on("POST", "/chat/completions", None, None, lambda body: half)
    chat = chat_with(talker, max_attempts=1)
    with pytest.raises(ProviderError, match="its answer broke off"):
        chat.complete(ASK, on_text=lambda text: None)
    failed = Events([*half.values, {"error": {"message": f"overloaded, {KEY}"}}], None)
    talker.on("POST", "/chat/completions", None, None, lambda body: failed)
    with pytest.raises(ProviderError, match=r"broke off its answer: overloaded, \[key\]"):
        chat.complete(ASK, on_text=lambda text: None)
    chat.close()


def test_whoever_listens_can_leave(talker: Vendor) -> None:
    class LeftError(Exception):
        pass

    def leave(text: str) -> None:
        raise LeftError

    paid: list[tuple[int, int]] = []
    chat = OpenAIChat(talker.url, "gpt-test", KEY, on_paid=lambda *tokens: paid.append(tokens))
    with pytest.raises(LeftError):
        chat.complete(ASK, on_text=leave)
    assert paid == [(6, 1)], "what was said until then"
    assert len(talker.requests) == 1
    chat.close()


@pytest.mark.parametrize(
    ("refusals", "asked"),
    [
        (["Unknown field: stream_options"], [(True, True), (True, False)]),
        (["Streaming is not supported.", "Streaming is not supported."], [(True, True), (True, False), (False, False)]),
    ],
)
def test_a_service_that_refuses_to_stream_is_asked_without(
    talker: Vendor, refusals: list[str], asked: list[tuple[bool, bool]]
) -> None:
    talker.faults.extend(Fault(400, json.dumps({"error": {"message": words}})) for words in refusals)
    chat = chat_with(talker)
    told: list[str] = []
    reply = chat.complete(ASK, on_text=told.append)
    assert reply.text == LONG
    assert bool(told) == asked[-1][0]
    seen = [(bool(one.body.get("stream")), "stream_options" in one.body) for one in talker.requests]
    assert seen == asked
    assert chat.complete(ASK, on_text=told.append).text == LONG
    assert len(talker.requests) == len(asked) + 1, "what was learnt is remembered"
    chat.close()


def test_a_service_that_ignores_the_wish_to_stream_is_not_asked_twice(talker: Vendor) -> None:
    talker.faults.append(Fault(200, json.dumps(completion(ASKED, LONG))))
    chat = chat_with(talker)
    assert chat.complete(ASK, on_text=lambda text: None).text == LONG
    assert len(talker.requests) == 1
    chat.close()


def test_calls_that_a_service_does_not_number_are_told_apart_by_their_ids() -> None:
    message = StreamedMessage()
    for call_id, name, arguments in (("a", "book", '{"x":'), ("", "", " 1}"), ("b", "pay", "{}"), ("b", "pay", "")):
        piece = {"id": call_id, "function": {"name": name, "arguments": arguments}}
        message.add({"choices": [{"delta": {"tool_calls": [piece]}}, None, {"delta": None}]})
    message.add("garbage")
    message.add({"choices": [], "usage": None})
    assert message.calls == (Call("book", '{"x": 1}'), Call("pay", "{}"))
