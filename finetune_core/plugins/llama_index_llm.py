"""Any Ayar chat (a service, a GGUF file, a tuned model) as a LlamaIndex LLM, for use inside one process with Ayar."""

import functools
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_core.plugins.llama_index_messages import openai_message
from finetune_core.providers.chat import Chat, Checkpoint, Reply
from finetune_core.records import content_id

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
    from llama_index.core.llms.function_calling import FunctionCallingLLM


@dataclass(frozen=True, slots=True)
class Asking:
    """How a chat is asked: the longest answer and all it reads in tokens, the seed, the temperature, and while it waits."""

    max_tokens: int = 512
    context_tokens: int = 128_000
    seed: int = 0
    temperature: float = 0.0
    checkpoint: Checkpoint | None = None


def llama_index_llm(chat: Chat, asking: Asking | None = None, **options: Any) -> "FunctionCallingLLM":
    """A LlamaIndex LLM that chats, completes and calls functions through `chat`, so that query engines and agents use it.

    `options` are LlamaIndex' own, such as `callback_manager`. What the chat raises goes through. Streams come in one piece.
    """
    llm: FunctionCallingLLM = _llm_class()(chat, asking or Asking(), model=chat.name, **options)
    return llm


@functools.cache
def _llm_class() -> Any:
    """Defined on first use: importing LlamaIndex takes seconds, and only this needs it."""
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
    from llama_index.core.llms import CustomLLM
    from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
    from llama_index.core.llms.function_calling import FunctionCallingLLM
    from pydantic import PrivateAttr

    class AyarLLM(CustomLLM, FunctionCallingLLM):
        model: str
        _chat: Chat = PrivateAttr()
        _asking: Asking = PrivateAttr()

        def __init__(self, chat: Chat, asking: Asking, **fields: Any) -> None:
            super().__init__(**fields)
            self._chat, self._asking = chat, asking

        @property
        def metadata(self) -> LLMMetadata:
            return _metadata(self.model, self._asking)

        @llm_chat_callback()
        def chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
            return _answered(self._chat, self._asking, messages, options)

        @llm_chat_callback()
        def stream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> Iterator[ChatResponse]:
            return _iterated(_answered, self._chat, self._asking, messages, options)

        async def achat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
            said: ChatResponse = self.chat(messages, **options)
            return said

        async def astream_chat(
            self, messages: Sequence[ChatMessage], **options: Any
        ) -> AsyncGenerator[ChatResponse, None]:
            return _awaited(self.stream_chat(messages, **options))

        @llm_completion_callback()
        def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
            return _completed(self._chat, self._asking, prompt)

        @llm_completion_callback()
        def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Iterator[CompletionResponse]:
            return _iterated(_completed, self._chat, self._asking, prompt)

        def _prepare_chat_with_tools(  # type: ignore[override]  # what it is not told of changes nothing here
            self, tools: Sequence[Any], user_msg: Any = None, chat_history: Any = None, **_: Any
        ) -> dict[str, Any]:
            return _with_tools(tools, user_msg, chat_history)

        def get_tool_calls_from_response(
            self, response: ChatResponse, error_on_no_tool_call: bool = True, **_: Any
        ) -> list[Any]:
            return _selections(response.message.additional_kwargs.get("tool_calls") or (), error_on_no_tool_call)

    return AyarLLM


def _metadata(model: str, how: Asking) -> "LLMMetadata":
    from llama_index.core.base.llms.types import LLMMetadata

    return LLMMetadata(
        context_window=how.context_tokens, num_output=how.max_tokens, is_chat_model=True, is_function_calling_model=True,
        model_name=model,
    )  # fmt: skip


def _asked(chat: Chat, how: Asking, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> Reply:
    return chat.complete(
        messages, tools=tools, max_tokens=how.max_tokens, seed=how.seed, temperature=how.temperature,
        checkpoint=how.checkpoint,
    )  # fmt: skip


def _answered(chat: Chat, how: Asking, messages: Sequence["ChatMessage"], options: Mapping[str, Any]) -> "ChatResponse":
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse

    asked = [openai_message(one) for one in messages]
    reply = _asked(chat, how, asked, options.get("tools") or ())
    said = ChatMessage(role="assistant", content=reply.text, additional_kwargs=_calls(reply, len(asked)))
    return ChatResponse(message=said, delta=reply.text, raw=_raw(reply))


def _completed(chat: Chat, how: Asking, prompt: str) -> "CompletionResponse":
    from llama_index.core.base.llms.types import CompletionResponse

    reply = _asked(chat, how, [{"role": "user", "content": prompt}])
    return CompletionResponse(text=reply.text, delta=reply.text, raw=_raw(reply))


def _with_tools(tools: Sequence[Any], asked: Any, history: Any) -> dict[str, Any]:
    from llama_index.core.base.llms.types import ChatMessage

    last = ChatMessage(role="user", content=asked) if isinstance(asked, str) else asked
    described = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
    return {"messages": [*(history or ()), *([last] if last else [])], "tools": described}


def _iterated(answer: Any, *asked: Any) -> Iterator[Any]:
    """The answer as a stream of one piece; asked for when it is read."""
    yield answer(*asked)


async def _awaited(pieces: Iterator[Any]) -> AsyncGenerator[Any, None]:
    for piece in pieces:
        yield piece


def _calls(reply: Reply, num_messages: int) -> dict[str, Any]:
    """The calls of a reply as a message keeps them; their ids are the same for the same calls at the same place."""
    calls = [
        {
            "id": f"call_{content_id(str(num_messages), str(number), call.name, call.arguments)}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for number, call in enumerate(reply.calls)
    ]
    return {"tool_calls": calls} if calls else {}


def _raw(reply: Reply) -> dict[str, Any]:
    given, taken = reply.input_tokens, reply.output_tokens
    return {"usage": {"prompt_tokens": given, "completion_tokens": taken, "total_tokens": given + taken}}


def _selections(calls: Sequence[Mapping[str, Any]], is_needed: bool) -> list[Any]:
    from llama_index.core.llms.llm import ToolSelection

    if not calls and is_needed:
        raise ValueError("the model called no function")
    return [
        ToolSelection(
            tool_id=call["id"],
            tool_name=call["function"]["name"],
            tool_kwargs=_arguments(call["function"]["arguments"]),
        )
        for call in calls
    ]


def _arguments(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return {}
