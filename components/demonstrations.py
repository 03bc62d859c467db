"""Demonstrations of one kind: one by one, the table, writing by hand, and files."""

import streamlit as st

from components.demonstrations_add import demonstrations_add
from components.demonstrations_files import demonstrations_files
from components.demonstrations_review import demonstrations_review
from components.demonstrations_table import demonstrations_table
from components.text import t
from components.url_state import write_url
from finetune_core.workspace import demonstrations as store
from finetune_core.workspace.demonstrations import PairState


def demonstrations(project_id: str, kind: str, *, key: str) -> None:
    """Draw the views' switch and the chosen view. `kind` is the name of the record's class."""
    views = {
        "cards": t("One by one"), "table": t("Table"), "add": t("Add by hand"), "files": t("Import and export"),
    }  # fmt: skip
    asked = st.query_params.get("part", "").casefold()
    view = st.segmented_control(
        t("View"), list(views), default=asked if asked in views else _first_view(project_id, kind), key=f"{key}_view",
        required=True, format_func=views.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    write_url("part", view)
    draw = {
        "cards": demonstrations_review, "table": demonstrations_table, "add": demonstrations_add, "files": demonstrations_files,
    }[view]  # fmt: skip
    draw(project_id, kind, key=f"{key}_{view}")


def _first_view(project_id: str, kind: str) -> str:
    """Files while there is nothing; then one by one what waits, and else the table."""
    counts = store.counts(project_id).get(kind)
    if counts is None:
        return "files"
    return "cards" if counts[PairState.PENDING] else "table"
