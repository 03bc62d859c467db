"""Questions over passages: what every generator of QueryPassages takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from finetune_core.providers.chat import Checkpoint
from finetune_core.records import Passage

W = TypeVar("W")

LANGUAGES = (
    "English", "Arabic", "Chinese", "Dutch", "French", "German", "Italian", "Japanese", "Polish", "Portuguese", "Russian",
    "Spanish", "Turkish",
)  # fmt: skip
"""The languages offered; a service also takes "the language of the passage"."""
SAME_LANGUAGE = "the language of the passage"

MIN_CHARS = 60
"""A passage shorter than this is a headline or a page number: nothing can be asked of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """One question as a generator wrote it.

    `evidence` is an exact part of the passage, or "" if none is known; `claimed_evidence` is the quote as the model gave
    it. `reason` says why the question cannot be used, "" if it can.
    """

    question: str
    evidence: str = ""
    answer: str = ""
    claimed_evidence: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Batch(Generic[W]):
    """What one call wrote: one example (a `Written`, say) for each number asked for, in their order, and its tokens."""

    written: tuple[W, ...]
    input_tokens: int = 0
    output_tokens: int = 0


class QuestionWriter(Protocol):
    """Writes numbered questions over a passage; question `number` of a passage is asked for only once ever."""

    @property
    def key(self) -> str:
        """Changes whenever the writer would write something else: model, prompt, language."""

    @property
    def num_parallel(self) -> int:
        """How many `write` calls may be under way at once, from as many threads."""

    @property
    def num_per_call(self) -> int:
        """The most questions of one passage written by one call."""

    def write(
        self, passage: Passage, numbers: Sequence[int], avoid: Sequence[str] = (), checkpoint: Checkpoint | None = None
    ) -> Batch[Written]:
        """Questions number `numbers` (0-based) of the passage, none of those in `avoid`. Raises ProviderError."""

    def largest_call(self, passage: Passage, num_questions: int) -> tuple[int, int]:
        """The most input and output tokens a call for that many questions may take: what the cap has to set aside."""

    def close(self) -> None:
        """Give back memory and connections."""
