"""Having queries written for the choices of a router: by whom, how many, what it takes, and how it goes."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components.empty import empty_state
from components.errors import kept_errors, show_error, show_kept_error
from components.generate_cap import generate_cap
from components.generate_estimate import generate_estimate
from components.generate_prompt import generate_prompt
from components.generate_writer import generate_writer
from components.queries_progress import queries_progress
from components.text import t, tn
from finetune_core.errors import FinetuneError
from finetune_core.workspace import generation, labelled, query_generation

_PROMPTS = query_generation.PROMPT_OF


def queries_generate(project_id: str, *, key: str) -> None:
    """Draw it all; the way to the choices while there are none."""
    choices = {one.id: one.name for one in labelled.choices(project_id)}
    if not choices:
        empty_state(
            t("No choices yet"),
            t("Queries are written for choices: the tools, indexes or departments that a query can go to."),
            "pages/review.py",
            t("Add choices"),
            icon=":material/alt_route:",
            query={"kind": "queries", "part": "choices"},
        )
        return
    st.markdown(t("Queries as people would send them, for each choice by its description and its documents."))
    queries_progress(project_id, key=f"{key}_progress")
    views = query_generation.generators()
    writer = generate_writer(views, query_generation.DEFAULT_GENERATOR, key=f"{key}_writer")
    generate_prompt(project_id, _PROMPTS[writer["generator"]], key=f"{key}_prompt")
    bounds = _bounds(choices, writer["generator"], key)
    _start(project_id, {**writer, **bounds}, key)


def _bounds(choices: Mapping[str, str], generator: str, key: str) -> dict[str, Any]:
    st.subheader(t("How much"), anchor=False)
    first, second, third, fourth = st.columns(4)
    values: dict[str, Any] = {
        "language": first.selectbox(
            t("Language"), generation.LANGUAGES, key=f"{key}_language", accept_new_options=generator == "endpoint"
        ),
        "queries_per_choice": second.number_input(t("Queries per choice"), 0, 200, 10, key=f"{key}_queries"),
        "num_wordings": third.number_input(
            t("Wordings of each"), 1, 5, 1, key=f"{key}_wordings",
            help=t("Other wordings of a query belong together: they never stand in training and test at once."),
        ),
        "num_out_of_scope": fourth.number_input(
            t("Queries out of scope"), 0, 500, 0, 5, key=f"{key}_outside",
            help=t("Queries that none of the choices is for. A router needs some to learn when to send a query nowhere."),
        ),
        "choices": st.multiselect(
            t("Only for these choices"), list(choices), key=f"{key}_choices", format_func=choices.__getitem__,
            placeholder=t("All choices"),
        ),
    }  # fmt: skip
    return values | generate_cap(key=key) if generator == "endpoint" else values


def _start(project_id: str, values: Mapping[str, Any], key: str) -> None:
    job = query_generation.latest_job(project_id)
    try:
        params = query_generation.params_from(values)
        seen = query_generation.estimate(project_id, params)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    num_left = (seen.num_questions - seen.num_done) * params.num_wordings
    with st.container(border=True, key=f"{key}_start"):
        over = tn("For {num} choice", "For {num} choices", seen.num_chunks)
        calls = tn("in {num} call.", "in {num} calls.", seen.num_calls)
        generate_estimate(seen, num_left, t("Queries to write"), f"{over} {calls}")
        st.button(
            tn("Write {num} query", "Write {num} queries", num_left), type="primary", icon=":material/play_arrow:",
            key=f"{key}_go", disabled=num_left == 0 or (job is not None and job.is_live),
            on_click=_launch, args=(project_id, params, key),
        )  # fmt: skip
        show_kept_error(key)


def _launch(project_id: str, params: query_generation.QueryGenerationParams, key: str) -> None:
    with kept_errors(key):
        query_generation.start(project_id, params)
