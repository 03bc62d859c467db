"""Which comparison the page is about: the one in the URL, or the newest."""

import streamlit as st

from components.compare_launch import compare_launch
from components.job_card import job_card
from components.text import t, time_text
from finetune_core.workspace import comparisons, jobs
from finetune_core.workspace.comparisons import ComparisonView


def compare_picker(project_id: str, *, key: str) -> ComparisonView | None:
    """The chosen comparison, with a list to choose another and a way to start a new one; None while there is none."""
    known = {view.id: view for view in comparisons.listing(project_id)}
    if not known:
        return None
    wanted = st.query_params.get("comparison", "")
    view = known.get(wanted) or next(iter(known.values()))
    st.session_state[f"{key}_choice"] = view.id
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            t("Comparison"),
            list(known),
            format_func=lambda id_: _label(known[id_]) if id_ in known else id_,
            key=f"{key}_choice",
            on_change=lambda: st.query_params.update(comparison=st.session_state[f"{key}_choice"]),
        )
        with st.popover(t("New comparison"), icon=":material/add:", key=f"{key}_new", on_change="rerun") as new:
            if new.open:
                compare_launch(project_id, key=f"{key}_launch")
    if not new.open:
        for job in jobs.listing(project_id, ["compare"], limit=5):
            if job.is_live:
                job_card(job.id, key=f"{key}_{job.id}")
    return view


def _label(view: ComparisonView) -> str:
    names = ", ".join(system["name"] for system in view.tuned)
    return f"{names} · {view.dataset_name} · {time_text(view.created_at)}"
