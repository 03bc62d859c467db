"""Recording a teacher: who it is, what it is asked, what that takes, and how it goes."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from components.errors import show_error
from components.generate_cap import generate_cap
from components.generate_prompt import generate_prompt
from components.generate_writer import generate_writer
from components.teacher_answers import teacher_answers
from components.teacher_calls import teacher_calls
from components.teacher_grading import teacher_grading
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
    task = _task(project_id, record, key=f"{key}_task")
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
    words = _words(record, seen)
    calls = tn("in {num} call.", "in {num} calls.", seen.num_calls)
    writing_start(
        seen, job, words.title, f"{words.over} {calls}", words.label, lambda: teaching.start(project_id, params),
        key=f"{key}_start",
    )  # fmt: skip


def _task(project_id: str, record: str, *, key: str) -> dict[str, Any] | None:
    if record == "Chat":
        return teacher_answers(project_id, key=key)
    return teacher_calls(project_id, key=key) if record == "ToolCall" else teacher_grading(project_id, record, key=key)


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
        "ToolCall": t(
            "A strong model calls your functions, or fills your schema, for texts that you give. Each call is checked against "
            "the schema; a wrong one is set aside with the reason."
        ),
        "Judgement": t(
            "A strong model scores answers, with the prompt that a small judge is then tuned and asked with."
        ),
        "Comparison": t(
            "A strong model says which of two answers is better, asked in both orders; where the orders contradict each other, "
            "the pair is set aside. A small judge learns from those that you accept."
        ),
    }[record]


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    over: str
    label: str


def _words(record: str, seen: Estimate) -> _Words:
    num, over = seen.num_questions - seen.num_done, seen.num_chunks
    return {
        "Chat": _Words(
            t("Answers to record"), tn("For {num} question", "For {num} questions", over),
            tn("Record {num} answer", "Record {num} answers", num),
        ),
        "ToolCall": _Words(
            t("Texts to call for"), tn("For {num} text", "For {num} texts", over),
            tn("Record calls for {num} text", "Record calls for {num} texts", num),
        ),
        "Judgement": _Words(
            t("Answers to score"), tn("For {num} answer", "For {num} answers", over),
            tn("Have {num} answer scored", "Have {num} answers scored", num),
        ),
        "Comparison": _Words(
            t("Pairs to compare"), tn("For {num} pair of answers", "For {num} pairs of answers", over),
            tn("Have {num} pair compared", "Have {num} pairs compared", num),
        ),
    }[record]  # fmt: skip
