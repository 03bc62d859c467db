"""Where the first right passage ranked before and after."""

from collections import Counter
from typing import Any

import streamlit as st

from components.charts import colour, show_chart
from components.text import t
from finetune_core.workspace import comparisons
from finetune_core.workspace.comparisons import BEYOND, Change, ComparisonView, Outcome

_BINS = ((1, 1, "1"), (2, 3, "2–3"), (4, 5, "4–5"), (6, 10, "6–10"), (11, 100, "11–100"), (BEYOND, BEYOND, "> 100"))
_ROLES = {Change.WON: "better", Change.LOST: "worse", Change.UNCHANGED: "undecided"}


def compare_movement(view: ComparisonView, system: str, *, key: str) -> None:
    """Bars of ranks before and after, and one point per question that moved; nothing where answers are words."""
    if view.has_answers:
        return
    moved = comparisons.movement(view, system)
    st.subheader(t("Where the right passage ranks"), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.caption(t("Questions by the rank of their first right passage."))
        show_chart(_bars(moved), key=f"{key}_bars", alt=t("Number of questions by rank, before and after."))
    with right:
        st.caption(t("Below the line, tuning moved the right passage up."))
        show_chart(
            _scatter(moved), key=f"{key}_scatter", alt=t("Rank after tuning against rank before, for each question.")
        )


def _bars(moved: tuple[Outcome, ...]) -> Any:
    from plotly import graph_objects as go

    figure = go.Figure()
    for title, role, ranks in (
        (t("base"), "base", [outcome.rank_before for outcome in moved]),
        (t("tuned"), "tuned", [outcome.rank_after for outcome in moved]),
    ):
        counts = Counter(_bin(rank) for rank in ranks)
        labels = [label for _, _, label in _BINS]
        figure.add_bar(x=labels, y=[counts[label] for label in labels], name=title, marker_color=colour(role))
    figure.update_xaxes(type="category", title=t("rank"))
    figure.update_layout(barcornerradius=4)
    return figure


def _bin(rank: int | None) -> str:
    return next(label for first, last, label in _BINS if first <= (rank or BEYOND) <= last)


def _scatter(moved: tuple[Outcome, ...]) -> Any:
    from plotly import graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        x=[1, BEYOND],
        y=[1, BEYOND],
        mode="lines",
        line={"color": colour("grid"), "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )
    names = {Change.WON: t("won"), Change.LOST: t("lost"), Change.UNCHANGED: t("unchanged")}
    for change in (Change.UNCHANGED, Change.WON, Change.LOST):
        # Many questions share a pair of ranks: one point for each pair, larger for more.
        pairs = Counter((o.rank_before or BEYOND, o.rank_after or BEYOND) for o in moved if o.change is change)
        figure.add_scatter(
            x=[before for before, _ in pairs], y=[after for _, after in pairs], mode="markers", name=names[change],
            customdata=list(pairs.values()), opacity=0.75,
            marker={"color": colour(_ROLES[change]), "size": [min(34, 6 + 3 * num**0.5) for num in pairs.values()]},
            hovertemplate="%{x} → %{y}<br>%{customdata}<extra></extra>",
        )  # fmt: skip
    ticks = {
        "type": "log",
        "tickvals": [1, 2, 3, 5, 10, 30, BEYOND],
        "ticktext": ["1", "2", "3", "5", "10", "30", ">100"],
    }
    figure.update_xaxes(title=t("rank before"), **ticks)
    figure.update_yaxes(title=t("rank after"), **ticks)
    return figure
