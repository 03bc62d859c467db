"""The review of demonstrations, one by one: the answer, which can be edited, beside what was asked."""

from collections.abc import Mapping

import streamlit as st

from components.demonstration_card import demonstration_card
from components.demonstrations_filter import demonstrations_filter
from components.review_card import review_card
from components.review_deck import Deck
from components.text import t
from finetune_core.workspace import demonstrations
from finetune_core.workspace.demonstrations import DemonstrationFilter, PairState
from finetune_core.workspace.reviewing import Progress


def demonstrations_review(project_id: str, kind: str, *, key: str) -> None:
    """Draw the filter and the next example under it."""
    chosen = demonstrations_filter(kind, state=PairState.PENDING, key=key)

    def decide(example_id: str, version: int, state: PairState, values: Mapping[str, str]) -> None:
        demonstrations.decide(project_id, kind, example_id, version, state, values)

    def undo() -> tuple[int, str] | None:
        step = demonstrations.undo(project_id, kind)
        return (step.examples[0].seq, step.examples[0].id) if step else None

    deck = Deck(
        project_id, repr(chosen), _labels(),
        progress=lambda: demonstrations.progress(project_id, kind), pace=_pace_text,
        upcoming=lambda after, num: [
            demonstration_card(one) for one in demonstrations.upcoming(project_id, chosen, after, num)
        ],
        get=lambda example_id: demonstration_card(demonstrations.get(project_id, kind, example_id)),
        decide=decide, undo=undo, onwards=lambda: _onwards(project_id, chosen),
    )  # fmt: skip
    review_card(deck, key=f"{key}_card")


def _onwards(project_id: str, chosen: DemonstrationFilter) -> None:
    """Where to go once nothing waits any more, under whatever filter."""
    counts = demonstrations.progress(project_id, chosen.kind).counts
    if counts[PairState.ACCEPTED] and not counts[PairState.PENDING]:
        st.page_link(
            "../pages/train.py", label=t("Freeze them and train"), icon=":material/arrow_forward:",
            icon_position="right", query_params={"project": project_id},
        )  # fmt: skip


def _pace_text(progress: Progress) -> str:
    if progress.per_hour is None or progress.hours_left is None:
        return ""
    pace = f"{progress.per_hour:,.0f}"
    if not progress.counts[PairState.PENDING]:
        return t("{pace} examples an hour", pace=pace)
    return t("{pace} examples an hour, about {left} min left", pace=pace, left=f"{60 * progress.hours_left:,.0f}")


def _labels() -> dict[str, str]:
    return {
        "loading": t("Loading the next example"),
        "empty": t("No example is left under this filter. Undo brings the last one back; another filter shows others."),
        "stale_draft": t("This example was changed elsewhere since you typed; your text is in the boxes."),
        "passage": t("What was asked"),
        "hint": t("1 to 9 or L choose in a list. In a box: Ctrl+Enter accepts, Esc leaves the box, so that the keys work again."),
    }  # fmt: skip
