"""Answers of a strong model to questions over a corpus, recorded as a retrieval-augmented application gets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.providers.chat import Checkpoint, Message, estimated_tokens
from finetune_core.records import Chat, content_id
from finetune_core.synthesis.questions import Batch
from finetune_core.synthesis.taught import OVERHEAD_TOKENS, Taught

QUESTION_MISSING = "The model said nothing."
TOO_LONG = (
    "The passages did not fit into one prompt, so the answer was refined over several; use fewer or shorter ones."
)


class Event(Protocol):
    """One exchange with a model, as a recorder keeps it; see `plugins.recording.Event`."""

    @property
    def messages(self) -> Sequence[Any]: ...
    @property
    def response(self) -> Any: ...
    @property
    def usage(self) -> Any: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked and answered about one question, in order, and the passages that stood in the prompt."""

    events: tuple[Event, ...]
    contexts: tuple[str, ...]


class Pipeline(Protocol):
    """Retrieves passages and asks a chat over them."""

    def messages(self, question: str) -> Sequence[Message]:
        """What the chat is asked about `question`."""

    def ask(self, question: str, seed: int, checkpoint: Checkpoint | None) -> Exchange:
        """Ask it. Raises ProviderError."""


@dataclass(frozen=True, slots=True)
class QuestionSubject:
    """A question to ask; `part` names the corpus it is asked over, `split` is "" unless it belongs to a part already.

    `document` is the document it is about, `reference` the true answer, "" where unknown.
    """

    id: str
    question: str
    document: str
    reference: str
    part: str
    split: str = ""


class RagAnswers:
    """Has a chat answer questions over the passages that a retriever finds for them; one answer a call."""

    num_per_call = 1

    def __init__(
        self, chat: ChatModel, pipelines: dict[str, Pipeline], identity: str, *, answer_tokens: int, seed: int = 0
    ) -> None:
        """`pipelines` go by part. `identity` is what the key stands on: model, prompt, embedder and number of passages."""
        self._chat, self._pipelines = chat, pipelines
        self._answer_tokens, self._seed = answer_tokens, seed
        self.key = content_id("rag answers", identity)
        self.num_parallel = chat.num_parallel

    def write(
        self,
        subject: QuestionSubject,
        numbers: Sequence[int],
        avoid: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Batch[Taught]:
        """The answer number `numbers[0]` to a question, waiting to be reviewed. Raises ProviderError."""
        [number] = numbers
        exchange = self._pipelines[subject.part].ask(subject.question, self._seed + number, checkpoint)
        given, taken = (
            sum(int(event.usage.get(name) or 0) for event in exchange.events)
            for name in ("prompt_tokens", "completion_tokens")
        )
        return Batch((self._taught(subject, number, exchange),), given, taken)

    def largest_call(self, subject: QuestionSubject, num: int) -> tuple[int, int]:
        """As `QuestionWriter.largest_call`."""
        messages = self._pipelines[subject.part].messages(subject.question)
        asked = sum(estimated_tokens(str(message["content"])) for message in messages)
        return 2 * asked + OVERHEAD_TOKENS, self._answer_tokens * num

    def close(self) -> None:
        """Close the chat."""
        self._chat.close()

    def _taught(self, subject: QuestionSubject, number: int, exchange: Exchange) -> Taught:
        if len(exchange.events) > 1:
            return Taught(None, TOO_LONG)
        [event] = exchange.events
        if not str((event.response or {}).get("content") or "").strip():
            return Taught(None, QUESTION_MISSING)
        return Taught(
            Chat(
                id=content_id("rag answer", self.key, subject.id, str(number)),
                messages=tuple(dict(message) for message in event.messages),
                response={"role": "assistant", "content": event.response["content"].strip()},
                group=subject.document,
                contexts=exchange.contexts,
                reference=subject.reference,
                model=self._chat.name,
                input_tokens=int(event.usage.get("prompt_tokens") or 0),
                output_tokens=int(event.usage.get("completion_tokens") or 0),
                seconds=event.seconds,
            )
        )
