"""Writing a demonstration by hand."""

import streamlit as st

from components.demonstration_form import demonstration_form
from components.schema_form import schema_form
from components.text import t
from finetune_core.workspace.demonstration_fields import FIELDS


def demonstrations_add(project_id: str, kind: str, *, key: str) -> None:
    """Draw the form of a new example, and for kinds with functions the lists to take them from."""
    if any(field.name == "tools" for field in FIELDS[kind]):
        with st.expander(t("Lists of functions"), icon=":material/function:"):
            schema_form(project_id, key=f"{key}_schemas")
    st.caption(t("What is asked, and what the right answer is. It counts as accepted."))
    demonstration_form(project_id, kind, key=f"{key}_{kind}")
