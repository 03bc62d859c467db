"""What a chat model learns from, whatever the recipe: messages, and the answer it should give to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.providers.chat import Message, Tool


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages with the answer to learn; only the answer's tokens count in the loss.

    `response` is an assistant's message: `content`, or `tool_calls` with a JSON text as `arguments`. `rejected` is an answer
    that should become less likely than `response`; tuning by preference (Rafailov et al., Direct Preference Optimization,
    2023) needs it, supervised tuning leaves it out.
    """

    id: str
    messages: tuple[Message, ...]
    response: Message
    tools: tuple[Tool, ...] = ()
    rejected: Message | None = None

    def as_openai(self) -> Mapping[str, Any]:
        """The conversation as a line of OpenAI's supervised fine-tuning file."""
        line: dict[str, Any] = {"messages": [*self.messages, self.response]}
        return line | ({"tools": list(self.tools)} if self.tools else {})
