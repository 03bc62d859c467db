"""Which pairs a review is about, kept in the URL."""

import streamlit as st

from components.review_card import state_text
from components.text import plain, t
from finetune_core.workspace import pairs
from finetune_core.workspace.pairs import PairFilter, PairState

_STATES = [PairState.PENDING.value, PairState.ACCEPTED.value, PairState.REJECTED.value, PairState.ASIDE.value, "any"]


def review_filters(project_id: str, *, key: str) -> PairFilter:
    """Draw the filters in a row and return what they say."""
    documents, filters = pairs.documents_of(project_id), pairs.filters_of(project_id)
    names = {"state": "state", "document": "document", "outcome": "outcome", "text": "text"}
    for name, options in (("state", _STATES), ("document", documents), ("outcome", filters)):
        if st.session_state.get(names[name]) not in (None, *options):
            st.session_state.pop(names[name])  # a stale link: what it names is gone
    with st.container(horizontal=True, vertical_alignment="bottom", key=key):
        state = st.selectbox(
            t("State"), _STATES, key="state", bind="query-params", width=150,
            format_func=lambda value: state_text("" if value == "any" else value),
        )  # fmt: skip
        document = st.selectbox(
            t("Document"), list(documents), index=None, key="document", bind="query-params", width=240,
            format_func=lambda one: plain(documents.get(one, one)), placeholder=t("Any document"),
        )  # fmt: skip
        outcome = None
        if filters:
            outcome = st.selectbox(
                t("Set aside by"), list(filters), index=None, key="outcome", bind="query-params", width=200,
                format_func=lambda one: f"{one} ({filters.get(one, 0):,})", placeholder=t("Any filter"),
            )  # fmt: skip
        text = st.text_input(
            t("Text"), key="text", bind="query-params", width=220, placeholder=t("in question or answer"),
            icon=":material/search:",
        )  # fmt: skip
    chosen = "" if state == "any" else state
    # A filter's pairs are set aside; asking for one in another state would show nothing and explain nothing.
    return PairFilter("" if outcome else chosen or "", document or "", outcome or "", (text or "").strip())
