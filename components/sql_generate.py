"""Having questions with SQL written over a person's own database: which one, which tables, by whom, and how it goes."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components.errors import show_error
from components.generate_cap import generate_cap
from components.generate_prompt import generate_prompt
from components.generate_writer import generate_writer
from components.text import t, tn
from components.writing_progress import writing_progress
from components.writing_start import writing_start
from finetune_core.errors import FinetuneError
from finetune_core.workspace import generation, sql_generation


def sql_generate(project_id: str, *, key: str) -> None:
    """Draw it all; only the field for the database until one is named that can be read."""
    st.markdown(
        t(
            "Questions over your database, each with the SQL that answers it. Every query is run, read-only, before it is kept."
        )
    )
    job = sql_generation.latest_job(project_id)
    writing_progress(job, sql_generation.outcome(project_id), "SqlQuestion", key=f"{key}_progress")
    reference = st.text_input(
        t("Database"),
        key=f"{key}_database",
        placeholder=t("The path of a SQLite file, or env:NAME for a variable that holds a URL"),
        help=t(
            "Anything that SQLAlchemy connects to. A URL with a password belongs into the file .env: only its name is kept."
        ),
        persist_state="session",
    ).strip()
    if not reference:
        return
    try:
        known = _tables(reference)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    with st.expander(tn("{num} table", "{num} tables", len(known)), icon=":material/table:"):
        st.code("\n".join(table.statement for table in known), language="sql", wrap_lines=True)
    writer = generate_writer(sql_generation.generators(), sql_generation.DEFAULT_GENERATOR, key=f"{key}_writer")
    generate_prompt(project_id, sql_generation.PROMPT_OF[writer["generator"]], key=f"{key}_prompt")
    bounds = _bounds([table.name for table in known], writer, key)
    _start(project_id, {**writer, **bounds, "database": reference}, key=f"{key}_start")


@st.cache_data(ttl=30, max_entries=20, show_spinner=True)
def _tables(reference: str) -> list[sql_generation.TableView]:
    return sql_generation.tables(reference)


def _bounds(tables: list[str], writer: Mapping[str, Any], key: str) -> dict[str, Any]:
    st.subheader(t("How much"), anchor=False)
    first, second, third = st.columns(3)
    values: dict[str, Any] = {
        "language": first.selectbox(t("Language"), generation.LANGUAGES, key=f"{key}_language", accept_new_options=True),
        "questions_per_table": second.number_input(t("Questions per table"), 1, 200, 5, key=f"{key}_questions"),
        "num_samples": third.number_input(
            t("Sample rows the model is shown"), 0, 10, 3, key=f"{key}_samples",
            help=t("They leave this machine where a service writes. 0 shows it the names of tables and columns alone."),
        ),
        "tables": st.multiselect(
            t("Only about these tables"), tables, key=f"{key}_tables", placeholder=t("All tables")
        ),
    }  # fmt: skip
    return values | generate_cap(key=key) if writer["generator"] == "endpoint" else values


def _start(project_id: str, values: Mapping[str, Any], *, key: str) -> None:
    try:
        params = sql_generation.params_from(values)
        seen = sql_generation.estimate(project_id, params)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    over = tn("Over {num} table", "Over {num} tables", seen.num_chunks)
    calls = tn("in {num} call.", "in {num} calls.", seen.num_calls)
    label = tn("Write {num} question", "Write {num} questions", seen.num_questions - seen.num_done)
    writing_start(
        seen, sql_generation.latest_job(project_id), t("Questions to write"), f"{over} {calls}", label,
        lambda: sql_generation.start(project_id, params), key=key,
    )  # fmt: skip
