"""Leaving documents or chunks out of search and questions, and taking them back in."""

from collections.abc import Callable, Sequence

import streamlit as st

from components.text import tn

Exclude = Callable[[str, Sequence[str], bool], int]
"""`corpus.exclude_documents` or `corpus.exclude_chunks`."""


def corpus_exclude(project_id: str, used: list[str], unused: list[str], exclude: Exclude, *, key: str) -> None:
    """A button for the ids in use and one for those left out; a press adds one to the session's `{key}_version`."""
    if used:
        label = tn("Leave {num} out", "Leave {num} out", len(used))
        st.button(label, icon=":material/visibility_off:", key=f"{key}_out", on_click=_set,
                  args=(project_id, used, True, exclude, key))  # fmt: skip
    if unused:
        label = tn("Take {num} back", "Take {num} back", len(unused))
        st.button(label, icon=":material/visibility:", key=f"{key}_in", on_click=_set,
                  args=(project_id, unused, False, exclude, key))  # fmt: skip


def _set(project_id: str, ids: list[str], excluded: bool, exclude: Exclude, key: str) -> None:
    exclude(project_id, ids, excluded)
    st.session_state[f"{key}_version"] += 1  # a new table: its ticks are gone
