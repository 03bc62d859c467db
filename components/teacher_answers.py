"""Which questions a teacher answers, and the passages it is given for each."""

from typing import Any

import streamlit as st

from components.empty import empty_state
from components.text import t, tn
from components.train_base_model import train_base_model
from finetune_core.workspace import teaching


def teacher_answers(project_id: str, *, key: str) -> dict[str, Any] | None:
    """Draw the fields; returns the values of a `teaching.AnswerTask`, None while there is no question."""
    num_accepted, num_pending = teaching.num_questions(project_id)
    if not num_accepted + num_pending:
        empty_state(
            t("No questions yet"),
            t("A teacher answers the questions that you keep. Write or import some first."),
            "pages/generate.py",
            t("Write questions"),
            icon=":material/school:",
            query={"kind": "pairs"},
        )
        return None
    st.subheader(t("What it is asked"), anchor=False)
    with_pending = st.toggle(
        tn("Also the {num} question that waits for review", "Also the {num} questions that wait for review", num_pending),
        value=not num_accepted,
        key=f"{key}_pending", disabled=not num_pending,
    )  # fmt: skip
    st.caption(tn("{num} question is accepted.", "{num} questions are accepted.", num_accepted))
    first, second, third, fourth = st.columns(4)
    values: dict[str, Any] = {
        "include_pending": with_pending and num_pending > 0,
        "num_questions": first.number_input(
            t("Questions (0: all)"), 0, None, 0, 50, key=f"{key}_questions",
            help=t("A sample is spread evenly over documents; a larger one keeps what a smaller one recorded."),
        ),
        "num_answers": second.number_input(
            t("Answers to each"), 1, 8, 1, key=f"{key}_answers",
            help=t("Several answers to one question can be compared with each other, for a judge to learn from."),
        ),
        "top_k": third.number_input(t("Passages in the prompt"), 1, 50, 4, key=f"{key}_top_k"),
        "answer_tokens": fourth.number_input(t("Longest answer (tokens)"), 16, 8192, 512, 64, key=f"{key}_tokens"),
    }  # fmt: skip
    field = teaching.AnswerTask.model_fields["embedder"]
    return values | {"embedder": train_base_model(project_id, field, str(field.default), key=f"{key}_embedder")}
