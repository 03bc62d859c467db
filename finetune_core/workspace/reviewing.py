"""What the review of any kind of example tells: how far it is, and what an undo brought back."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from finetune_core.errors import StaleEditError
from finetune_core.storage import reviews
from finetune_core.storage.database import Connection
from finetune_core.storage.pairs import PairState
from finetune_core.storage.reviews import Reviewed, Undone

E = TypeVar("E")


@dataclass(frozen=True)
class Progress:
    """How far the review of a project is; `per_hour` is measured, None until three decisions were made in a row."""

    counts: dict[PairState, int]
    per_hour: float | None
    can_undo: bool

    @property
    def num_done(self) -> int:
        """Examples a person or import has decided on."""
        return self.counts[PairState.ACCEPTED] + self.counts[PairState.REJECTED]

    @property
    def hours_left(self) -> float | None:
        """How long the pending ones take at the measured pace."""
        return self.counts[PairState.PENDING] / self.per_hour if self.per_hour else None


@dataclass(frozen=True)
class UndoneStep(Generic[E]):
    """What an undo brought back: the first of its examples as they are again (at most 500), the number of all of them, and
    of those that were left alone because they were changed in another way since."""

    examples: tuple[E, ...]
    num_back: int
    num_changed_since: int


def progress(connection: Connection, kind: Reviewed, project_id: str, counts: dict[PairState, int]) -> Progress:
    """The counts with the measured pace, and whether a step can be undone."""
    pace = reviews.decisions_per_hour(connection, kind, project_id)
    return Progress(counts, pace, reviews.can_undo(connection, kind, project_id))


def require_undone(done: Undone) -> None:
    """Raise StaleEditError if every example of an undone step was changed in another way since."""
    if not done.seqs:
        raise StaleEditError(
            "The last step was not undone: what it decided was changed since, in another tab or by a filter.",
            hint="Look it up in the table and set it as it should be.",
        )
