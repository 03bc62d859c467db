"""The model card, as text to copy or download."""

import streamlit as st

from components.text import t
from finetune_core.workspace import model_card
from finetune_core.workspace.models import ModelView


def model_card_view(model: ModelView, *, key: str) -> None:
    """The card is shown as its source, for names in it come from people and documents."""
    text = model_card.markdown(model.id)
    st.caption(t("Written from facts alone; it goes with every export as README.md."))
    st.download_button(
        t("Download the card"), text, file_name="README.md", mime="text/markdown", icon=":material/download:",
        key=f"{key}.download", on_click="ignore",
    )  # fmt: skip
    st.code(text, language="markdown", wrap_lines=True)
