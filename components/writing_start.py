"""What writing demonstrations will take, and the button that starts it."""

from collections.abc import Callable

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.generate_estimate import generate_estimate
from finetune_core.workspace.generation import Estimate
from finetune_core.workspace.jobs import JobView


def writing_start(
    seen: Estimate, job: JobView | None, title: str, over: str, label: str, start: Callable[[], object], *, key: str
) -> None:
    """Draw the estimate and the button called `label`, which calls `start`; it rests while the newest job is live."""
    num_left = seen.num_questions - seen.num_done
    with st.container(border=True, key=key):
        generate_estimate(seen, num_left, title, over)
        st.button(
            label, type="primary", icon=":material/play_arrow:", key=f"{key}_go",
            disabled=num_left == 0 or (job is not None and job.is_live), on_click=_launch, args=(start, key),
        )  # fmt: skip
        show_kept_error(key)


def _launch(start: Callable[[], object], key: str) -> None:
    with kept_errors(key):
        start()
