"""Which tuned model the details are about; with several, how each of them did."""

import html
from typing import Any

import streamlit as st

from components.charts import show_chart
from components.compare_charts import interval_figure
from components.text import plain, t
from finetune_core.workspace.comparisons import ComparisonView


def compare_system(view: ComparisonView, *, key: str) -> str:
    """The key of the tuned system to look at; the one that carries the verdict unless another is chosen."""
    names = {system["key"]: system["name"] for system in view.tuned}
    candidate = next(iter(names))
    if len(names) == 1:
        return candidate
    st.subheader(t("All runs"), anchor=False)
    metric = view.result["titles"][view.result["headline"]]
    st.caption(
        t("Change of {metric} against each run's own base, with intervals. Hollow: not the candidate.", metric=metric)
    )
    show_chart(
        _runs(view, names, candidate), key=f"{key}_runs", height=70 + 42 * len(names),
        alt=t("The change of {metric} of each run, with its interval.", metric=metric),
    )  # fmt: skip
    chosen = st.segmented_control(
        t("Look at"),
        list(names),
        default=candidate,
        format_func=lambda key_: plain(names[key_]) + (" · " + t("candidate") if key_ == candidate else ""),
        required=True,
        key=f"{key}_{view.id}",
    )
    st.caption(_against(view, chosen or candidate))
    if chosen and chosen != candidate:
        verdict = view.difference(chosen)["verdict"]
        mark = t("Exploratory, because this run was not the candidate:") if verdict["is_exploratory"] else ""
        st.caption(f"{mark} {plain(t(verdict['sentence']))}")
    return chosen or candidate


def _against(view: ComparisonView, system: str) -> str:
    base = view.system(view.difference(system)["against"])
    return t("Set against its own starting point, {base}.", base=plain(base["name"]))


def _runs(view: ComparisonView, names: dict[str, str], candidate: str) -> Any:
    headline = view.result["headline"]
    intervals = [view.difference(key)["metrics"][headline] for key in names]
    figure = interval_figure(intervals, list(names).index(candidate))
    # plotly reads a little HTML in labels: names that people wrote are escaped.
    labels = [html.escape(name if len(name) <= 32 else name[:31] + "…") for name in names.values()]
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=labels, range=[len(names) - 0.5, -0.8], showgrid=False
    )
    return figure
