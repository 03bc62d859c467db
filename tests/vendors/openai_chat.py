"""The chat completions of OpenAI's API, answering with made-up questions or with whatever a test wants."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.vendors.server import Events, Vendor, serving

Answer = Callable[[dict[str, Any]], str]


def question_answer(body: dict[str, Any]) -> str:
    """Questions over the passage in the prompt, as many as it asks for, each with a quote of the passage."""
    prompt = body["messages"][-1]["content"]
    passage = prompt.split("<passage>")[1].split("</passage>")[0].strip()
    num = int(re.search(r"Write (\d+) different", prompt).group(1))
    words = passage.split()
    items = [
        {
            "question": f"Why would {words[0]} number {number} of {len(words)} matter to {words[-1].rstrip('.')}?",
            "evidence": " ".join(words[:8]),
            "answer": "Because it says so.",
        }
        for number in range(num)
    ]
    return json.dumps({"questions": items})


def completion(body: dict[str, Any], text: str, finish_reason: str = "stop") -> dict[str, Any]:
    """A chat completion that says `text`; a token for every four characters."""
    asked = sum(len(message["content"] or "") for message in body["messages"]) // 4
    said = len(text) // 4
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "logprobs": None,
                "message": {"role": "assistant", "content": text, "refusal": None},
            }
        ],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }


def in_pieces(body: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any] | Events:
    """The completion as the request asks for it: whole, or streamed a word, or a few letters of a call, at a time."""
    if not body.get("stream"):
        return whole
    [choice] = whole["choices"]
    said = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if said["content"] else None}]
    deltas += [{"content": word} for word in re.findall(r"\S+\s*", said["content"] or "")]
    for index, call in enumerate(said.get("tool_calls") or ()):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        start = {"id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [{"index": index, **start}]})
        rest = [arguments[at : at + 7] for at in range(0, len(arguments), 7)]
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in rest]
    common = {**{name: whole[name] for name in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    ends = [*([None] * len(deltas)), choice["finish_reason"]]
    pieces = [
        {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in zip([*deltas, {}], ends, strict=True)
    ]
    if (body.get("stream_options") or {}).get("include_usage"):
        pieces.append({**common, "choices": [], "usage": whole["usage"]})
    return Events(pieces, "CreateChatCompletionStreamResponse")


@contextmanager
def serving_chat(answer: Answer = question_answer) -> Iterator[Vendor]:
    """A running fake of OpenAI's chat endpoint that says what `answer` makes of the request."""
    with serving("openai") as vendor:
        vendor.on(
            "POST",
            "/chat/completions",
            "CreateChatCompletionRequest",
            "CreateChatCompletionResponse",
            lambda body: in_pieces(body, completion(body, answer(body))),
        )
        yield vendor


def query_answer(body: dict[str, Any]) -> str:
    """Queries for the place in the prompt, as many as it asks for, each with as many other wordings, none written before."""
    prompt = body["messages"][-1]["content"]
    place = prompt.split("<place>")[1].split("</place>")[0].split() if "<place>" in prompt else ["nothing"]
    num = int(re.search(r"Write (\d+) different", prompt).group(1))
    again = re.search(r"also give (\d+) other wording", prompt)
    first = prompt.count("\n- I need")  # those written already
    items = [
        {
            "query": f"I need {THINGS[number % len(THINGS)]} number {number} from {place[0]}, can you help me?",
            "wordings": [
                f"Could somebody at {place[0]} get me {THINGS[number % len(THINGS)]} {number} the {wording}th way?"
                for wording in range(int(again.group(1)) if again else 0)
            ],
        }
        for number in range(first, first + num)
    ]
    return json.dumps({"queries": items})


THINGS = (
    "a refund", "the opening hours", "one more ticket", "a copy of my contract", "advice on a broken door",
    "the price of a window seat", "somebody who speaks Turkish", "the name of my adviser",
)  # fmt: skip
