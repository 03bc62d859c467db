"""The corpus job that works now, or what came of the newest one."""

import streamlit as st

from components.job_card import job_card
from components.project import project_query
from components.text import t, tn
from finetune_core.workspace import corpus
from finetune_core.workspace.jobs import JobState, JobView

_SEEN = "corpus_job_seen"


def corpus_job(project_id: str, *, key: str) -> None:
    """Draw the card while the newest job is live or did not end well; of one that this session saw end, its outcome."""
    job = corpus.latest_job(project_id)
    if job is None:
        return
    if job.is_live:
        st.session_state[_SEEN] = job.id
        job_card(job.id, key=f"{key}_{job.id}")
    elif job.state is not JobState.DONE:
        job_card(job.id, key=f"{key}_{job.id}")
    elif st.session_state.get(_SEEN) == job.id:
        _outcome(job)


def _outcome(job: JobView) -> None:
    result = job.result
    if job.kind == "ingest":
        parts = [
            tn("{num} file read", "{num} files read", result["num_parsed"]),
            tn("{num} read in part", "{num} read in part", result["num_partial"]) if result["num_partial"] else "",
            tn("{num} already there", "{num} already there", result["num_duplicate"])
            if result["num_duplicate"]
            else "",
            tn("{num} refused", "{num} refused", result["num_refused"]) if result["num_refused"] else "",
        ]
        text = ", ".join(part for part in parts if part) + "."
        if result["num_partial"] or result["num_refused"]:
            st.warning(f"{text} {t('Files says which, and why.')}", icon=":material/rule:")
        else:
            st.success(text, icon=":material/check:")
        if result["num_parsed"] + result["num_partial"]:
            st.page_link(
                "../pages/generate.py", label=t("Write questions about them"), icon=":material/arrow_forward:",
                icon_position="right", query_params=project_query(),
            )  # fmt: skip
        return
    lost = result["num_pairs_without_passage"]
    text = t(
        "All documents are cut anew: {added} chunks are new, {removed} are gone, {moved} questions went along by their quote.",
        added=f"{result['num_added']:,}",
        removed=f"{result['num_removed']:,}",
        moved=f"{result['num_pairs_reanchored']:,}",
    )
    st.success(text, icon=":material/check:")
    if lost:
        st.warning(
            tn(
                "{num} question has no passage with these chunks: its quote is cut in two.",
                "{num} questions have no passage with these chunks: their quotes are cut in two.",
                lost,
            )
            + " "
            + t("They come back with the old chunk size."),
            icon=":material/link_off:",
        )
