"""How the writing goes, what it came to so far, and the way on to the review."""

import streamlit as st

from components.job_card import job_card
from components.project import project_query
from components.text import t, tn
from finetune_core.workspace import generation


def generate_progress(project_id: str, *, key: str) -> None:
    """Draw the newest generation and the newest filtering while they matter, and the counts; nothing at the start."""
    for kind in ("generate", "filter"):
        job = generation.latest_job(project_id, kind)
        if job is not None and (kind == "generate" or job.is_live or job.error):
            job_card(job.id, key=f"{key}_{kind}")
            if kind == "generate" and job.result.get("is_capped"):
                st.warning(t("It stopped at the cap. Raise the cap and start again to go on where it ended."))
    counts = generation.counts(project_id)
    if not counts.num_written:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        st.markdown(
            tn("**{num}** question written", "**{num}** questions written", counts.num_written), width="content"
        )
        st.badge(t("{num} wait for review", num=f"{counts.num_pairs['pending']:,}"), color="blue")
        if counts.num_pairs["aside"]:
            st.badge(t("{num} set aside", num=f"{counts.num_pairs['aside']:,}"), color="orange")
        if counts.num_unusable:
            st.badge(t("{num} unusable", num=f"{counts.num_unusable:,}"), color="gray")
        if counts.num_failed:
            st.badge(t("{num} failed, asked again next time", num=f"{counts.num_failed:,}"), color="red")
        st.page_link(
            "../pages/review.py",
            label=t("Review them"),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=project_query(),
        )
