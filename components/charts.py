"""One look for every plotly chart: the theme's palette, thin grid, no clutter."""

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LIGHT = {
    "tuned": "#0B7F7F", "base": "#8A9794", "floor": "#C8772E", "other": "#7A5BB5", "third": "#2F6FB2",
    "better": "#2E8B57", "worse": "#C2413B", "undecided": "#8A9794", "text": "#0E1614", "grid": "#E2DED3",
}  # fmt: skip
_DARK = {
    "tuned": "#43C6BD", "base": "#8FA09C", "floor": "#E9A566", "other": "#B79CE8", "third": "#7DB4EA",
    "better": "#6CC893", "worse": "#F08B84", "undecided": "#8FA09C", "text": "#E6ECEA", "grid": "#2C3836",
}  # fmt: skip
_LIGHT_SERIES = ["#0B7F7F", "#C8772E", "#7A5BB5", "#2F6FB2", "#B8476B", "#8C8A2B", "#8A9794", "#4B5563"]
_DARK_SERIES = ["#43C6BD", "#E9A566", "#B79CE8", "#7DB4EA", "#EC8FAE", "#C9C766", "#8FA09C", "#CBD5D2"]


def colour(role: str) -> str:
    """The colour of a role in the theme in force: tuned, base, floor, other, third, better, worse, undecided, text or grid."""
    return (_DARK if _is_dark() else _LIGHT)[role]


def series_colours() -> list[str]:
    """Colours for things without a role (several runs, several files), in order; the first is the accent."""
    return list(_DARK_SERIES if _is_dark() else _LIGHT_SERIES)


def themed(figure: "Figure", *, height: int = 340) -> "Figure":
    """`figure` in the house's look, changed in place and returned; show it with `show_chart`."""
    axis = {
        "gridcolor": colour("grid"), "zeroline": False, "linecolor": colour("grid"), "automargin": True,
        "title_font": {"size": 13},
    }  # fmt: skip
    figure.update_layout(
        height=height, margin={"l": 8, "r": 8, "t": 36 if figure.layout.title.text else 12, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", colorway=series_colours(),
        font={"family": "Inter, sans-serif", "size": 13, "color": colour("text")}, hovermode="closest",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0, "title": None},
        bargap=0.35,
    )  # fmt: skip
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def show_chart(figure: "Figure", *, key: str, height: int = 340, alt: str = "") -> Any:
    """Draw a finished figure in the house's look; `alt` says for a screen reader what it shows."""
    options = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    more = {"alt": alt} if alt else {}
    return st.plotly_chart(themed(figure, height=height), key=key, theme=None, config=options, **more)


def _is_dark() -> bool:
    return st.context.theme.type == "dark"
