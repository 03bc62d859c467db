"""What writing over a database will take, and the button that starts it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components.errors import kept_errors, show_error, show_kept_error
from components.generate_estimate import generate_estimate
from components.text import t, tn
from finetune_core.errors import FinetuneError
from finetune_core.workspace import sql_generation


def sql_generate_start(project_id: str, values: Mapping[str, Any], *, key: str) -> None:
    """Draw the estimate and the button; says what is wrong instead where the choice cannot work."""
    job = sql_generation.latest_job(project_id)
    try:
        params = sql_generation.params_from(values)
        seen = sql_generation.estimate(project_id, params)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    num_left = seen.num_questions - seen.num_done
    with st.container(border=True, key=key):
        over = tn("Over {num} table", "Over {num} tables", seen.num_chunks)
        calls = tn("in {num} call.", "in {num} calls.", seen.num_calls)
        generate_estimate(seen, num_left, t("Questions to write"), f"{over} {calls}")
        st.button(
            tn("Write {num} question", "Write {num} questions", num_left), type="primary", icon=":material/play_arrow:",
            key=f"{key}_go", disabled=num_left == 0 or (job is not None and job.is_live),
            on_click=_launch, args=(project_id, params, key),
        )  # fmt: skip
        show_kept_error(key)


def _launch(project_id: str, params: sql_generation.SqlWritingParams, key: str) -> None:
    with kept_errors(key):
        sql_generation.start(project_id, params)
