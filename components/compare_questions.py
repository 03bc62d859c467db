"""Question by question: what tuning lost, what it won, worst first."""

import streamlit as st

from components.compare_answers import compare_answers
from components.compare_lists import compare_lists
from components.pager import pager
from components.text import plain, t
from finetune_core.workspace import comparisons
from finetune_core.workspace.comparisons import Change, ComparisonView, Length, Outcome, OutcomeFilter, OutcomePage

_PAGE = 8
_MAX_LABEL = 240
_HUES = {Change.LOST: "red", Change.WON: "green", Change.UNCHANGED: "gray"}


def compare_questions(view: ComparisonView, system: str, *, key: str) -> None:
    """Filters, one page of questions, and for an opened one both lists of passages."""
    st.subheader(t("Question by question"), anchor=False)
    chosen = _filter(view, key)
    everything = comparisons.outcomes(view, system, OutcomeFilter(None, chosen.document, chosen.length), limit=0)
    change, is_ungraded = _change(everything, key)
    chosen = OutcomeFilter(change, chosen.document, chosen.length, is_ungraded)
    slot = st.container(gap="xsmall")
    num = comparisons.outcomes(view, system, chosen, limit=0).num_matching
    offset = pager(num, _PAGE, key=f"{key}_page_{view.id}_{system}_{chosen}")
    page = comparisons.outcomes(view, system, chosen, offset=offset, limit=_PAGE)
    with slot:
        if not page.outcomes:
            st.caption(t("No question fits these filters."))
        for outcome in page.outcomes:
            _question(view, system, outcome, key)


def _filter(view: ComparisonView, key: str) -> OutcomeFilter:
    names = {"": t("All groups") if view.has_answers else t("All documents"), **comparisons.documents(view)}
    lengths = {
        "": t("Any length"),
        Length.SHORT: t("Up to 6 words"),
        Length.MEDIUM: t("7 to 12 words"),
        Length.LONG: t("Over 12 words"),
    }
    left, right = st.columns(2)
    document = left.selectbox(
        t("Group") if view.has_answers else t("Document"),
        list(names),
        format_func=lambda id_: names.get(id_, id_),
        key=f"{key}_document",
    )
    length = right.selectbox(
        t("Length of the question"), list(lengths), format_func=lambda length: lengths[length], key=f"{key}_length"
    )
    return OutcomeFilter(document=document or "", length=Length(length) if length else None)


def _change(everything: OutcomePage, key: str) -> tuple[Change | None, bool]:
    """Which change to look at, None for all, and whether only those that a judge could not grade."""
    counts = everything.counts
    titles = {
        "lost": t("Lost {num}", num=counts[Change.LOST]),
        "won": t("Won {num}", num=counts[Change.WON]),
        "unchanged": t("Unchanged {num}", num=counts[Change.UNCHANGED]),
        "all": t("All {num}", num=sum(counts.values())),
    }
    if everything.num_ungraded:
        titles["ungraded"] = t("Judge could not grade {num}", num=everything.num_ungraded)
    first = next((change.value for change in (Change.LOST, Change.WON) if counts[change]), "all")
    chosen = st.segmented_control(
        t("What tuning did"), list(titles), default=first, required=True, format_func=lambda name: titles[name],
        key=f"{key}_change", label_visibility="collapsed",
    )  # fmt: skip
    return (Change(chosen) if chosen in set(Change) else None), chosen == "ungraded"


def _question(view: ComparisonView, system: str, outcome: Outcome, key: str) -> None:
    if view.has_answers:
        moved = f"{score_text(outcome.score_before)} → {score_text(outcome.score_after)}"
    else:
        moved = f"{rank_text(outcome.rank_before)} → {rank_text(outcome.rank_after)}"
    label = f":{_HUES[outcome.change]}-badge[{moved}] {plain(outcome.query[:_MAX_LABEL])}"
    with st.expander(label, key=f"{key}_{view.id}_{system}_{outcome.question_id}", on_change="rerun") as question:
        if question.open:
            (compare_answers if view.has_answers else compare_lists)(view, system, outcome, key=key)


def score_text(score: float | None) -> str:
    """How right an answer is, for people."""
    return "?" if score is None else f"{score:.2f}"


def rank_text(rank: int | None) -> str:
    """A rank for people."""
    return "> 100" if rank is None else str(rank)
