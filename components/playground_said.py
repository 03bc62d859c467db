"""The place of what a language model says: its text while it grows, then its answer, what is odd about it, and its rows."""

from collections.abc import Callable

import streamlit as st

from components.text import duration_text, plain, t
from finetune_core.workspace.playground import Answer

Fill = Callable[[str | Answer], None]
"""Fills a place: with all that was said so far ("" clears it), or with the answer, which must hold what was said."""


def playground_said(name: str, *, key: str) -> Fill:
    """Draw the place under the model's name, and return what fills it."""
    st.subheader(plain(name), anchor=False)
    about, text, rest = st.empty(), st.empty(), st.empty()

    def fill(found: str | Answer) -> None:
        if isinstance(found, str):
            _grown(found)
            return
        assert found.said is not None
        about.caption(duration_text(found.seconds))
        text.code(found.said.text or t("no answer"), language=None, wrap_lines=True)
        if found.said.note or found.said.table is not None:
            with rest.container():
                _beside(found, key)

    def _grown(said: str) -> None:
        if said:
            about.caption("…")  # where the time it took will stand
            text.code(said, language=None, wrap_lines=True)
        else:
            about.empty()
            text.empty()

    return fill


def _beside(answer: Answer, key: str) -> None:
    said = answer.said
    assert said is not None
    if said.note:
        st.caption(plain(said.note))
    if said.table is None:
        return
    rows = [dict(zip(_titles(said.table.columns), row, strict=True)) for row in said.table.rows]
    if rows:
        st.dataframe(rows, hide_index=True, key=f"{key}_rows", alt=t("What the query gives"))
    else:
        st.caption(t("The query gives no row."))
    if said.table.is_cut:
        st.caption(t("There are more rows, or longer cells, than are shown."))


def _titles(columns: tuple[str, ...]) -> list[str]:
    """Names of columns, made distinct: a query may give one twice."""
    return [name if columns.count(name) == 1 else f"{name} ({at + 1})" for at, name in enumerate(columns)]
