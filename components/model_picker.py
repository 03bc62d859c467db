"""Which model to look at; the choice stands in the URL as `?model=…`."""

from collections.abc import Sequence

import streamlit as st

from components.text import t, time_text
from components.url_state import write_url
from finetune_core.workspace.models import ModelView


def model_picker(known: Sequence[ModelView], *, key: str) -> ModelView:
    """The chosen model; the newest one while none is chosen. `known` is not empty.

    `key` is also the name in the URL. Streamlit's own binding would write labels there, and names are not unique.
    """
    by_id = {model.id: model for model in known}
    widget, in_url = f"{key}_choice", st.query_params.get(key, "")
    if st.session_state.get(f"{key}_url") != in_url or st.session_state.get(widget) not in by_id:
        st.session_state[widget] = in_url if in_url in by_id else known[0].id  # opened by a link, or deleted
    chosen = st.selectbox(t("Model"), list(by_id), format_func=lambda model_id: _label(by_id[model_id]), key=widget)
    write_url(key, chosen)
    st.session_state[f"{key}_url"] = chosen
    return by_id[chosen]


def _label(model: ModelView) -> str:
    return f"{model.name} · {time_text(model.created_at)}"
