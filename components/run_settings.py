"""With which settings a run was started."""

import streamlit as st

from components.text import plain, t
from finetune_core import recipes
from finetune_core.workspace import runs


def run_settings(run: runs.RunView, *, key: str) -> None:
    """A folded table, one row for each field of the recipe's settings."""
    fields = recipes.get(run.recipe).config.model_fields
    with st.expander(t("Settings of this run"), key=key, icon=":material/tune:"):
        if not run.config:
            st.caption(t("All settings had their defaults."))
            return
        titles = {name: (fields[name].title if name in fields else None) or name for name in run.config}
        rows = {plain(titles[name]): plain(str(value)) or "–" for name, value in run.config.items()}
        st.table(rows, border="horizontal")
