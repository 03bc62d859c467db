"""The button that deletes a model, after asking."""

import streamlit as st

from components.errors import show_error
from components.text import plain, size_text, t
from finetune_core.errors import FinetuneError
from finetune_core.workspace import models
from finetune_core.workspace.models import ModelView

_SURE, _PROBLEM, _DELETED = "delete_model_sure", "delete_model_problem", "delete_model_done"


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
    with st.form("delete_model", border=False):
        st.checkbox(t("Yes, delete this model"), key=_SURE)
        st.form_submit_button(
            t("Delete for good"), type="primary", icon=":material/delete:", on_click=_delete, args=(model.id,)
        )
    if problem := st.session_state.pop(_PROBLEM, None):
        show_error(*problem)


def _delete(model_id: str) -> None:
    """A button's callback; it may draw nothing, so what came of it is kept for the dialog."""
    if not st.session_state[_SURE]:
        st.session_state[_PROBLEM] = (t("Nothing was deleted."), t("Tick the box first."))
        return
    try:
        models.delete(model_id)
        st.session_state[_DELETED] = True
    except FinetuneError as error:
        st.session_state[_PROBLEM] = (error.message, error.hint)
