"""Writing a demonstration by hand."""

import streamlit as st

from components.demonstration_form import demonstration_form
from components.text import t


def demonstrations_add(project_id: str, kind: str, *, key: str) -> None:
    """Draw the form of a new example."""
    st.caption(t("What is asked, and what the right answer is. It counts as accepted."))
    demonstration_form(project_id, kind, key=f"{key}_{kind}")
