"""How the writing over a database goes, what it came to so far, and the way on to the review."""

import streamlit as st

from components.job_card import job_card
from components.project import project_query
from components.text import t, tn
from finetune_core.workspace import sql_generation


def sql_generate_progress(project_id: str, *, key: str) -> None:
    """Draw the newest writing and the counts; nothing at the start."""
    job = sql_generation.latest_job(project_id)
    if job is None:
        return
    job_card(job.id, key=f"{key}_job")
    if job.result.get("is_capped"):
        st.warning(t("It stopped at the cap. Raise the cap and start again to go on where it ended."))
    counts = sql_generation.counts(project_id)
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        said = tn("**{num}** question written", "**{num}** questions written", counts.num_written)
        st.markdown(said, width="content")
        if counts.num_unusable:
            st.badge(t("{num} did not run or gave nothing", num=f"{counts.num_unusable:,}"), color="gray")
        if counts.num_failed:
            st.badge(t("{num} failed, asked again next time", num=f"{counts.num_failed:,}"), color="red")
        st.page_link(
            "../pages/review.py",
            label=t("Review them"),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={**project_query(), "kind": "SqlQuestion"},
        )
