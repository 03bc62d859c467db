"""Choosing which runs to look at; the choice stands in the URL as `?run=…`, once for each."""

from collections.abc import Sequence

import streamlit as st

from components.text import t, time_text
from finetune_core.workspace import runs

MAX_SHOWN = 6


def run_picker(known: Sequence[runs.RunView], *, key: str) -> list[runs.RunView]:
    """The chosen runs, in the order of `known`; the newest one while none is chosen. `known` is not empty.

    `key` is also the name in the URL. Streamlit's own binding would write labels there, and labels change.
    """
    by_id = {run.id: run for run in known}
    widget = f"{key}_shown"
    in_url = [run_id for run_id in st.query_params.get_all(key) if run_id in by_id][:MAX_SHOWN]
    if st.session_state.get(f"{key}_url") != in_url or widget not in st.session_state:
        st.session_state[widget] = in_url  # the page was opened, or a link led here
    chosen = st.multiselect(
        t("Shown runs"),
        list(by_id),
        format_func=lambda run_id: _label(by_id[run_id]),
        max_selections=MAX_SHOWN,
        key=widget,
        placeholder=_label(known[0]),
        help=t("Choose several to lay their curves over one another."),
    )
    if chosen != in_url:
        st.query_params[key] = chosen
    st.session_state[f"{key}_url"] = chosen
    return [run for run in known if run.id in set(chosen)] or [known[0]]


def _label(run: runs.RunView) -> str:
    return f"{run.name} · {time_text(run.job.created_at)}"
