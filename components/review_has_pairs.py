"""Whether there is anything to review, and what to do while there is not."""

import streamlit as st

from components.empty import empty_state
from components.text import t
from finetune_core.workspace import pairs


def review_has_pairs(project_id: str, *, key: str) -> bool:
    """Whether there are pairs; draws the next step where there are none."""
    if sum(pairs.progress(project_id).counts.values()):
        return True
    with st.container(key=key):
        empty_state(
            t("No pairs to review yet"),
            t("Let questions be written over your corpus, or bring your own under Import and export."),
            "pages/generate.py",
            t("Write questions"),
            icon=":material/fact_check:",
        )
    return False
