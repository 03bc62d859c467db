"""Queries with the choice each is for: the table, writing by hand, the choices, and files."""

import streamlit as st

from components.queries_add import queries_add
from components.queries_choices import queries_choices
from components.queries_files import queries_files
from components.queries_table import queries_table
from components.text import t


def queries(project_id: str, *, key: str) -> None:
    """Draw the views' switch and the chosen view."""
    views = {
        "table": t("Table"), "add": t("Add by hand"), "choices": t("Choices"), "files": t("Import and export"),
    }  # fmt: skip
    asked = st.query_params.get("part", "table")
    view = st.segmented_control(
        t("View"), list(views), default=asked if asked in views else "table", key=f"{key}_view", required=True,
        format_func=views.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    st.query_params["part"] = view
    draw = {"table": queries_table, "add": queries_add, "choices": queries_choices, "files": queries_files}[view]
    draw(project_id, key=f"{key}_{view}")
