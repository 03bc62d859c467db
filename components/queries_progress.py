"""How the writing of queries goes, what it came to so far, and the way on to their review."""

import streamlit as st

from components.job_card import job_card
from components.project import project_query
from components.text import t, tn
from finetune_core.workspace import query_generation
from finetune_core.workspace.labelled import PairState


def queries_progress(project_id: str, *, key: str) -> None:
    """Draw the newest generation and the counts; nothing at the start."""
    if job := query_generation.latest_job(project_id):
        job_card(job.id, key=f"{key}_job")
        if job.result.get("is_capped"):
            st.warning(t("It stopped at the cap. Raise the cap and start again to go on where it ended."))
    counts = query_generation.counts(project_id)
    if not counts.num_written + counts.num_failed:
        return
    pending, aside = counts.num_queries[PairState.PENDING], counts.num_queries[PairState.ASIDE]
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        st.markdown(tn("**{num}** query written", "**{num}** queries written", counts.num_written), width="content")
        st.badge(t("{num} wait for review", num=f"{pending:,}"), color="blue")
        if aside:
            st.badge(t("{num} set aside", num=f"{aside:,}"), color="orange")
        if counts.num_unusable:
            st.badge(t("{num} unusable", num=f"{counts.num_unusable:,}"), color="gray")
        if counts.num_failed:
            st.badge(t("{num} failed, asked again next time", num=f"{counts.num_failed:,}"), color="red")
        st.page_link(
            "../pages/review.py", label=t("Review them"), icon=":material/arrow_forward:", icon_position="right",
            query_params={**project_query(), "kind": "queries", "part": "cards"},
        )  # fmt: skip
