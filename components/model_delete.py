"""The button that deletes a model, after asking."""

import streamlit as st

from components.errors import keep_error, kept_errors, show_kept_error
from components.text import plain, size_text, t
from finetune_core.workspace import models
from finetune_core.workspace.models import ModelView

_KEY = "delete_model"
_SURE, _DELETED = f"{_KEY}_sure", f"{_KEY}_done"


def model_delete(model: ModelView, *, key: str) -> None:
    """Draw the button; the dialog says what is lost."""
    if st.button(t("Delete"), icon=":material/delete:", key=f"{key}.open", type="tertiary"):
        _ask(model)


@st.dialog(t("Delete model"), icon=":material/delete:")
def _ask(model: ModelView) -> None:
    if st.session_state.pop(_DELETED, False):
        st.rerun()
    st.markdown(
        t(
            "**{name}** ({size}) will be gone for good. Its run, curves and comparisons stay.",
            name=plain(model.name),
            size=size_text(model.size_bytes),
        )
    )
    with st.form(_KEY, border=False):
        st.checkbox(t("Yes, delete this model"), key=_SURE)
        st.form_submit_button(
            t("Delete for good"), type="primary", icon=":material/delete:", on_click=_delete, args=(model.id,)
        )
    show_kept_error(_KEY)


def _delete(model_id: str) -> None:
    """A button's callback; it may draw nothing, so what came of it is kept for the dialog."""
    if not st.session_state[_SURE]:
        keep_error(_KEY, t("Nothing was deleted."), t("Tick the box first."))
        return
    with kept_errors(_KEY):
        models.delete(model_id)
        st.session_state[_DELETED] = True
