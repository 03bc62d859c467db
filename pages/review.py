"""Review: examples of every kind one at a time by keyboard or in a table; add, import and export."""

import streamlit as st

from components.demonstrations import demonstrations
from components.errors import shown_errors
from components.project import current_project
from components.queries import queries
from components.review_add import review_add
from components.review_files import review_files
from components.review_filters import review_filters
from components.review_has_pairs import review_has_pairs
from components.review_kind import review_kind
from components.review_pairs import review_pairs
from components.review_table import review_table
from components.text import t
from components.url_state import url_state
from finetune_core.workspace import datasets

VIEWS = ["cards", "table", "add", "files"]


def page() -> None:
    """Draw the page."""
    st.title(t("Review"), anchor=False)
    project = current_project()
    kind = review_kind(project.id, key="kind")
    if kind != datasets.PAIRS:
        with shown_errors():
            if kind == datasets.QUERIES:
                queries(project.id, key="queries")
            else:
                demonstrations(project.id, kind, key="shown")
        return
    titles = {"cards": t("One by one"), "table": t("Table"), "add": t("Add by hand"), "files": t("Import and export")}
    url_state("view", titles)
    view = st.segmented_control(
        t("View"), VIEWS, default="cards", key="view", bind="query-params", required=True,
        format_func=lambda name: titles[name], label_visibility="collapsed",
    )  # fmt: skip
    with shown_errors():
        if view == "add":
            review_add(project.id, key="add")
        elif view == "files":
            review_files(project.id, key="files")
        elif review_has_pairs(project.id, key="counts"):
            chosen = review_filters(project.id, key="filters")
            if view == "table":
                review_table(project.id, chosen, key="table")
            else:
                review_pairs(project.id, chosen, key="card")


page()
