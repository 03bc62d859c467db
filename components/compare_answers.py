"""What was asked, what is right, and what each system said, next to each other."""

import streamlit as st

from components.text import plain, t
from finetune_core.workspace import comparisons
from finetune_core.workspace.comparisons import ComparisonView, Outcome, SystemAnswer

_TALL = 600
"""Characters from which a text scrolls in a box of its own."""


def compare_answers(view: ComparisonView, system: str, outcome: Outcome, *, key: str) -> None:
    """The example on top, then a column for each of base and tuned, and below them whoever else answered."""
    expected, said = comparisons.answers(view, system, outcome.question_id)
    st.caption(t("Asked"))
    _text(outcome.query)
    st.caption(t("Right"))
    _text(expected or t("nothing"))
    for start in range(0, len(said), 2):
        for column, one in zip(st.columns(2, gap="medium"), said[start : start + 2], strict=False):
            with column:
                _answer(one)


def _answer(one: SystemAnswer) -> None:
    titles = {"base": t("Base"), "tuned": t("Tuned")}
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{titles.get(one.role) or plain(one.name)}**", width="content")
        if one.score is not None:
            st.badge(
                f"{one.score:.2f}", color="green" if one.score >= 1 else "gray", help=t("How right it is, from 0 to 1.")
            )
    _text(one.answer or t("no answer"))
    if one.note:
        st.caption(plain(one.note))


def _text(text: str) -> None:
    """Text of people and models is never rendered, only shown."""
    st.code(text, language=None, wrap_lines=True, height=220 if len(text) > _TALL else "content")
