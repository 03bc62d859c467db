"""Which choices a router gets right, and which it takes for another."""

import html
from typing import Any

import streamlit as st

from components.charts import colour, show_chart
from components.text import t
from finetune_core.workspace import classes
from finetune_core.workspace.comparisons import ComparisonView

NUM_DRAWN = 15
_ROW_PX = 26


def compare_confusion(view: ComparisonView, system: str, *, key: str) -> None:
    """Recall of every choice before and after, and the confusions; draws nothing for a comparison without labels."""
    after = classes.summary(view, system)
    before = classes.summary(view, view.difference(system)["against"])
    if after is None or before is None:
        return
    st.subheader(t("Choice by choice"), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.caption(t("Share of each choice's queries that reach it (recall), the worst first."))
        share = st.column_config.NumberColumn(format="%.3f")
        st.dataframe(
            _recalls(before, after), hide_index=True, height=_height(after), key=f"{key}_recalls",
            column_config={t("Base"): share, t("Tuned"): share},
        )  # fmt: skip
    with right:
        shown = _most_confused(after["matrix"])
        st.caption(
            t(
                "Where the tuned router sends the queries of each choice, for the {num} it confuses most.",
                num=len(shown),
            )
        )
        show_chart(
            _matrix(after, shown), key=f"{key}_matrix", height=_height(after),
            alt=t("True choice against chosen choice, with the number of queries in each cell."),
        )  # fmt: skip


def _name(each: dict[str, Any]) -> str:
    return str(each["name"]) if each["id"] else t("out of scope")


def _height(summary: dict[str, Any]) -> int:
    return 150 + _ROW_PX * min(NUM_DRAWN, len(summary["classes"]))


def _recalls(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    pairs = zip(before["classes"], after["classes"], strict=True)
    met = [(one, two) for one, two in pairs if two["num_true"]]
    met.sort(key=lambda pair: pair[1]["recall"])
    return [
        {
            t("Choice"): _name(two),
            t("Queries"): two["num_true"],
            t("Base"): one["recall"],
            t("Tuned"): two["recall"],
            t("Often taken for"): _taken_for(after, after["classes"].index(two)),
        }
        for one, two in met
    ]


def _taken_for(summary: dict[str, Any], true: int) -> str:
    worst = next((cell for cell in summary["confused"] if cell["true"] == true), None)
    return f"{_name(summary['classes'][worst['predicted']])} ({worst['num']})" if worst else ""


def _most_confused(matrix: list[list[int]]) -> list[int]:
    """Positions of the classes with most wrong queries in their row and column, in their order."""
    size = range(len(matrix))
    wrong = {at: sum(matrix[at]) + sum(row[at] for row in matrix) - 2 * matrix[at][at] for at in size}
    return sorted(sorted(size, key=lambda at: -wrong[at])[:NUM_DRAWN])


def _matrix(summary: dict[str, Any], shown: list[int]) -> Any:
    from plotly import graph_objects as go

    names = [html.escape(_name(summary["classes"][at])) for at in shown]
    cells = [[summary["matrix"][true][chosen] for chosen in shown] for true in shown]
    totals = [max(1, sum(summary["matrix"][true])) for true in shown]
    shares = [[num / total for num in row] for row, total in zip(cells, totals, strict=True)]
    figure = go.Figure(
        go.Heatmap(
            z=shares, x=names, y=names, text=[[str(num) if num else "" for num in row] for row in cells], xgap=2, ygap=2,
            texttemplate="%{text}", showscale=False, zmin=0, zmax=1, colorscale=[[0, "rgba(0,0,0,0)"], [1, colour("tuned")]],
            hovertemplate=t("{true} sent to {chosen}: {num}", true="%{y}", chosen="%{x}", num="%{text}") + "<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title=t("chosen"), type="category", tickangle=-40, showgrid=False)
    figure.update_yaxes(title=t("true"), type="category", autorange="reversed", showgrid=False)
    return figure
