"""The settings in force, each with its documentation; a secret is only ever "set" or "not set"."""

import streamlit as st

from components.errors import shown_errors
from components.text import plain, t
from finetune_core.workspace import installation


@shown_errors()
def settings_table(*, key: str) -> None:
    """One row for each AYAR_* variable."""
    st.markdown(t("Read from the environment and from the file `.env` when the dashboard starts a job or a page."))
    rows = [
        {
            t("Variable"): f"`{one.variable}`",
            t("Value"): plain(one.value) or "–",
            t("From"): t("set") if one.is_set else t("default"),
            t("What it does"): plain(one.description),
        }
        for one in installation.settings_in_force()
    ]
    with st.container(key=key):
        st.table(rows, border="horizontal")
