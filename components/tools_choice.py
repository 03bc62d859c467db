"""A list of functions, chosen to be written into a field."""

import json

import streamlit as st

from components.text import t
from finetune_core.workspace import tools


def tools_choice(project_id: str, field_key: str, *, key: str) -> None:
    """Draw the choice where the project has lists; the box with the key `field_key` then holds the functions as JSON."""
    found = {one.name: one.tools for one in tools.listing(project_id)}
    if not found:
        return

    def write() -> None:
        if chosen := st.session_state[key]:
            st.session_state[field_key] = json.dumps(list(found[chosen]), ensure_ascii=False, indent=1)

    st.selectbox(
        t("Functions from a list"), list(found), index=None, key=key, on_change=write,
        placeholder=t("Choose a list to write its functions into the field below"),
    )  # fmt: skip
