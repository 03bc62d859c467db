"""Before and after with whiskers, and every difference with its interval."""

import html
from typing import Any

import streamlit as st

from components.charts import colour, show_chart
from components.compare_metrics import crosses_zero, judged
from components.text import t
from finetune_core.workspace.comparisons import ComparisonView, signed

_ROW_PX = 52
_BASELINES = ("floor", "other", "third")


def compare_charts(view: ComparisonView, system: str, *, key: str) -> None:
    """Two charts side by side: values of floor, base and tuned; differences of tuned and base."""
    titles = view.result["titles"]
    names = [name for name in view.result["metrics"] if view.has_answers or not titles[name].startswith("ragas")]
    height = 90 + _ROW_PX * len(names)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(t("Before and after"), anchor=False)
        st.caption(t("Means over the test questions, with 95 % intervals."))
        show_chart(
            _before_after(view, system, names), key=f"{key}_values", height=height,
            alt=t("Each metric for the keyword search, the untuned and the tuned model, with intervals."),
        )  # fmt: skip
    with right:
        st.subheader(t("What changed"), anchor=False)
        st.caption(t("Tuned minus base. Grey: perhaps no change. Hollow: exploratory."))
        show_chart(
            _differences(view, system, names), key=f"{key}_differences", height=height,
            alt=t("The difference of each metric with its interval."),
        )  # fmt: skip


def _before_after(view: ComparisonView, system: str, names: list[str]) -> Any:
    from plotly import graph_objects as go

    base = view.system(view.difference(system)["against"])
    drawn = [
        (each, role, html.escape(each["name"])) for each, role in zip(view.floors(system), _BASELINES, strict=False)
    ]
    drawn += [(base, "base", t("base")), (view.system(system), "tuned", t("tuned"))]
    figure = go.Figure()
    for place, (each, role, title) in enumerate(drawn):
        offset = 0.26 - 0.52 * place / (len(drawn) - 1)
        values = [each["metrics"][name] for name in names]
        points = [(row, value) for row, value in enumerate(values) if value["value"] is not None]
        figure.add_scatter(
            x=[value["value"] for _, value in points], y=[row - offset for row, _ in points], name=title, mode="markers",
            marker={"color": colour(role), "size": 11 if role == "tuned" else 9},
            error_x={
                "type": "data", "symmetric": False, "thickness": 1.6, "width": 0, "color": colour(role),
                "array": [_reach(value, "high") for _, value in points],
                "arrayminus": [_reach(value, "low") for _, value in points],
            },
            hovertemplate="%{x:.3f}<extra>" + title + "</extra>",
        )  # fmt: skip
    _name_rows(figure, view, names)
    figure.update_xaxes(range=[0, 1], tickformat=".1f")
    return figure


def _reach(value: dict[str, Any], end: str) -> float:
    """How far the whisker reaches; 0 where there is no interval."""
    return 0.0 if value[end] is None else abs(value[end] - value["value"])


def _differences(view: ComparisonView, system: str, names: list[str]) -> Any:
    intervals = [judged(view, system, name) for name in names]
    figure = interval_figure(intervals, names.index(view.result["headline"]))
    _name_rows(figure, view, names)
    return figure


def interval_figure(intervals: list[dict[str, Any]], filled: int) -> Any:
    """Differences with their intervals, one to a row, the first on top; row `filled` is drawn full, the others hollow.

    Grey where the interval crosses zero. A row without an interval stays empty.
    """
    from plotly import graph_objects as go

    figure = go.Figure()
    figure.add_vline(x=0, line={"color": colour("text"), "width": 1, "dash": "dot"})
    for row, interval in enumerate(intervals):
        if interval["difference"] is None or interval["low"] is None:
            continue
        hue = colour("undecided" if crosses_zero(interval) else "better" if interval["difference"] > 0 else "worse")
        figure.add_scatter(
            x=[interval["low"], interval["high"]], y=[row, row], mode="lines", hoverinfo="skip",
            line={"color": hue, "width": 4 if row == filled else 2},
        )  # fmt: skip
        figure.add_scatter(
            x=[interval["difference"]], y=[row], mode="markers+text", text=[signed(interval["difference"])],
            textposition="top center",
            marker={
                "color": hue, "size": 13 if row == filled else 10, "symbol": "circle" if row == filled else "circle-open",
                "line": {"width": 2, "color": hue},
            },
            hovertemplate=" … ".join(signed(interval[end]) for end in ("low", "high")) + "<extra></extra>",
        )  # fmt: skip
    figure.update_layout(showlegend=False)
    figure.update_xaxes(tickformat="+.2f", range=_span(intervals))
    return figure


def _span(intervals: list[dict[str, Any]]) -> list[float]:
    """From the lowest to the highest bound and always over zero, with some air."""
    bounds = [bound for each in intervals for bound in (each["low"], each["high"]) if bound is not None]
    low, high = min([0.0, *bounds]), max([0.0, *bounds])
    air = 0.06 * max(high - low, 0.02)
    return [low - air, high + air]


def _name_rows(figure: Any, view: ComparisonView, names: list[str]) -> None:
    titles = [view.result["titles"][name] for name in names]
    texts = [
        f"<b>{title}</b>" if name == view.result["headline"] else title
        for name, title in zip(names, titles, strict=True)
    ]
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=texts, range=[len(names) - 0.5, -0.7], showgrid=False
    )
