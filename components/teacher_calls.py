"""For which texts a teacher calls functions, and which functions there are."""

from typing import Any

import streamlit as st

from components.errors import show_error
from components.teacher_file import teacher_file
from components.text import t, tn
from components.tools_choice import tools_choice
from finetune_core.errors import FinetuneError
from finetune_core.workspace import teaching, tools


def teacher_calls(project_id: str, *, key: str) -> dict[str, Any] | None:
    """Draw the fields; returns the values of a `teaching.CallTask`, None while there is no text or no function."""
    st.subheader(t("What it is asked"), anchor=False)
    sources = {"paste": t("Pasted texts"), "file": t("A file")}
    source = st.segmented_control(
        t("Texts"), list(sources), default="paste", required=True, format_func=sources.__getitem__, key=f"{key}_source",
        label_visibility="collapsed",
    )  # fmt: skip
    if source == "file":
        name = teacher_file(project_id, "ToolCall", key=f"{key}_file")
    else:
        text = st.text_area(
            t("Texts or queries, one a line"), key=f"{key}_texts", height=140, persist_state="session",
            placeholder=t("A table for two on Friday at seven"),
        )  # fmt: skip
        name = teaching.keep_texts(project_id, text)
    tools_choice(project_id, f"{key}_tools", key=f"{key}_list")
    written = st.text_area(
        t("Functions"), key=f"{key}_tools", height=180,
        help=t(
            "OpenAI's tools, or the JSON Schema or pydantic class of what is to be filled in; or a list made on Review."
        ),
    )  # fmt: skip
    if not written.strip() or not name:
        st.caption(t("Give texts and functions; then you see what it takes."))
        return None
    try:
        found = tools.read(written)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return None
    names = ", ".join(str(one["function"]["name"]) for one in found)
    st.caption(tn("{num} function: {names}", "{num} functions: {names}", len(found), names=names))
    return {"inputs": name, "tools": found}
