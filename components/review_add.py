"""Writing a pair by hand: a question, the passage that answers it, and the quote. What is typed stands in the URL, so that
a reload loses nothing of it."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import t
from finetune_core.workspace import pairs

PASSAGE = "passage"


def review_add(project_id: str, *, key: str) -> None:
    """Draw the search for a passage and, once one is chosen, the fields and the button."""
    st.caption(t("Find the passage, then write what a person would ask who needs it."))
    wanted = st.text_input(
        t("Find a passage"), key=f"{key}_find", placeholder=t("a few words that stand in it"), bind="query-params"
    )
    found = {one.id: one for one in pairs.find_passages(project_id, wanted)}
    if wanted.strip() and not found:
        st.caption(t("No passage holds these words."))
    if found:
        _fields(project_id, found, key)
    _outcome(key)


def _fields(project_id: str, found: dict[str, pairs.PassageView], key: str) -> None:
    ids = list(found)
    before = st.query_params.get(PASSAGE, "")

    # On a choice alone, not in every run: see write_url.
    def remember() -> None:
        st.query_params[PASSAGE] = st.session_state[f"{key}_passage"]

    chosen = st.selectbox(
        t("Passage"), ids, index=ids.index(before) if before in found else 0, key=f"{key}_passage",
        format_func=lambda one: f"{found[one].document}: {found[one].text[:90]}", on_change=remember,
    )  # fmt: skip
    st.code(found[chosen].text, language=None, wrap_lines=True, height=220)
    st.text_input(t("Question"), key=f"{key}_question", max_chars=pairs.MAX_TEXT, bind="query-params", live="300ms")
    st.text_area(
        t("Quote from the passage that answers it (optional)"), key=f"{key}_evidence", bind="query-params",
        help=t("Copy it letter by letter; it is highlighted in review."),
    )  # fmt: skip
    st.text_area(t("Short answer (optional)"), key=f"{key}_answer", bind="query-params")
    st.button(
        t("Add the pair"), type="primary", icon=":material/add:", key=f"{key}_add", on_click=_add,
        args=(project_id, chosen, key),
    )  # fmt: skip


def _outcome(key: str) -> None:
    show_kept_error(key)
    if st.session_state.pop(f"{key}_done", False):
        st.success(t("Added, as accepted."), icon=":material/check:")


def _add(project_id: str, chunk_id: str, key: str) -> None:
    state = st.session_state
    with kept_errors(key):
        pairs.add(
            project_id, state[f"{key}_question"], chunk_id,
            answer=state[f"{key}_answer"], evidence=state[f"{key}_evidence"],
        )  # fmt: skip
        state[f"{key}_done"] = True
        for name in ("question", "evidence", "answer"):
            state[f"{key}_{name}"] = ""
