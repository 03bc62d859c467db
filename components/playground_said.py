"""What a language model said: its answer, what is odd about it, and the rows that came with it."""

import streamlit as st

from components.text import duration_text, plain, t
from finetune_core.workspace.playground import Answer


def playground_said(answer: Answer, *, key: str) -> None:
    """The answer with the time it took; `answer` must hold what was said."""
    said = answer.said
    assert said is not None
    st.caption(duration_text(answer.seconds))
    st.code(said.text or t("no answer"), language=None, wrap_lines=True)
    if said.note:
        st.caption(plain(said.note))
    if said.table is not None:
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
