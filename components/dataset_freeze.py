"""A form that freezes the accepted examples of a kind as a dataset version."""

import streamlit as st

from components.errors import kept_errors, show_kept_error, shown_errors
from components.job_card import job_card
from components.kind_words import KindWords, kind_words
from components.project import project_query
from components.text import plain, t
from finetune_core.workspace import datasets, jobs
from finetune_core.workspace.demonstrations import KINDS


def dataset_freeze(project_id: str, record: str, *, key: str) -> str | None:
    """Draw the form, and the freeze that is under way; return the id of a version this session has just frozen, or None."""
    counts, suggested = datasets.counts(project_id, record), datasets.suggested_name(project_id)
    words = kind_words(record, counts.num_accepted)
    if words.missing and not counts.num_accepted + counts.num_pending:
        _bring(words)
        return None
    name_key = f"{key}_name_{suggested}"  # once v1 is frozen, the box is a new one that says v2
    with st.form(f"{key}_form", border=True):
        st.text_input(t("Name of the version"), value=suggested, key=name_key, max_chars=120)
        st.caption(words.taken)
        st.toggle(
            t("Also take the {num} pending ones that passed the filters", num=f"{counts.num_pending:,}"),
            value=False, key=f"{key}_pending", disabled=not counts.num_pending,
            help=t("Nobody has read those. The version and every verdict on it say how many there were; the test set "
                   "prefers reviewed pairs."),
        )  # fmt: skip
        st.number_input(
            t("Seed of the split"), min_value=0, value=0, step=1, key=f"{key}_seed",
            help=t("Documents (or other groups) are dealt to training, validation and test; the same seed deals them "
                   "the same way."),
        )  # fmt: skip
        if record in KINDS:
            st.toggle(
                t("Measure the untuned model now"), value=False, key=f"{key}_measure",
                help=t("It answers every question for testing and for validation, about one a second on a processor. Then the "
                       "page says before a run how small a gain this test can show."),
            )  # fmt: skip
        st.form_submit_button(
            t("Freeze"),
            icon=":material/ac_unit:",
            type="primary",
            on_click=_freeze,
            args=(project_id, record, key, name_key),
        )
    show_kept_error(key)
    return _under_way(key)


def _under_way(key: str) -> str | None:
    job_id = st.session_state.get(f"{key}_job")
    if not job_id:
        return None
    with shown_errors():
        job = job_card(job_id, key=f"{key}_progress", show_log=False)
        if job.state is jobs.JobState.DONE:
            if not job.result["is_new"]:
                st.info(t("These examples are frozen already, as {name}.", name=plain(job.result["name"])))
            return str(job.result["id"])
    return None


def _bring(words: KindWords) -> None:
    """What a model of this kind learns from, and the way to where it comes in."""
    st.markdown(words.missing)
    st.page_link(
        "../pages/review.py", label=words.bring, icon=":material/edit_note:",
        query_params={**project_query(), "kind": words.review, "part": words.part},
    )  # fmt: skip


def _freeze(project_id: str, record: str, key: str, name_key: str) -> None:
    state = st.session_state
    with kept_errors(key):
        state[f"{key}_job"] = datasets.freeze(
            project_id,
            state[name_key],
            record=record,
            include_pending=state[f"{key}_pending"],
            seed=int(state[f"{key}_seed"]),
            measure_base=state.get(f"{key}_measure", True),
        )
