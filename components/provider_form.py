"""Providers: named endpoints, whether their key is there, a test, and a form to add or change one."""

import streamlit as st

from components.errors import shown_errors
from components.provider_card import provider_card
from components.provider_fields import provider_fields
from components.text import t
from finetune_core.workspace import providers


@shown_errors()
def provider_form(*, key: str) -> None:
    """Draw the providers there are, each with its state and buttons, and the form for a new one."""
    known = providers.listing()
    st.caption(
        t(
            "Any OpenAI-compatible service, and Cohere. Keys stay in the environment or in the file .env; "
            "only the variable's name is kept."
        )
    )
    for view in known:
        provider_card(view, key=f"{key}_{view.provider.id}")
    if not known:
        st.info(t("None yet. Without one, the local model and the extractive generator still write questions."))
    with st.expander(t("Add a provider"), expanded=not known, icon=":material/add:", key=f"{key}_new"):
        provider_fields(None, key=f"{key}_new")
