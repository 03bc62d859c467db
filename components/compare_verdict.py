"""The one sentence the page is for, with the interval it rests on drawn beside it."""

from typing import Any

import streamlit as st

from components.charts import colour, show_chart
from components.text import plain, t, tn
from finetune_core.workspace.comparisons import ComparisonView, signed

_LOOK = {
    "better": ("green", ":material/trending_up:", "better"),
    "worse": ("red", ":material/trending_down:", "worse"),
    "no_difference": ("gray", ":material/trending_flat:", "undecided"),
    "not_scored": ("gray", ":material/block:", "undecided"),
}


def compare_verdict(view: ComparisonView, *, key: str) -> None:
    """A calm card: what was found, the numbers in words, and what to know before relying on it."""
    result = view.result
    verdict = result["verdict"]
    hue, icon, role = _LOOK[verdict["outcome"]]
    with st.container(border=True, key=f"{key}_card"):
        words, drawing = st.columns([3, 2], vertical_alignment="center", gap="large")
        with words:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge(t("Verdict on {metric}", metric=result["titles"][result["headline"]]), icon=icon, color=hue)
                st.text(view.system(verdict["system"])["name"])
            st.header(_title(view), anchor=False)
            st.markdown(_sentence(view))
        with drawing:
            _interval(view, role, key)
        if gap := view.difference(verdict["system"]).get("gap"):
            st.caption(_gap(gap))
        for caveat in verdict["caveats"]:
            st.caption(f":material/info: {plain(t(caveat))}")


def _title(view: ComparisonView) -> str:
    verdict = view.result["verdict"]
    num_scored = view.difference(verdict["system"])["metrics"][view.result["headline"]]["num_rows"]
    return {
        "better": t("Tuning made it better"),
        "worse": t("Tuning made it worse"),
        "no_difference": tn(
            "No difference that {num} question could show",
            "No difference that {num} questions could show",
            num_scored,
        ),
        "not_scored": t("Nothing can be said: no question could be scored"),
    }[verdict["outcome"]]


def _sentence(view: ComparisonView) -> str:
    result = view.result
    difference = view.difference(result["verdict"]["system"])
    interval = difference["metrics"][result["headline"]]
    if difference["before"] is None:
        return ""
    values = {
        "metric": result["titles"][result["headline"]],
        "before": f"{difference['before']:.3f}",
        "after": f"{difference['after']:.3f}",
        "questions": tn("{num} question", "{num} questions", interval["num_rows"]),
    }
    if result["searched"] != "answers":
        sentence = t(
            "{metric} went from **{before}** to **{after}** on {questions}, {searched}.",
            **values,
            searched=_searched(result),
        )
    else:
        sentence = t("{metric} went from **{before}** to **{after}** on {questions}.", **values)
    if interval["low"] is None:
        return sentence
    bounds = t(
        "With {confidence} confidence, the true change lies between **{low}** and **{high}**.",
        confidence=f"{interval['confidence']:.0%}",
        low=signed(interval["low"]),
        high=signed(interval["high"]),
    )
    advice = t("Keep the model you started from.") if result["verdict"]["outcome"] == "worse" else ""
    return f"{sentence} {bounds} {advice}".rstrip()


def _gap(gap: dict[str, Any]) -> str:
    """How much of the way to what it should learn from the tuned model went."""
    name, share = plain(gap["name"]), f"{gap['difference']:.0%}"
    if gap["difference"] >= 1:
        return t("The base lay below {name}; tuning closed all of that gap.", name=name)
    if gap["low"] is None:
        return t("Of the gap between the base and {name}, {share} was closed.", name=name, share=share)
    return t(
        "Of the gap between the base and {name}, {share} was closed (95 % interval {low} to {high}).",
        name=name,
        share=share,
        low=f"{gap['low']:.0%}",
        high=f"{gap['high']:.0%}",
    )


def _searched(result: dict[str, Any]) -> str:
    num = result["num_searched"] or 0
    if result["searched"] == "choices":
        return tn("with {num} choice", "with {num} choices", num)
    return tn("searching {num} passage", "searching {num} passages", num)


def _interval(view: ComparisonView, role: str, key: str) -> None:
    from plotly import graph_objects as go

    interval = view.difference(view.result["verdict"]["system"])["metrics"][view.result["headline"]]
    if interval["low"] is None:
        return
    low, high, value = interval["low"], interval["high"], interval["difference"]
    reach = 1.25 * max(abs(low), abs(high), 0.01)
    figure = go.Figure()
    # It ends below the number, which would else be crossed out wherever little changed.
    figure.add_shape(type="line", x0=0, x1=0, y0=-1, y1=0.2, line={"color": colour("text"), "width": 1, "dash": "dot"})
    figure.add_scatter(
        x=[low, high], y=[0, 0], mode="lines", line={"color": colour(role), "width": 10}, opacity=0.35, hoverinfo="skip"
    )
    figure.add_scatter(
        x=[value], y=[0], mode="markers+text", text=[signed(value)], textposition="top center",
        marker={"color": colour(role), "size": 18}, textfont={"size": 20, "color": colour(role)}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_layout(showlegend=False)
    figure.update_xaxes(
        range=[-reach, reach], title=t("← worse · no change · better →"), tickformat="+.2f", nticks=5, showgrid=False
    )
    figure.update_yaxes(visible=False, range=[-1, 1.6])
    show_chart(figure, key=f"{key}_interval", height=170, alt=_sentence(view).replace("**", ""))
