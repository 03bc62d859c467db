"""Records what LlamaIndex asks of its models; takes the place of the old package's `OpenAIFineTuningHandler`.

It has the same methods and writes the same file, and unlike it keeps the tools, hears streams and failures, and does not
stumble over `.complete()`.
"""

import functools
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune_core.plugins.llama_index_messages import openai_message
from finetune_core.plugins.recording import Event, Recording, as_lines, failed, save_lines


def recording_handler(recording: Recording | None = None) -> Any:
    """A LlamaIndex callback handler that records every exchange with a model.

    `CallbackManager([handler])` puts it to work. It has `recording`, `get_finetuning_events()` (a list of `{"messages",
    "tools"}`, the answer being the last message) and `save_finetuning_events(path)` (the same as JSON lines).
    """
    return _handler_class()(recording or Recording())


@functools.cache
def _handler_class() -> Any:
    """Defined on first use: importing LlamaIndex takes seconds, and only this needs it."""
    from llama_index.core.callbacks.base_handler import BaseCallbackHandler
    from llama_index.core.callbacks.schema import CBEventType, EventPayload

    class RecordingHandler(BaseCallbackHandler):
        def __init__(self, recording: Recording) -> None:
            super().__init__(event_starts_to_ignore=[], event_ends_to_ignore=[])
            self.recording = recording
            self._open: dict[str, tuple[dict[str, Any], float]] = {}
            self._lock = threading.Lock()

        def on_event_start(
            self,
            event_type: CBEventType,
            payload: dict[str, Any] | None = None,
            event_id: str = "",
            parent_id: str = "",
            **_: Any,
        ) -> str:
            if event_type is CBEventType.LLM:
                asked = payload or {}
                with self._lock:
                    # A model that only completes is chatted with by completing the written-out chat: one exchange.
                    if not any(_is_written_out(asked, chat, EventPayload) for chat, _ in self._open.values()):
                        self._open[event_id] = (asked, time.perf_counter())
            return event_id

        def on_event_end(
            self, event_type: CBEventType, payload: dict[str, Any] | None = None, event_id: str = "", **_: Any
        ) -> None:
            if event_type is not CBEventType.LLM:
                return
            with self._lock:
                known = self._open.pop(event_id, None)
            if known is not None:
                self.recording.add(_event(known[0], payload or {}, known[1], EventPayload))

        def start_trace(self, trace_id: str | None = None) -> None:
            """Traces play no part."""

        def end_trace(self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None) -> None:
            """Traces play no part."""

        def get_finetuning_events(self) -> list[dict[str, Any]]:
            return as_lines(self.recording.events)

        def save_finetuning_events(self, path: str) -> None:
            save_lines(self.recording.events, Path(path))

    return RecordingHandler


def _is_written_out(asked: Mapping[Any, Any], chat: Mapping[Any, Any], keys: Any) -> bool:
    """Whether a prompt is the text of a chat that is under way."""
    prompt, messages = asked.get(keys.PROMPT), chat.get(keys.MESSAGES)
    return bool(prompt and messages) and all(str(one.content or "") in str(prompt) for one in messages or ())


def _event(asked: Mapping[Any, Any], said: Mapping[Any, Any], started: float, keys: Any) -> Event:
    is_chat = keys.MESSAGES in asked or keys.MESSAGES in said
    source = "chat" if is_chat else "completion"
    known = asked.get(keys.SERIALIZED) or {}
    model = str(known.get("model") or known.get("model_name") or "")
    prompt = asked.get(keys.PROMPT) or said.get(keys.PROMPT) or ""
    given = asked.get(keys.MESSAGES) or said.get(keys.MESSAGES) or ()
    messages = [openai_message(one) for one in given] if is_chat else [{"role": "user", "content": str(prompt)}]
    if keys.EXCEPTION in said:
        return failed(messages, said[keys.EXCEPTION], source, started, model)
    response = said.get(keys.RESPONSE) if is_chat else said.get(keys.COMPLETION)
    if response is None:
        return failed(messages, ValueError("the model said nothing"), source, started, model)
    answer = openai_message(response.message) if is_chat else {"role": "assistant", "content": response.text}
    options = asked.get(keys.ADDITIONAL_KWARGS) or {}
    return Event(
        tuple(messages),
        answer,
        tools=tuple(dict(tool) for tool in options.get("tools") or ()),
        model=model,
        source=source,
        usage=_usage(getattr(response, "raw", None)),
        seconds=time.perf_counter() - started,
        at=time.time(),
    )


def _usage(raw: Any) -> dict[str, int]:
    usage = raw.get("usage") if isinstance(raw, Mapping) else getattr(raw, "usage", None)
    values = usage if isinstance(usage, Mapping) else getattr(usage, "__dict__", {})
    return {name: int(value) for name, value in values.items() if isinstance(value, int)}
