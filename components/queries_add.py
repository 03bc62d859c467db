"""Writing queries by hand: many at once, one on each line, for one choice."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.queries_filter import choice_names
from components.text import t, tn
from finetune_core.workspace import labelled


def queries_add(project_id: str, *, key: str) -> None:
    """Draw the form; what was added is counted, what was there already is left alone."""
    names = choice_names(project_id)
    if len(names) == 1:
        st.caption(t("Add the choices first: the tools, indexes or departments that a query can go to."))
        return
    label = st.selectbox(t("Choice"), list(names), format_func=names.__getitem__, key=f"{key}_label")
    st.text_area(
        t("Queries, one on each line"), key=f"{key}_texts", height=220, bind="query-params",
        help=t("Write them as people would. A router learns from about 10 for each choice on."),
    )  # fmt: skip
    st.button(
        t("Add"), type="primary", icon=":material/add:", key=f"{key}_go", on_click=_add, args=(project_id, label, key)
    )
    show_kept_error(key)
    if (num := st.session_state.pop(f"{key}_done", None)) is not None:
        st.success(
            tn("{num} query added, as accepted.", "{num} queries added, as accepted.", num), icon=":material/check:"
        )


def _add(project_id: str, label: str, key: str) -> None:
    with kept_errors(key):
        st.session_state[f"{key}_done"] = labelled.add(
            project_id, (st.session_state[f"{key}_texts"] or "").splitlines(), label
        )
        st.session_state[f"{key}_texts"] = ""
