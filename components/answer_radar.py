"""Several systems on all their metrics at once: a radar, and the numbers beside it."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from components.charts import colour, show_chart
from components.text import plain, t

_HUES = {"base": "base", "tuned": "tuned", "teacher": "other", "second teacher": "third"}


class Scored(NamedTuple):
    """A system as charts draw it: its name, its role (base, tuned, teacher or second teacher), and its metrics with value,
    low and high."""

    name: str
    role: str
    metrics: Mapping[str, Mapping[str, Any]]


def answer_radar(systems: Sequence[Scored], titles: Mapping[str, str], *, key: str) -> None:
    """A polygon for each system over the metrics that all of them have, and a table; metrics run from 0 to 1, 1 the best."""
    names = [name for name in titles if all(_value(each, name) is not None for each in systems)]
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        if len(names) < 3:
            st.caption(t("Too few metrics could be scored for a radar: see the numbers."))
        else:
            show_chart(
                _figure(systems, names, titles), key=f"{key}_radar", height=400,
                alt=t("Each system's metrics as a polygon; the farther out, the better."),
            )  # fmt: skip
    with right:
        st.table(
            [
                {t("Metric"): plain(title), **{plain(each.name): _text(each.metrics.get(name)) for each in systems}}
                for name, title in titles.items()
            ],
            border="horizontal",
            hide_index=True,
        )
        st.caption(t("Values from 0 to 1, with 95 % intervals in brackets."))


def hue_of(role: str) -> str:
    """The colour of a system by its role."""
    return colour(_HUES.get(role, "floor"))


def _figure(systems: Sequence[Scored], names: list[str], titles: Mapping[str, str]) -> Any:
    from plotly import graph_objects as go

    figure = go.Figure()
    around = [*names, names[0]]
    for each in systems:
        hue = hue_of(each.role)
        figure.add_scatterpolar(
            r=[_value(each, name) for name in around], theta=[_wrapped(titles[name]) for name in around],
            name=html.escape(each.name), mode="lines+markers", fill="toself", opacity=0.85,
            fillcolor=f"rgba({', '.join(str(int(hue[at : at + 2], 16)) for at in (1, 3, 5))}, 0.12)",
            line={"color": hue, "width": 3 if each.role == "tuned" else 2, "dash": "dot" if "teacher" in each.role else "solid"},
            marker={"size": 6}, hovertemplate="%{theta}: %{r:.3f}<extra>" + html.escape(each.name) + "</extra>",
        )  # fmt: skip
    line = {"gridcolor": colour("grid"), "linecolor": colour("grid")}
    figure.update_polars(
        bgcolor="rgba(0,0,0,0)", angularaxis=line,
        radialaxis={
            **line, "range": [0, 1], "tickvals": [0.25, 0.5, 0.75, 1], "tickfont": {"size": 11}, "angle": 90, "tickangle": 90,
        },
        domain={"x": [0.2, 0.8], "y": [0.1, 0.9]},  # room for the words beside the circle on a phone
    )  # fmt: skip
    return figure


def _wrapped(title: str) -> str:
    """Short enough to stand beside the circle on a phone."""
    return html.escape(title.removeprefix("ragas: ")).replace(" ", "<br>")


def _value(system: Scored, name: str) -> float | None:
    value: float | None = system.metrics.get(name, {}).get("value")
    return value


def _text(metric: Mapping[str, Any] | None) -> str:
    if metric is None or metric["value"] is None:
        return "–"
    if metric["low"] is None:
        return f"{metric['value']:.3f}"
    return f"{metric['value']:.3f} ({metric['low']:.2f}–{metric['high']:.2f})"
