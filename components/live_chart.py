"""A chart of a run's metric that grows while the run works, without flicker and without losing the reader's zoom.

The browser asks `/api/metrics` for the points it has not seen and hands them to plotly; no page script runs for it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from components.text import t

_component = st.components.v2.component(
    "ayar_live_chart",
    html='<div class="ayar-plot"></div>\n',
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Curve:
    """One run in a chart.

    `base` draws a level line (the untuned model's value), `best_step` marks the checkpoint that was kept. `live` says
    that more points may come. `colour` picks the series colour; curves of one run should share it over all charts.
    """

    job_id: str
    name: str
    live: bool = False
    base: float | None = None
    best_step: int | None = None
    colour: int = 0


def live_chart(
    curves: Sequence[Curve],
    metric: str,
    *,
    key: str,
    title: str = "",
    smoothed: bool = False,
    legend: bool = True,
    height: int = 300,
) -> None:
    """Draw `metric` of every curve over its steps.

    `smoothed` adds a weighted mean over neighbouring steps in front of the raw, paler line. `legend` names the curves
    where there are several.
    """
    labels = {
        "step": t("step"),
        "base": t("before tuning"),
        "best": t("kept"),
        "empty": t("Waiting for the first value…"),
        "none": t("No values were logged."),
        "lost": t("The dashboard does not answer; trying again…"),
    }
    data = {
        "curves": [asdict(curve) for curve in curves],
        "metric": metric,
        "title": title or metric,
        "smoothed": smoothed,
        "legend": legend,
        "height": height,
        "labels": labels,
    }
    _component(key=key, data=data, height=height)
