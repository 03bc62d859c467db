"""The button that deletes a model, after asking."""

import streamlit as st

from components.errors import shown_errors
from components.text import plain, size_text, t
from finetune_core.workspace import models
from finetune_core.workspace.models import ModelView


def model_delete(model: ModelView, *, key: str) -> None:
    """Draw the button; the dialog says what is lost."""
    if st.button(t("Delete"), icon=":material/delete:", key=f"{key}.open", type="tertiary"):
        _ask(model)


@st.dialog(t("Delete model"), icon=":material/delete:")
def _ask(model: ModelView) -> None:
    st.markdown(
        t(
            "**{name}** ({size}) will be gone for good. Its run, curves and comparisons stay.",
            name=plain(model.name),
            size=size_text(model.size_bytes),
        )
    )
    with st.form("delete_model", border=False):
        sure = st.checkbox(t("Yes, delete this model"))
        if st.form_submit_button(t("Delete for good"), type="primary", icon=":material/delete:"):
            with shown_errors():
                if not sure:
                    st.warning(t("Tick the box first; nothing was deleted."))
                    return
                models.delete(model.id)
                st.query_params.pop("model", None)
                st.rerun()
