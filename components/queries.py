"""Queries with the choice each is for: one by one, the table, writing by hand, the choices, and files."""

import streamlit as st

from components.queries_add import queries_add
from components.queries_choices import queries_choices
from components.queries_files import queries_files
from components.queries_review import queries_review
from components.queries_table import queries_table
from components.text import t
from components.url_state import write_url
from finetune_core.workspace import labelled
from finetune_core.workspace.labelled import PairState


def queries(project_id: str, *, key: str) -> None:
    """Draw the views' switch and the chosen view."""
    views = {
        "cards": t("One by one"), "table": t("Table"), "add": t("Add by hand"), "choices": t("Choices"),
        "files": t("Import and export"),
    }  # fmt: skip
    asked = st.query_params.get("part", "").casefold()
    first = asked if asked in views else _first_view(project_id)
    view = st.segmented_control(
        t("View"), list(views), default=first, key=f"{key}_view", required=True,
        format_func=views.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    write_url("part", view)
    draw = {
        "cards": queries_review, "table": queries_table, "add": queries_add, "choices": queries_choices,
        "files": queries_files,
    }[view]  # fmt: skip
    draw(project_id, key=f"{key}_{view}")


def _first_view(project_id: str) -> str:
    """The choices while there are none; then one by one what waits, and else the table."""
    if not labelled.choices(project_id):
        return "choices"
    return "cards" if labelled.progress(project_id).counts[PairState.PENDING] else "table"
