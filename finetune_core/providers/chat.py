"""One small protocol for everything that answers a chat: a service, a local GGUF file, a fake in a test."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from finetune_core.errors import ProviderError

Message = Mapping[str, Any]
"""A message as OpenAI's interface has it; `{"role": "system" | "user" | "assistant" | "tool", "content": text}` at least."""

Tool = Mapping[str, Any]
"""A function the model may call: `{"type": "function", "function": {"name", "description", "parameters"}}`."""

Checkpoint = Callable[[], None]
"""Called while waiting; raises to give the wait up. Must be safe to call from any thread."""

OnText = Callable[[str], None]
"""Told all that was said so far whenever there is more of it, calls included, and from the start again where an answer had
to be begun anew. May raise to give the answer up. Must be safe to call from any thread."""

CHARS_PER_TOKEN = 4
"""A rule of thumb for Latin scripts, for estimates only; what is paid is what the service reports."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function call as the model wrote it: `arguments` should be a JSON object, and may be anything."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chat answered, and the functions it wants called. Tokens are those the service counted, else an estimate.

    `seconds` is its share of the time of those it was answered with, None where a chat answers one at a time.
    """

    text: str
    input_tokens: int
    output_tokens: int
    calls: tuple[Call, ...] = ()
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a chat, answered for a measurement: at temperature 0, with a fixed seed."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 512


class Chat(Protocol):
    """Answers a list of messages; `name` is shown to people, `num_parallel` calls may run at once (>= 1)."""

    @property
    def name(self) -> str: ...
    @property
    def num_parallel(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Tells which model answers, and how it is computed: answers are kept under it. Fit for a file's name."""

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[Tool] = (),
        max_tokens: int = 512,
        seed: int = 0,
        temperature: float = 0.7,
        checkpoint: Checkpoint | None = None,
        on_text: OnText | None = None,
    ) -> Reply:
        """The answer to `messages`, of at most `max_tokens` tokens; valid against `schema` where the model can be held to it.

        With `tools` the model may call some of them instead of, or beside, saying something. With `on_text` the same answer
        is shown while it grows, by a model that can do that. Raises ProviderError: a
        RequestRefusedError where this one request is at fault, any other where the service is.
        """

    def close(self) -> None:
        """Give back memory and connections; the chat cannot be used afterwards."""


@runtime_checkable
class BatchChat(Chat, Protocol):
    """A chat that answers many requests fastest when it has them all at once, and alike in whatever company."""

    def complete_batch(
        self,
        requests: Sequence[Request],
        on_reply: "Callable[[int, Reply | RequestRefusedError], None]",
        checkpoint: Checkpoint,
    ) -> None:
        """Answer all of `requests`; `on_reply` gets the position and the reply of each as soon as it is there.

        Where one request is at fault, it gets the error in place of a reply.
        """


class RequestRefusedError(ProviderError):
    """The service works, but would not answer this request (too long, filtered); others may well succeed."""


class CapReachedError(ProviderError):
    """A person's cap leaves too little for another request; nothing was asked."""


def estimated_tokens(text: str) -> int:
    """About how many tokens `text` has: a quarter of its characters, at least 1 unless it is empty."""
    return -(-len(text) // CHARS_PER_TOKEN)


def redacted(text: str, key: str) -> str:
    """`text` without `key`, nor any word that starts like it, as services like to quote a key back in part."""
    if not key:
        return text
    text = text.replace(key, "[key]")
    return re.sub(re.escape(key[:6]) + r"[^\s\"',;]*", "[key]", text) if len(key) >= 12 else text
