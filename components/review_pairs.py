"""The review of question/passage pairs, one by one: the question and its answer beside the passages, evidence marked."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components.review_alike import review_alike
from components.review_card import review_card
from components.review_deck import Card, Deck, source_text, state_text
from components.text import t
from finetune_core.workspace import pairs
from finetune_core.workspace.pairs import PairFilter, PairState, PairView
from finetune_core.workspace.reviewing import Progress


def review_pairs(project_id: str, chosen: PairFilter, *, key: str) -> None:
    """Draw the next pair of the filter."""

    def decide(pair_id: str, version: int, state: PairState, values: Mapping[str, str]) -> None:
        texts = {"question": values["question"], "answer": values["answer"]}
        pairs.decide(project_id, pair_id, version, state, **texts)

    def undo() -> tuple[int, str] | None:
        step = pairs.undo(project_id)
        return (step.examples[0].seq, step.examples[0].id) if step else None

    deck = Deck(
        project_id, repr(chosen), _labels(),
        progress=lambda: pairs.progress(project_id, chosen), pace=_pace_text,
        upcoming=lambda after, num: [_card(one) for one in pairs.upcoming(project_id, chosen, after, num)],
        get=lambda pair_id: _card(pairs.get(project_id, pair_id)), decide=decide, undo=undo,
        onwards=lambda: _onwards(project_id),
        alike=lambda pair_id, own: review_alike(project_id, pair_id, key=own),
    )  # fmt: skip
    review_card(deck, key=key)


def _onwards(project_id: str) -> None:
    """Where to go once nothing waits any more, under whatever filter."""
    counts = pairs.progress(project_id).counts
    if counts[PairState.ACCEPTED] and not counts[PairState.PENDING]:
        st.page_link(
            "../pages/train.py", label=t("Freeze them and train"), icon=":material/arrow_forward:",
            icon_position="right", query_params={"project": project_id},
        )  # fmt: skip


def _card(view: PairView) -> Card:
    pair = view.pair
    facts = [source_text(pair.source)]
    if pair.set_aside_by:
        detail = pair.outcomes.get(pair.set_aside_by, {}).get("detail", "")
        facts.append(t("set aside by {name}", name=pair.set_aside_by) + (f": {detail}" if detail else ""))
    if pair.split:
        facts.append(pair.split)
    if pair.original is not None:
        facts.append(t("edited"))
    fields = [
        {"name": "question", "label": t("Question"), "value": pair.question},
        {"name": "answer", "label": t("Answer"), "value": pair.answer},
    ]
    shown = [_passage(one, is_first=not number) for number, one in enumerate(view.passages)]
    if shown and pair.evidence and not shown[0]["marked"]:
        shown[0]["quote"] = pair.evidence
    return {
        "id": pair.id, "seq": pair.seq, "version": pair.version, "state": pair.state.value,
        "state_text": state_text(pair.state), "facts": facts, "fields": fields, "passages": shown,
    }  # fmt: skip


def _passage(one: pairs.PassageView, *, is_first: bool) -> dict[str, Any]:
    start, end = one.evidence or (len(one.text), len(one.text))
    shown = {"before": one.text[:start], "marked": one.text[start:end], "after": one.text[end:]}
    note = "" if is_first and one.grade == 1 else t("grade {grade}", grade=one.grade)
    return shown | {"document": one.document, "heading": one.heading, "note": note}


def _pace_text(progress: Progress) -> str:
    if progress.per_hour is None or progress.hours_left is None:
        return ""
    if not progress.counts[PairState.PENDING]:
        return t("{pace} pairs an hour", pace=f"{progress.per_hour:,.0f}")
    return t(
        "{pace} pairs an hour, about {left} min left",
        pace=f"{progress.per_hour:,.0f}",
        left=f"{60 * progress.hours_left:,.0f}",
    )


def _labels() -> dict[str, str]:
    return {
        "loading": t("Loading the next pair"),
        "empty": t("No pair is left under this filter. Undo brings the last one back; another filter shows others."),
        "stale_draft": t("This pair was changed elsewhere since you typed; your text is in the boxes."),
    }
