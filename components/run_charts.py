"""The curves of one or several runs: the metric that decides, large, and what training looks like from inside."""

from collections.abc import Sequence

import streamlit as st

from components.live_chart import Curve, live_chart
from components.text import t
from finetune_core.workspace import jobs, runs

_USUAL = ("loss", "learning_rate", "grad_norm")


def run_charts(shown: Sequence[runs.RunView], *, key: str) -> None:
    """Draw the charts; runs of recipes with different headline metrics get a chart of that metric each."""
    colours = {run.id: index for index, run in enumerate(shown)}
    deciding = {run.steering.name: run.steering for run in shown}
    for name, steering in deciding.items():
        with st.container(border=True):
            curves = [_curve(run, colours[run.id], decides=True) for run in shown if run.steering.name == name]
            title = (
                t("Loss on the validation examples (lower is better)")
                if steering.is_loss
                else t("{metric} on the validation questions", metric=steering.title)
            )
            live_chart(curves, name, key=f"{key}_{name}", title=title, height=340)
            st.caption(_pool(shown))
    curves = [_curve(run, colours[run.id]) for run in shown]
    names = _series(shown, list(deciding))
    for start in range(0, len(names), 3):
        row = names[start : start + 3]
        for column, name in zip(st.columns([2, 1, 1] if row[0] == "loss" else 3), row, strict=False):
            with column, st.container(border=True):
                noisy = name in ("loss", "grad_norm")
                live_chart(
                    curves, name, key=f"{key}_{name}", legend=False, title=_title(name), smoothed=noisy, height=260
                )


def _series(shown: Sequence[runs.RunView], deciding: Sequence[str]) -> list[str]:
    """What was logged beside the metrics that decide, the usual ones first; those while a run has logged nothing yet."""
    logged = {name for run in shown for name in jobs.metrics(run.id, max_points=2)}
    others = logged - set(deciding)
    if not logged and any(run.job.is_live for run in shown):
        return list(_USUAL)
    return [*(name for name in _USUAL if name in others), *sorted(others - set(_USUAL))]


def _title(name: str) -> str:
    titles = {"loss": t("Training loss"), "learning_rate": t("Learning rate"), "grad_norm": t("Gradient norm")}
    return titles.get(name) or name.replace("_", " ").capitalize()


def _pool(shown: Sequence[runs.RunView]) -> str:
    pool = next((run.pool for run in shown if run.pool), {})
    if not pool:
        return t("Measured on a fixed pool of validation questions; it steers the training. The verdict is on Compare.")
    counts = {name: f"{value:,}" for name, value in pool.items()}
    if "num_passages" not in pool:
        return t(
            "Measured on a fixed pool: {num_examples} of {num_all_examples} validation examples. It steers the training; "
            "the verdict is on Compare.",
            **counts,
        )
    return t(
        "Measured on a fixed pool: {num_questions} of {num_all_questions} validation questions, searched among "
        "{num_passages} of {num_all_passages} passages. It steers the training; the verdict is on Compare.",
        **counts,
    )


def _curve(run: runs.RunView, colour: int, *, decides: bool = False) -> Curve:
    if not decides:
        return Curve(run.id, run.name, run.job.is_live, colour=colour)
    return Curve(run.id, run.name, run.job.is_live, run.steering.base, run.best_step or None, colour)
