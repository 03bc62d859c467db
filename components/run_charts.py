"""The curves of one or several runs: the metric that decides, large, and what training looks like from inside."""

from collections.abc import Sequence

import streamlit as st

from components.live_chart import Curve, live_chart
from components.text import t
from finetune_core import recipes
from finetune_core.workspace import runs
from finetune_core.workspace.comparisons import metric_title


def run_charts(shown: Sequence[runs.RunView], *, key: str) -> None:
    """Draw the charts; runs of recipes with different headline metrics get a chart of that metric each."""
    colours = {run.id: index for index, run in enumerate(shown)}
    headlines = list(dict.fromkeys(_headline(run) for run in shown))
    for headline in headlines:
        with st.container(border=True):
            curves = [_curve(run, colours[run.id], decides=True) for run in shown if _headline(run) == headline]
            title = t("{metric} on the validation questions", metric=metric_title(headline))
            live_chart(curves, f"validation_{headline}", key=f"{key}_{headline}", title=title, height=340)
            st.caption(_pool(shown))
    curves = [_curve(run, colours[run.id]) for run in shown]
    loss, rate, norm = st.columns([2, 1, 1])
    with loss, st.container(border=True):
        live_chart(curves, "loss", key=f"{key}_loss", legend=False, title=t("Training loss"), smoothed=True, height=260)
    with rate, st.container(border=True):
        live_chart(curves, "learning_rate", key=f"{key}_rate", legend=False, title=t("Learning rate"), height=260)
    with norm, st.container(border=True):
        live_chart(
            curves, "grad_norm", key=f"{key}_norm", legend=False, title=t("Gradient norm"), smoothed=True, height=260
        )


def _pool(shown: Sequence[runs.RunView]) -> str:
    pool = next((run.pool for run in shown if run.pool), {})
    if not pool:
        return t("Measured on a fixed pool of validation questions; it steers the training. The verdict is on Compare.")
    counts = {name: f"{value:,}" for name, value in pool.items()}
    return t(
        "Measured on a fixed pool: {num_questions} of {num_all_questions} validation questions, searched among "
        "{num_passages} of {num_all_passages} passages. It steers the training; the verdict is on Compare.",
        **counts,
    )


def _headline(run: runs.RunView) -> str:
    return recipes.get(run.recipe).headline


def _curve(run: runs.RunView, colour: int, *, decides: bool = False) -> Curve:
    if not decides:
        return Curve(run.id, run.name, run.job.is_live, colour=colour)
    return Curve(run.id, run.name, run.job.is_live, run.base_value, run.best_step or None, colour)
