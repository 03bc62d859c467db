"""How the writing of demonstrations goes, what it came to so far, why some came to nothing, and the way on to the review."""

import streamlit as st

from components.job_card import job_card
from components.project import project_query
from components.text import t, tn
from finetune_core.workspace.generation import Outcome
from finetune_core.workspace.jobs import JobView


def writing_progress(job: JobView | None, seen: Outcome, record: str, *, key: str) -> None:
    """Draw the newest writing and what was written so far; nothing at the start."""
    if job is None:
        return
    job_card(job.id, key=f"{key}_job")
    if job.result.get("is_capped"):
        st.warning(t("It stopped at the cap. Raise the cap and start again to go on where it ended."))
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        st.markdown(tn("**{num}** written", "**{num}** written", seen.num_written), width="content")
        if seen.num_unusable:
            st.badge(t("{num} could not be used", num=f"{seen.num_unusable:,}"), color="gray")
        if seen.num_failed:
            st.badge(t("{num} failed, asked again next time", num=f"{seen.num_failed:,}"), color="red")
        st.page_link(
            "../pages/review.py",
            label=t("Review them"),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={**project_query(), "kind": record},
        )
    if seen.reasons:
        with st.expander(t("Why some came to nothing"), icon=":material/help:", key=f"{key}_reasons"):
            st.dataframe(
                [{t("Reason"): why, t("Times"): times} for why, times in seen.reasons],
                hide_index=True, height="content", alt=t("Reasons, the most frequent first"),
                column_config={t("Times"): st.column_config.NumberColumn(width="small")},
            )  # fmt: skip
