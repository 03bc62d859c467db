"""Each metric of answers as bars with whiskers, one for each system."""

import html
from collections.abc import Mapping, Sequence

import streamlit as st

from components.answer_radar import Scored, hue_of
from components.charts import colour, show_chart
from components.text import t

_BAR_PX, _GAP_PX = 20, 26


def answer_bars(systems: Sequence[Scored], titles: Mapping[str, str], *, key: str) -> None:
    """Bars from 0 to 1 with 95 % intervals, the first metric on top; nothing where nothing was scored."""
    from plotly import graph_objects as go

    names = [name for name in titles if any(each.metrics.get(name, {}).get("value") is not None for each in systems)]
    if not names:
        return
    figure = go.Figure()
    for each in systems:
        values = [each.metrics.get(name, {}) for name in names]
        known = [(titles[name], one) for name, one in zip(names, values, strict=True) if one.get("value") is not None]
        figure.add_bar(
            orientation="h", name=html.escape(each.name), marker={"color": hue_of(each.role)},
            y=[html.escape(title) for title, _ in known], x=[one["value"] for _, one in known],
            error_x={
                "type": "data", "symmetric": False, "thickness": 1.6, "width": 4, "color": colour("text"),
                "array": [_reach(one, "high") for _, one in known],
                "arrayminus": [_reach(one, "low") for _, one in known],
            },
            hovertemplate="%{x:.3f}<extra>" + html.escape(each.name) + "</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="group")
    figure.update_xaxes(range=[0, 1.02], tickformat=".1f")
    figure.update_yaxes(
        autorange="reversed",
        showgrid=False,
        categoryorder="array",
        categoryarray=[html.escape(titles[name]) for name in names],
    )
    st.caption(t("Each system's own 95 % interval. Whether two differ is told by the interval of their difference."))
    show_chart(
        figure, key=f"{key}_bars", height=80 + len(names) * (_GAP_PX + _BAR_PX * len(systems)),
        alt=t("Each metric of answers for each system, with intervals."),
    )  # fmt: skip


def _reach(metric: Mapping[str, float | None], end: str) -> float:
    """How far the whisker reaches; 0 where there is no interval."""
    bound, value = metric[end], metric["value"]
    return 0.0 if bound is None or value is None else abs(bound - value)
