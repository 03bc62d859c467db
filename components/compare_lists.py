"""What both models put first for one question, the right passages marked."""

import streamlit as st

from components.text import t
from finetune_core.workspace import comparisons
from finetune_core.workspace.comparisons import ComparisonView, Outcome, Shown

_NUM_SHOWN = 5
_MAX_CHARACTERS = 320


def compare_lists(view: ComparisonView, system: str, outcome: Outcome, *, key: str) -> None:
    """Two columns of passages, best first, and the right passage itself where neither shows it."""
    pair = comparisons.side_by_side(view, system, outcome.question_id)
    before, after = st.columns(2, gap="medium")
    with before:
        _list(t("Base"), pair.before, outcome.rank_before)
    with after:
        _list(t("Tuned"), pair.after, outcome.rank_after)
    seen = {shown.passage.id for shown in (*pair.before[:_NUM_SHOWN], *pair.after[:_NUM_SHOWN])}
    for passage in pair.right:
        if passage.id not in seen:
            st.caption(t("The right passage, in neither list:"))
            _text(passage.title, passage.text)


def _list(title: str, passages: tuple[Shown, ...], rank: int | None) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{title}**", width="content")
        st.caption(
            t("first right passage at rank {rank}", rank=rank) if rank else t("right passage not among the first 100"),
            width="content",
        )
    if not passages:
        st.caption(t("Nothing was found."))
    for number, shown in enumerate(passages[:_NUM_SHOWN], start=1):
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge(str(number), color="gray")
                if shown.is_right:
                    st.badge(t("right passage"), icon=":material/check:", color="green")
                st.caption(f"{shown.score:.3f}", width="content")
            _text(shown.passage.title, shown.passage.text)


def _text(title: str, text: str) -> None:
    """Text of documents is never rendered, only shown."""
    flowing = " ".join(text.split())  # where the source broke its lines says nothing here
    cut = flowing if len(flowing) <= _MAX_CHARACTERS else flowing[:_MAX_CHARACTERS].rsplit(" ", 1)[0] + " …"
    st.text(f"{title}\n{cut}" if title else cut)
