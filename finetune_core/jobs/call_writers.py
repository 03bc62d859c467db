"""A teacher that calls functions, or fills a schema, for texts that a person gave."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from finetune_core.jobs.chat_writers import WritingParams, identity, opened_chat, sketched_chat
from finetune_core.providers.chat import Chat
from finetune_core.records import content_id
from finetune_core.storage import inputs
from finetune_core.synthesis.called_functions import FunctionCalls, TextSubject

LOCAL_CONTEXT_TOKENS = 4096


class CallTask(BaseModel):
    """Which texts, and which functions there are to call."""

    record: Literal["ToolCall"] = "ToolCall"
    inputs: str = Field("", description="The texts that a person gave.")
    tools: list[dict[str, Any]] = Field(min_length=1, max_length=128, description="Functions in OpenAI's form.")


def subjects(project_id: str, task: CallTask) -> list[TextSubject]:
    """The texts, each once; [] where there is none."""
    given = inputs.read(project_id, task.inputs) if task.inputs else []
    return [TextSubject(content_id("text", row["text"]), row["text"], row["group"], row["split"]) for row in given]


def open_writer(params: WritingParams, task: CallTask) -> FunctionCalls:
    """The caller, ready. Raises ProviderError."""
    return _writer(opened_chat(params, LOCAL_CONTEXT_TOKENS), params, task)


def sketched_writer(params: WritingParams, task: CallTask) -> FunctionCalls:
    """The same with the same key, but unable to call: for estimates."""
    return _writer(sketched_chat(params), params, task)


def _writer(chat: Chat, params: WritingParams, task: CallTask) -> FunctionCalls:
    key = content_id(identity(params), *(str(tool) for tool in task.tools))
    is_native = params.generator == "endpoint"
    return FunctionCalls(chat, key, task.tools, is_native=is_native, seed=params.seed, temperature=params.temperature)
