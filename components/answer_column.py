"""One system's answer with its grades, for a column of its own."""

import streamlit as st

from components.text import plain, t
from finetune_core.workspace.answers import Grade, SystemAnswer

_TALL = 600
"""Characters from which a text scrolls in a box of its own."""
_MARKS = {True: ":material/check:", False: ":material/close:", None: ":material/notes:"}


def answer_column(one: SystemAnswer, title: str, score: float | None, *, key: str) -> None:
    """Title and score, the answer, what is odd about it, a badge for each grade, and what the judge said behind a fold."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{title}**", width="content")
        if score is not None:
            st.badge(f"{score:.2f}", color="green" if score >= 1 else "gray", help=t("How right it is, from 0 to 1."))
    answer_text(one.answer or t("no answer"))
    if one.note:
        st.caption(plain(one.note))
    if one.grades:
        with st.container(horizontal=True, gap="xsmall"):
            for grade in one.grades:
                _badge(grade)
    if any(grade.said for grade in one.grades):
        with st.popover(t("What the judge said"), type="tertiary", icon=":material/gavel:", key=f"{key}_said"):
            for grade in one.grades:
                _said(grade)


def answer_text(text: str) -> None:
    """Text of people and models is never rendered, only shown."""
    st.code(text, language=None, wrap_lines=True, height=220 if len(text) > _TALL else "content")


def _badge(grade: Grade) -> None:
    title = plain(grade.title.removeprefix("ragas: "))
    if grade.value is None:
        st.badge(f"{title} ?", color="orange", help=t("The judge could not grade this."))
    else:
        st.badge(f"{title} {grade.value:.2f}", color="gray")


def _said(grade: Grade) -> None:
    if not grade.said:
        return
    st.markdown(f"**{plain(grade.title)}**")
    for number, verdict in enumerate(grade.said, start=1):
        text = verdict.text or t("Passage {number}", number=number)
        st.markdown(f"{_MARKS[verdict.is_met]} {plain(text)}")
        if verdict.reason:
            st.caption(plain(verdict.reason))
