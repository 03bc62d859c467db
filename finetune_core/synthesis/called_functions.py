"""Function calls, or filled schemas, of a strong model for given texts, each checked against the functions' JSON Schemas."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_core.evaluation.asking import Answered
from finetune_core.evaluation.calling import Caller, problem
from finetune_core.providers.chat import Chat, Checkpoint, estimated_tokens
from finetune_core.records import Tool, ToolCall, content_id
from finetune_core.synthesis.questions import Batch
from finetune_core.synthesis.taught import OVERHEAD_TOKENS, Taught

NO_CALLS = "The answer is no list of calls."


@dataclass(frozen=True, slots=True)
class TextSubject:
    """A text or query that functions are to be called for."""

    id: str
    text: str
    group: str
    split: str = ""


class FunctionCalls:
    """Has a chat call functions, or none where none fits, for one text a call."""

    num_per_call = 1

    def __init__(
        self, chat: Chat, identity: str, tools: Sequence[Tool], *, is_native: bool, seed: int = 0, temperature: float = 0.0
    ) -> None:  # fmt: skip
        """`identity` is what the key stands on: model and functions. `is_native`: the chat takes functions in its interface."""
        self._chat, self._tools = chat, tuple(tools)
        self._caller = Caller("teacher", chat, is_native=is_native, has_grammar=not is_native)
        self._seed, self._temperature = seed, temperature
        self.key = content_id("function calls", identity)
        self.num_parallel = chat.num_parallel

    def write(
        self,
        subject: TextSubject,
        numbers: Sequence[int],
        avoid: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Batch[Taught]:
        """The text with its calls; with a reason against them where the functions do not allow them."""
        messages = ({"role": "user", "content": subject.text},)
        request = self._caller.request(messages, self._tools)
        reply = self._chat.complete(
            request.messages, schema=request.schema, tools=request.tools, max_tokens=request.max_tokens,
            seed=self._seed + numbers[0], temperature=self._temperature, checkpoint=checkpoint,
        )  # fmt: skip
        calls = self._caller.calls(Answered(reply.text, reply.calls))
        if calls is None:
            return Batch((Taught(None, NO_CALLS),), reply.input_tokens, reply.output_tokens)
        key = content_id("calls", self.key, subject.id)
        example = ToolCall(key, messages, self._tools, tuple(calls), subject.group)
        return Batch((Taught(example, problem(calls, self._tools)),), reply.input_tokens, reply.output_tokens)

    def largest_call(self, subject: TextSubject, num: int) -> tuple[int, int]:
        """As `QuestionWriter.largest_call`."""
        request = self._caller.request(({"role": "user", "content": subject.text},), self._tools)
        asked = sum(estimated_tokens(str(message["content"])) for message in request.messages)
        given = sum(estimated_tokens(str(tool)) for tool in request.tools)
        return 2 * (asked + given) + OVERHEAD_TOKENS, request.max_tokens

    def close(self) -> None:
        """Close the chat."""
        self._chat.close()
