"""Before and after with whiskers, and every difference with its interval."""

from typing import Any

import streamlit as st

from components.charts import colour, show_chart
from components.compare_metrics import crosses_zero
from components.compare_verdict import signed
from components.text import t
from finetune_core.workspace.comparisons import ComparisonView

_ROW_PX = 44


def compare_charts(view: ComparisonView, system: str, *, key: str) -> None:
    """Two charts side by side: values of floor, base and tuned; differences of tuned and base."""
    names = [name for name in view.result["metrics"] if not view.result["titles"][name].startswith("ragas")]
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
    floors = [each for each in view.result["systems"] if each["role"] == "floor"][:1]
    drawn = [(each, "floor", each["name"], 0.26) for each in floors]
    drawn += [(base, "base", t("base"), 0.0), (view.system(system), "tuned", t("tuned"), -0.26)]
    figure = go.Figure()
    for each, role, title, offset in drawn:
        values = [each["metrics"][name] for name in names]
        points = [(row, value) for row, value in enumerate(values) if value["value"] is not None]
        figure.add_scatter(
            x=[value["value"] for _, value in points], y=[row - offset for row, _ in points], name=title, mode="markers",
            marker={"color": colour(role), "size": 11 if role == "tuned" else 9},
            error_x={
                "type": "data", "symmetric": False, "thickness": 1.6, "width": 0, "color": colour(role),
                "array": [(value["high"] or value["value"]) - value["value"] for _, value in points],
                "arrayminus": [value["value"] - (value["low"] or value["value"]) for _, value in points],
            },
            hovertemplate="%{x:.3f}<extra>" + role + "</extra>",
        )  # fmt: skip
    _name_rows(figure, view, names)
    figure.update_xaxes(range=[0, 1], tickformat=".1f")
    return figure


def _differences(view: ComparisonView, system: str, names: list[str]) -> Any:
    from plotly import graph_objects as go

    figure = go.Figure()
    figure.add_vline(x=0, line={"color": colour("text"), "width": 1, "dash": "dot"})
    for row, name in enumerate(names):
        interval = view.difference(system)["metrics"][name]
        if interval["difference"] is None or interval["low"] is None:
            continue
        role = "undecided" if crosses_zero(interval) else "better" if interval["difference"] > 0 else "worse"
        is_headline = name == view.result["headline"]
        figure.add_scatter(
            x=[interval["low"], interval["high"]], y=[row, row], mode="lines", hoverinfo="skip",
            line={"color": colour(role), "width": 4 if is_headline else 2},
        )  # fmt: skip
        figure.add_scatter(
            x=[interval["difference"]], y=[row], mode="markers",
            marker={
                "color": colour(role), "size": 13 if is_headline else 10,
                "symbol": "circle" if is_headline else "circle-open", "line": {"width": 2, "color": colour(role)},
            },
            hovertemplate=" … ".join(signed(interval[end]) for end in ("low", "high")) + "<extra></extra>",
        )  # fmt: skip
    _name_rows(figure, view, names)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(tickformat="+.2f", range=span_of([view.difference(system)["metrics"][name] for name in names]))
    return figure


def span_of(intervals: list[dict[str, Any]]) -> list[float]:
    """A range from the lowest to the highest bound and always over zero, with some air."""
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
        tickvals=list(range(len(names))), ticktext=texts, range=[len(names) - 0.5, -0.5], showgrid=False
    )
