"""LlamaIndex' messages and calls of functions in the form of OpenAI's interface."""

import json
from collections.abc import Mapping
from typing import Any


def openai_message(message: Any) -> dict[str, Any]:
    """A LlamaIndex `ChatMessage` as OpenAI's interface has it, with its calls, or with the id of the call it answers."""
    extra = dict(message.additional_kwargs)
    calls = [_call(call) for call in extra.get("tool_calls") or ()]
    calls += (
        [_block_call(block) for block in message.blocks if getattr(block, "block_type", "") == "tool_call"]
        if not calls
        else []
    )
    found: dict[str, Any] = {"role": str(getattr(message.role, "value", message.role)), "content": message.content}
    if calls:
        found |= {"content": message.content or None, "tool_calls": calls}
    return found | {name: extra[name] for name in ("tool_call_id", "name") if name in extra}


def _call(call: Any) -> dict[str, Any]:
    """A tool call of OpenAI's client, or a dictionary like it."""
    return dict(call) if isinstance(call, Mapping) else dict(call.model_dump(exclude_none=True))


def _block_call(block: Any) -> dict[str, Any]:
    arguments = block.tool_kwargs
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {
        "id": block.tool_call_id or block.tool_name,
        "type": "function",
        "function": {"name": block.tool_name, "arguments": text},
    }
