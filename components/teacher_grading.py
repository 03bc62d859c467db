"""Which answers a teacher judges: those of the project's chats, or of a file; and the scale of its scores."""

from typing import Any

import streamlit as st

from components.teacher_file import teacher_file
from components.text import t


def teacher_grading(project_id: str, record: str, *, key: str) -> dict[str, Any] | None:
    """Draw the fields; returns the values of a `teaching.GradingTask`, None while a file is wanted and not there."""
    st.subheader(t("What it judges"), anchor=False)
    sources = {"chats": t("Answers of this project's chats"), "file": t("A file")}
    source = st.segmented_control(
        t("Answers"), list(sources), default="chats", required=True, format_func=sources.__getitem__, key=f"{key}_source",
        label_visibility="collapsed",
    )  # fmt: skip
    values: dict[str, Any] = {}
    if source == "file":
        values["inputs"] = teacher_file(project_id, record, key=f"{key}_file")
    else:
        values["include_pending"] = st.toggle(t("Also those that wait for review"), value=True, key=f"{key}_pending")
    first, second = st.columns(2)
    if record == "Judgement":
        values["lowest"] = first.number_input(t("Lowest score"), 0, 99, 1, key=f"{key}_lowest")
        values["highest"] = second.number_input(t("Highest score"), 1, 100, 5, key=f"{key}_highest")
    values["with_feedback"] = st.toggle(
        t("Ask for its reason too"), value=True, key=f"{key}_feedback",
        help=t("The reason comes before the verdict, and helps you to review it. A small judge can learn it or leave it out."),
    )  # fmt: skip
    return None if source == "file" and not values["inputs"] else values
