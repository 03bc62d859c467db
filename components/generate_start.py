"""What the generation will take, and the button that starts it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components.errors import kept_errors, show_error, show_kept_error
from components.generate_estimate import generate_estimate
from components.text import t, tn
from finetune_core.errors import FinetuneError
from finetune_core.workspace import generation


def generate_start(project_id: str, values: Mapping[str, Any], *, key: str) -> None:
    """Draw the estimate and the button; says what is wrong instead where the choice cannot work."""
    job = generation.latest_job(project_id)
    try:
        params = generation.params_from(values)
        counts = generation.counts(project_id)
        seen = _estimate(project_id, params.model_dump_json(), generation.num_chunks(project_id), counts.num_written)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    num_left = seen.num_questions - seen.num_done
    with st.container(border=True, key=key):
        over = t("Over {num} chunks in {calls} calls.", num=f"{seen.num_chunks:,}", calls=f"{seen.num_calls:,}")
        generate_estimate(seen, num_left, t("Questions to write"), over)
        st.button(
            tn("Write {num} question", "Write {num} questions", num_left),
            type="primary",
            icon=":material/play_arrow:",
            key=f"{key}_go",
            disabled=num_left == 0 or (job is not None and job.is_live),
            on_click=_start,
            args=(project_id, params, key),
        )
        show_kept_error(key)


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _estimate(project_id: str, params: str, num_chunks: int, num_written: int) -> generation.Estimate:
    """The estimate, which reads every chunk; the last two arguments change when it would."""
    return generation.estimate(project_id, generation.GenerationParams.model_validate_json(params))


def _start(project_id: str, params: generation.GenerationParams, key: str) -> None:
    with kept_errors(key):
        generation.start(project_id, params)
