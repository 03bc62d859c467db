"""Which choices a router gets right, and which it takes for another."""

import html
from typing import Any

import streamlit as st

from components.charts import colour, show_chart
from components.text import plain, t
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
    for asked in (each for each in view.result["systems"] if each["facts"].get("num_asked")):
        st.caption(_of_language_model(asked, view.result["num_questions"]))


def _of_language_model(system: dict[str, Any], num_questions: int) -> str:
    facts, accuracy = system["facts"], system["metrics"]["accuracy"]["value"]
    cost = facts.get("cost_usd_per_query")
    price = t("Its prices are not entered on Settings.")
    if cost is not None:
        price = t("1,000 such queries cost US\\${usd}.", usd=f"{1000 * cost:,.2f}")
    told = t(
        "{name}: accuracy {accuracy} on the {num} of {total} queries it was asked, {ms} ms a query.",
        name=plain(system["name"]), num=f"{facts['num_asked']:,}", total=f"{num_questions:,}",
        accuracy="–" if accuracy is None else f"{accuracy:.3f}", ms=f"{facts['latency_ms']:,.0f}",
    )  # fmt: skip
    return f"{told} {price}"


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
