"""Records what an application asks through the openai client: chat, tools, structured output, streams, completions."""

import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_core.plugins.recording import Event, Recording, failed

if TYPE_CHECKING:
    import openai

C = TypeVar("C", bound="openai.OpenAI | openai.AsyncOpenAI")


def record_openai(client: C, recording: Recording) -> C:
    """Have a client, sync or async, record its exchanges; the same client, whose answers stay as they are.

    Recorded are `chat.completions.create` and `.parse` and `completions.create`, with `stream=True` once the stream has
    been read to its end. A call that raises is recorded as a failure and raises all the same.
    """
    targets = [(client.chat.completions, "create", "chat"), (client.chat.completions, "parse", "parse")]
    for owner, name, source in [*targets, (client.completions, "create", "completion")]:
        setattr(owner, name, _recorded(getattr(owner, name), source, recording))
    return client


def _recorded(call: Callable[..., Any], source: str, recording: Recording) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(inspect.unwrap(call)):

        @functools.wraps(call)
        async def asked_async(**asked: Any) -> Any:
            started = time.perf_counter()
            try:
                answer = await call(**asked)
            except BaseException as error:
                recording.add(failed(_messages(asked), error, source, started, str(asked.get("model", ""))))
                raise
            if asked.get("stream"):
                return _heard_async(answer, asked, source, started, recording)
            recording.add(_event(asked, _said(answer), _usage(answer), source, started))
            return answer

        return asked_async

    @functools.wraps(call)
    def asked_sync(**asked: Any) -> Any:
        started = time.perf_counter()
        try:
            answer = call(**asked)
        except BaseException as error:
            recording.add(failed(_messages(asked), error, source, started, str(asked.get("model", ""))))
            raise
        if asked.get("stream"):
            return _heard(answer, asked, source, started, recording)
        recording.add(_event(asked, _said(answer), _usage(answer), source, started))
        return answer

    return asked_sync


def _heard(stream: Any, asked: Mapping[str, Any], source: str, started: float, recording: Recording) -> Iterator[Any]:
    heard = _Heard()
    try:
        for piece in stream:
            heard.take(piece)
            yield piece
    except Exception as error:
        recording.add(failed(_messages(asked), error, source, started, str(asked.get("model", ""))))
        raise
    recording.add(_event(asked, heard.message, heard.usage, source, started))


async def _heard_async(
    stream: Any, asked: Mapping[str, Any], source: str, started: float, recording: Recording
) -> AsyncIterator[Any]:
    heard = _Heard()
    try:
        async for piece in stream:
            heard.take(piece)
            yield piece
    except Exception as error:
        recording.add(failed(_messages(asked), error, source, started, str(asked.get("model", ""))))
        raise
    recording.add(_event(asked, heard.message, heard.usage, source, started))


class _Heard:
    """A message put together from the pieces of a stream."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self.usage: dict[str, int] = {}

    def take(self, piece: Any) -> None:
        self.usage = _usage(piece) or self.usage
        for choice in [one for one in piece.choices if one.index == 0]:
            if (text := getattr(choice, "text", None)) is not None:  # of a completion
                self._text.append(text)
                continue
            self._text.append(choice.delta.content or "")
            for call in choice.delta.tool_calls or ():
                known = self._calls.setdefault(
                    call.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )
                known["id"] = call.id or known["id"]
                known["function"]["name"] += (call.function and call.function.name) or ""
                known["function"]["arguments"] += (call.function and call.function.arguments) or ""

    @property
    def message(self) -> dict[str, Any]:
        calls = [self._calls[index] for index in sorted(self._calls)]
        text = "".join(self._text)
        return {
            "role": "assistant",
            "content": text or (None if calls else ""),
            **({"tool_calls": calls} if calls else {}),
        }


def _said(answer: Any) -> dict[str, Any]:
    """The first choice of an answer as a message."""
    choice = answer.choices[0]
    if (text := getattr(choice, "text", None)) is not None:
        return {"role": "assistant", "content": text}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    ]
    return {"role": "assistant", "content": choice.message.content, **({"tool_calls": calls} if calls else {})}


def _event(asked: Mapping[str, Any], said: dict[str, Any], usage: dict[str, int], source: str, started: float) -> Event:
    return Event(
        tuple(_messages(asked)),
        said,
        tools=tuple(dict(tool) for tool in _given(asked, "tools")),
        model=str(asked.get("model", "")),
        source=source,
        usage=usage,
        seconds=time.perf_counter() - started,
        at=time.time(),
    )


def _messages(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "prompt" in asked:
        return [{"role": "user", "content": str(asked["prompt"])}]
    return [
        dict(one) if isinstance(one, Mapping) else one.model_dump(exclude_none=True)
        for one in _given(asked, "messages")
    ]


def _given(asked: Mapping[str, Any], name: str) -> Any:
    """An argument that holds a list; openai's `omit` stands for none."""
    value = asked.get(name)
    return value if isinstance(value, list | tuple) else ()


def _usage(answer: Any) -> dict[str, int]:
    usage = getattr(answer, "usage", None)
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: int(value) for name in names if (value := getattr(usage, name, None)) is not None}
