"""Records what an application asks through the openai client: chat, tools, structured output, streams, completions."""

import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_core.plugins.recording import Event, Recording, failed
from finetune_core.providers.openai_calls import plain
from finetune_core.providers.streamed_message import StreamedMessage

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
            recording.add(_event(asked, _heard_whole(answer), source, started))
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
        recording.add(_event(asked, _heard_whole(answer), source, started))
        return answer

    return asked_sync


def _heard(stream: Any, asked: Mapping[str, Any], source: str, started: float, recording: Recording) -> Iterator[Any]:
    heard = StreamedMessage()
    try:
        for piece in stream:
            heard.add(plain(piece))
            yield piece
    except Exception as error:
        recording.add(failed(_messages(asked), error, source, started, str(asked.get("model", ""))))
        raise
    recording.add(_event(asked, heard, source, started))


async def _heard_async(
    stream: Any, asked: Mapping[str, Any], source: str, started: float, recording: Recording
) -> AsyncIterator[Any]:
    heard = StreamedMessage()
    try:
        async for piece in stream:
            heard.add(plain(piece))
            yield piece
    except Exception as error:
        recording.add(failed(_messages(asked), error, source, started, str(asked.get("model", ""))))
        raise
    recording.add(_event(asked, heard, source, started))


def _heard_whole(answer: Any) -> StreamedMessage:
    heard = StreamedMessage()
    heard.add(plain(answer))
    return heard


def _event(asked: Mapping[str, Any], heard: StreamedMessage, source: str, started: float) -> Event:
    return Event(
        tuple(_messages(asked)),
        heard.response,
        tools=tuple(dict(tool) for tool in _given(asked, "tools")),
        model=str(asked.get("model", "")),
        source=source,
        usage=heard.usage,
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
