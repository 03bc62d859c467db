"""Which pairs a review is about, kept in the URL."""

from collections import Counter

import streamlit as st

from components.review_deck import state_text
from components.text import plain, t
from components.url_state import url_state
from finetune_core.workspace import pairs
from finetune_core.workspace.pairs import PairFilter, PairState

_STATES = [PairState.PENDING.value, PairState.ACCEPTED.value, PairState.REJECTED.value, PairState.ASIDE.value, "any"]


def review_filters(project_id: str, *, key: str) -> PairFilter:
    """Draw the filters in a row and return what they say."""
    documents, filters = _distinct(pairs.documents_of(project_id)), pairs.filters_of(project_id)
    for name, options in (("state", _STATES), ("document", documents), ("outcome", filters)):
        if st.session_state.get(name) not in (None, *options):
            st.session_state.pop(name)  # a stale choice: what it names is gone
    states = {value: state_text("" if value == "any" else value) for value in _STATES}
    for name, titles in (("state", states), ("document", documents), ("outcome", {one: one for one in filters})):
        url_state(name, titles)
    with st.container(horizontal=True, vertical_alignment="bottom", key=key):
        state = st.selectbox(
            t("State"), _STATES, key="state", bind="query-params", width=165,
            format_func=states.__getitem__,
        )  # fmt: skip
        document = st.selectbox(
            t("Document"), list(documents), index=None, key="document", bind="query-params", width=165,
            format_func=lambda one: documents.get(one, one), placeholder=t("Any document"),
        )  # fmt: skip
        outcome = None
        if filters:
            # The URL holds what is shown of an option, so a count that changes may not be part of it.
            outcome = st.selectbox(
                t("Set aside by"), list(filters), index=None, key="outcome", bind="query-params", width=165,
                placeholder=t("Any filter"), help="\n".join(f"- {plain(name)}: {num:,}" for name, num in filters.items()),
            )  # fmt: skip
        text = st.text_input(
            t("Text"), key="text", bind="query-params", width="stretch", placeholder=t("in question or answer"),
            icon=":material/search:",
        )  # fmt: skip
    chosen = "" if state == "any" else state
    # A filter's pairs are set aside; asking for one in another state would show nothing and explain nothing.
    return PairFilter("" if outcome else chosen or "", document or "", outcome or "", (text or "").strip())


def _distinct(names: dict[str, str]) -> dict[str, str]:
    """Id to a name that no other document has; the URL tells them apart by it."""
    counts = Counter(names.values())
    return {key: name if counts[name] == 1 else f"{name} ({key})" for key, name in names.items()}
