"""Generate: choose who writes the questions, see what it takes, watch them come, and set the bad ones aside."""

import streamlit as st

from components.empty import empty_state
from components.errors import shown_errors
from components.generate_bounds import generate_bounds
from components.generate_filters import generate_filters
from components.generate_progress import generate_progress
from components.generate_prompt import generate_prompt
from components.generate_start import generate_start
from components.generate_writer import generate_writer
from components.project import current_project
from components.queries_generate import queries_generate
from components.review_kind import ALWAYS, review_kind
from components.sql_generate import sql_generate
from components.teacher import teacher
from components.text import t
from finetune_core.workspace import datasets, generation, teaching


@shown_errors()
def page() -> None:
    """Draw the page."""
    st.title(t("Questions"), anchor=False)
    project = current_project()
    kind = review_kind(project.id, (*ALWAYS, *teaching.RECORDS, "SqlQuestion"), key="kind")
    if kind in teaching.RECORDS:
        teacher(project.id, kind, key=f"teacher_{kind}")
        return
    if kind != datasets.PAIRS:
        is_sql = kind == "SqlQuestion"
        (sql_generate if is_sql else queries_generate)(project.id, key="sql" if is_sql else "queries")
        return
    if not generation.num_chunks(project.id):
        empty_state(
            t("Nothing to ask about yet"),
            t("Questions are written over the chunks of your documents. Add some first."),
            "pages/corpus.py",
            t("Add documents"),
            icon=":material/quiz:",
        )
        return
    st.markdown(t("Questions over your documents, each with the passage that answers it. You review them next."))
    generate_progress(project.id, key="progress")
    writer = generate_writer(generation.generators(), generation.DEFAULT_GENERATOR, key="writer")
    generate_prompt(project.id, generation.PROMPT_OF.get(writer["generator"], ""), key="prompt")
    bounds = generate_bounds(writer["generator"], key="bounds")
    generate_start(project.id, {**writer, **bounds}, key="start")
    generate_filters(project.id, key="filters")


page()
