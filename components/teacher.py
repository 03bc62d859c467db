"""Recording a teacher: who it is, what it is asked, what that takes, and how it goes."""

from typing import Any

import streamlit as st

from components.errors import show_error
from components.generate_cap import generate_cap
from components.generate_prompt import generate_prompt
from components.generate_writer import generate_writer
from components.teacher_answers import teacher_answers
from components.text import t, tn
from components.writing_progress import writing_progress
from components.writing_start import writing_start
from finetune_core.errors import FinetuneError
from finetune_core.workspace import teaching
from finetune_core.workspace.generation import Estimate


def teacher(project_id: str, record: str, *, key: str) -> None:
    """Draw it all; without what there is to ask about, the way there alone."""
    st.markdown(_said(record))
    job = teaching.latest_job(project_id, record)
    writing_progress(job, teaching.outcome(project_id, record), record, key=f"{key}_progress")
    task = teacher_answers(project_id, key=f"{key}_task")
    if task is None:
        return
    writer = generate_writer(teaching.generators(), teaching.DEFAULT_GENERATOR, key=f"{key}_writer")
    generate_prompt(project_id, teaching.prompt_of(record), key=f"{key}_prompt")
    cap: dict[str, Any] = generate_cap(key=f"{key}_cap") if writer["generator"] == "endpoint" else {}
    try:
        params = teaching.params_from({**writer, **cap, "task": {"record": record, **task}})
        seen = _estimate(project_id, params.model_dump_json(), job.id if job else "", job.state if job else "")
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    over = tn("About {num} question", "About {num} questions", seen.num_chunks)
    calls = tn("in {num} call.", "in {num} calls.", seen.num_calls)
    label = tn("Record {num} answer", "Record {num} answers", seen.num_questions - seen.num_done)
    writing_start(
        seen, job, t("Answers to record"), f"{over} {calls}", label, lambda: teaching.start(project_id, params),
        key=f"{key}_start",
    )  # fmt: skip


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _estimate(project_id: str, params: str, job_id: str, state: str) -> Estimate:
    """The estimate, which reads every question and chunk; the last two arguments change when it would."""
    return teaching.estimate(project_id, teaching.TeachingParams.model_validate_json(params))


def _said(record: str) -> str:
    return {
        "Chat": t(
            "A strong model answers the questions of this project over its documents, as a LlamaIndex application would ask "
            "it. A small model then learns from the answers that you accept."
        ),
    }[record]
