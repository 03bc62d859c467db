"""Is the gain worth its cost: quality against time and size, and what each step bought over its base."""

import html
import itertools
from typing import Any

import streamlit as st

from components.charts import colour, series_colours, show_chart
from components.text import plain, t
from finetune_core.workspace.comparisons import ComparisonView, signed

_PLOT_PX, _LEGEND_ROW_PX = 260, 22


def compare_worth(view: ComparisonView, *, key: str) -> None:
    """The one sentence, two charts, and a table; draws nothing where no system could be scored."""
    found = view.result["frontier"]
    if found is None:
        return
    st.subheader(t("Is it worth it?"), anchor=False)
    with st.container(border=True, key=f"{key}_card"):
        st.markdown(f"**{plain(t(found['sentence']))}**")
        st.caption(
            t(
                "Nothing changes without evidence: what costs more has to be shown better, what costs less to be under {margin} "
                "behind. Untuned costs less than tuned, then time counts in steps of 10 ms, then size in steps of 10 MB. Of "
                "several runs of a recipe, the one that did best on validation is considered.",
                margin=found["margin"],
            )
        )
    metric = view.result["titles"][view.result["headline"]]
    height = _PLOT_PX + _LEGEND_ROW_PX * len(view.result["systems"])
    left, right = st.columns(2, gap="large")
    with left:
        st.caption(_time_caption(view))
        show_chart(
            _scatter(view, metric, _latency_ms, t("ms per question")), key=f"{key}_time", height=height,
            alt=t("{metric} of each system, with its interval, against its time per question.", metric=metric),
        )  # fmt: skip
    with right:
        st.caption(
            t(
                "{metric} against the size of all models to deploy: base, adapter and reranker; no index.",
                metric=plain(metric),
            )
        )
        show_chart(
            _scatter(view, metric, _size_mb, t("MB")), key=f"{key}_size", height=height,
            alt=t("{metric} of each system, with its interval, against the size of its models.", metric=metric),
        )  # fmt: skip
    st.table(_steps(view), border="horizontal", hide_index=True)


def _time_caption(view: ComparisonView) -> str:
    metric = plain(view.result["titles"][view.result["headline"]])
    if view.result["searched"] == "passages":
        return t(
            "{metric} against what a question takes: encoding it alone, search, reranking. Filled: the choice.",
            metric=metric,
        )
    return t("{metric} against time per question. Filled: the choice.", metric=metric)


def _latency_ms(system: dict[str, Any]) -> float | None:
    value: float | None = system["facts"].get("latency_ms")
    return value


def _size_mb(system: dict[str, Any]) -> float | None:
    return float(system["deployed_bytes"]) / 1e6


def _scatter(view: ComparisonView, metric: str, cost: Any, title: str) -> Any:
    from plotly import graph_objects as go

    figure, hues = go.Figure(), _hues(view)
    for system in view.result["systems"]:
        value, x = system["metrics"][view.result["headline"]], cost(system)
        if system["facts"].get("is_no_system") or value["value"] is None or x is None:
            continue
        hue = hues[system["key"]]
        is_choice = system["key"] == view.result["frontier"]["choice"]
        name = html.escape(system["name"])
        figure.add_scatter(
            x=[x], y=[value["value"]], mode="markers", name=name if len(name) <= 28 else f"{name[:27]}…",
            marker={
                "size": 14 if is_choice else 10, "color": hue, "symbol": "circle" if is_choice else "circle-open",
                "line": {"width": 2, "color": hue},
            },
            error_y={
                "type": "data", "symmetric": False, "thickness": 1.4, "width": 0, "color": hue,
                "array": [(value["high"] or value["value"]) - value["value"]],
                "arrayminus": [value["value"] - (value["low"] or value["value"])],
            },
            hovertemplate=f"{name}<br>%{{x:,.1f}} · %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title=title, rangemode="tozero")
    figure.update_yaxes(title=metric, tickformat=".2f")
    return figure


def _hues(view: ComparisonView) -> dict[str, str]:
    """The colour of each system by its key: candidate and base as in the charts before, the others in turn."""
    candidate = view.tuned[0]["key"]
    own = {candidate: colour("tuned"), view.difference(candidate)["against"]: colour("base")}
    others = itertools.cycle(hue for hue in series_colours() if hue not in own.values())
    return {each["key"]: own.get(each["key"]) or next(others) for each in view.result["systems"]}


def _signed(value: float) -> str:
    return f"{round(value, 1) + 0.0:+,.1f}".replace("-", "−")  # adding zero turns -0.0 into 0.0


def _steps(view: ComparisonView) -> list[dict[str, str]]:
    rows = []
    for system in view.tuned:
        step = view.difference(system["key"])["step"]
        before, gain = view.system(step["over"]), step["gain"]
        known = gain["low"] is not None
        times = _latency_ms(before), _latency_ms(system)
        added = None if None in times else float(times[1] or 0.0) - float(times[0] or 0.0)
        rows.append(
            {
                t("Step"): plain(system["name"]),
                t("Over"): plain(before["name"]),
                t("Gain"): signed(gain["difference"]) if gain["difference"] is not None else "–",
                t("95 % interval"): f"{signed(gain['low'])} … {signed(gain['high'])}" if known else "–",
                t("Added time"): "–" if added is None else t("{ms} ms", ms=_signed(added)),
                t("Added size"): t("{mb} MB", mb=_signed((_size_mb(system) or 0.0) - (_size_mb(before) or 0.0))),
            }
        )
    return rows
