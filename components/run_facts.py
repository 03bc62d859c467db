"""What one run came to so far: before, best, gain, and where to go with it."""

import streamlit as st

from components.text import t
from finetune_core.workspace import jobs, runs


def run_facts(run: runs.RunView, *, key: str) -> None:
    """Metrics of the run, its settings, and links to what comes next."""
    found = run.steering
    is_level = found.change is not None and not round(found.change, 4)  # no arrow for what is written as +0.0000
    about = t(
        "How surprised the model is by the right answers of the validation examples: lower is better. It chooses the step that "
        "is kept; what the answers are worth is shown on Compare."
    )
    with st.grid(3, key=key):
        st.metric(
            t("{metric} before", metric=t(found.title).capitalize() if found.is_loss else found.title),
            _number(found.base), border=True, height="stretch", help=about if found.is_loss else None,
        )  # fmt: skip
        st.metric(
            t("Best so far") if run.job.is_live else t("Kept"),
            _number(found.best),
            None if found.change is None else f"{found.change:+.4f}",
            delta_color="off" if is_level else "inverse" if found.is_loss else "normal",
            delta_arrow="off" if is_level else "auto",
            border=True,
            height="stretch",
        )
        step = f"{run.best_step:,}" if run.best_step else "–"
        of = t("of {num}", num=f"{run.total_steps:,}") if run.total_steps else None
        st.metric(t("At step"), step, of, delta_color="off", delta_arrow="off", border=True, height="stretch")
    with st.container(horizontal=True, vertical_alignment="center"):
        kept = {"project": run.job.project_id}
        if run.model_id:
            st.page_link(
                "../pages/compare.py", label=t("Compare with the base"), icon=":material/balance:", query_params=kept
            )
            st.page_link(
                "../pages/models.py", label=t("Open the model"), icon=":material/deployed_code:", query_params=kept
            )
        elif run.job.state is jobs.JobState.DONE:
            st.caption(t("The model of this run was deleted; its curves stay."))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
