"""What a review goes through one by one: the kinds of example differ in what their cards show and in how they are decided."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.text import t
from finetune_core.workspace.pairs import PairState
from finetune_core.workspace.reviewing import Progress

Card = dict[str, Any]
"""`id`, `seq`, `version`, `state`, `state_text`, `facts` (short texts), `fields` and `passages`.

A field has `name`, `label` and `value`. With `options` ([value, title] each) it is a choice among those instead of a text,
with a `range` ({lowest, highest, step}) a number on a slider, with `is_code` a text of even letters. A passage with `is_sql`
is coloured; it has `document`, `heading`, `before`, `marked` and `after`, and perhaps a `note`, or a `quote` that does not stand
in it.
"""


@dataclass(frozen=True)
class Deck:
    """The examples under a filter, and what can be done to them. Each call reads or writes the store; errors are raised.

    `place` names the filter: another one starts at the front. `decide` takes id, version, state and the fields' values.
    `undo` gives the number (`seq`) and id of the first example it brought back, or None. `alike` draws what would be rejected
    along with an example and tells whether the person has answered; None where there is no such thing.
    """

    project_id: str
    place: str
    labels: Mapping[str, str]
    progress: Callable[[], Progress]
    pace: Callable[[Progress], str]
    upcoming: Callable[[int, int], Sequence[Card]]
    get: Callable[[str], Card]
    decide: Callable[[str, int, PairState, Mapping[str, str]], None]
    undo: Callable[[], tuple[int, str] | None]
    onwards: Callable[[], None]
    alike: Callable[[str, str], bool] | None = None


def state_text(state: str) -> str:
    """A state for people."""
    return {
        "": t("Any state"),
        PairState.PENDING: t("Pending"),
        PairState.ACCEPTED: t("Accepted"),
        PairState.REJECTED: t("Rejected"),
        PairState.ASIDE: t("Set aside"),
    }[state]


def source_text(source: str) -> str:
    """Where an example comes from, for people."""
    return {"generated": t("generated"), "imported": t("imported"), "written": t("written by hand"),
            "recorded": t("recorded")}[source]  # fmt: skip
