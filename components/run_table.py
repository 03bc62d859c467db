"""Every run of the project in one table."""

import time
from collections.abc import Sequence

import streamlit as st

from components.text import duration_text, plain, t
from finetune_core import recipes
from finetune_core.workspace import runs


def run_table(known: Sequence[runs.RunView], *, key: str) -> None:
    """One row for each run, the newest first."""
    with st.container(key=key):
        st.table([_row(run) for run in known], border="horizontal")


def _row(run: runs.RunView) -> dict[str, str]:
    found = run.steering
    best = "–" if found.best is None else t("{title} {value}", title=t(found.title), value=f"{found.best:.4f}")
    end = run.job.finished_at or time.time()
    return {
        t("Run"): plain(run.name),
        t("Task"): plain(recipes.get(run.recipe).title),
        t("State"): str(run.state),
        t("Best on validation"): best,
        t("Change"): "–" if found.change is None else f"{found.change:+.4f}",
        t("Time"): "–" if run.job.started_at is None else duration_text(end - run.job.started_at),
    }
