"""Do better passages make better answers? One language model answers from what two systems of the comparison find."""

import streamlit as st

from components.job_card import job_card
from components.panel_answers import panel_answers
from components.panel_form import panel_form
from components.panel_result import panel_result
from components.text import t, time_text
from finetune_core.workspace import panels
from finetune_core.workspace.comparisons import ComparisonView
from finetune_core.workspace.jobs import JobState
from finetune_core.workspace.panels import PanelView


def compare_panel(view: ComparisonView, system: str, *, key: str) -> None:
    """The finished panels of a comparison, one of them in full, and the form for another; nothing where nothing is searched."""
    if len(panels.systems(view)) < 2:
        return
    st.subheader(t("Do better passages make better answers?"), anchor=False)
    st.caption(
        t(
            "One language model answers the test questions from what each of two systems finds: same prompt, same decoding. "
            "The verdict stays with the retrieval metrics above; answers add another model's noise and often a judge's."
        )
    )
    job = panels.latest_job(view)
    if job is not None and job.state is not JobState.DONE:
        job_card(job.id, key=f"{key}_{job.id}")
    done = {panel.id: panel for panel in panels.listing(view)}
    with st.expander(
        t("New panel of answers"), icon=":material/forum:", key=f"{key}_new_{view.id}", on_change="rerun"
    ) as new:
        if new.open:
            panel_form(view, system, is_busy=job is not None and job.is_live, key=f"{key}_form")
    if not done:
        return
    chosen = done[
        st.selectbox(
            t("Panel"), list(done), format_func=lambda id_: _label(done[id_]) if id_ in done else id_,
            key=f"{key}_choice_{view.id}",
        )
    ]  # fmt: skip
    panel_result(chosen, key=f"{key}_result")
    panel_answers(chosen, key=f"{key}_answers")


def _label(panel: PanelView) -> str:
    names = f"{panel.before['name']} · {panel.after['name']}"
    return f"{names} · {time_text(panel.summary['created_at'])}"
