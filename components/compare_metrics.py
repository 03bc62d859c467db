"""Base against tuned in numbers: cards for the metrics people know, and a table of all."""

from typing import Any, Literal

import streamlit as st

from components.text import plain, t
from finetune_core.workspace.comparisons import ComparisonView, signed

_CARDS = ("ndcg@10", "hit@1", "hit@10", "mrr@10")
_COLOURS: dict[int, Literal["off", "inverse", "normal"]] = {0: "off", -1: "inverse", 1: "normal"}


def compare_metrics(view: ComparisonView, system: str, *, key: str) -> None:
    """Four cards with delta pills (grey where the interval crosses zero), and every metric behind a fold."""
    result, difference = view.result, view.difference(system)
    base = view.system(difference["against"])
    shown = [name for name in _CARDS if name in result["metrics"]] or result["metrics"][:4]
    with st.container(key=f"{key}_cards"):
        for column, name in zip(st.columns(len(shown)), shown, strict=True):
            with column:
                _card(view, system, base, name)
    for line in against(view, system, is_paid=True):
        st.caption(line)
    with st.expander(t("All metrics"), key=f"{key}_all", on_change="rerun") as everything:
        if everything.open:
            _all(view, system)


def _all(view: ComparisonView, system: str) -> None:
    st.table(_rows(view, system), border="horizontal", hide_index=True)
    st.caption(
        t(
            "Only {metric} carries the verdict; the other intervals are exploratory: with so many looked at, one may "
            "leave out zero by chance.",
            metric=view.result["titles"][view.result["headline"]],
        )
    )
    base = view.system(view.difference(system)["against"])
    if "latency_ms" in base["facts"]:
        times = {
            name: f"{each['facts']['latency_ms']:.1f}"
            for name, each in (("before", base), ("after", view.system(system)))
        }
        st.caption(
            t("A query took {before} ms with the base and {after} ms with the tuned model, encoding included.", **times)
        )
    for line in [*against(view, system, is_paid=False), *_notes(view, system)]:
        st.caption(line)


def _card(view: ComparisonView, system: str, base: dict[str, Any], name: str) -> None:
    interval = judged(view, system, name)
    after, before = (each["metrics"][name]["value"] for each in (view.system(system), base))
    is_known = interval["difference"] is not None and after is not None
    st.metric(
        view.result["titles"][name],
        f"{after:.3f}" if is_known else "–",
        f"{interval['difference']:+.3f}" if is_known else None,  # the widget takes only "-" for a loss, not "−"
        delta_color=_COLOURS[0 if crosses_zero(interval) else interval["side"]],
        delta_arrow="off" if crosses_zero(interval) else "auto",
        delta_description=t("from {before}", before=f"{before:.3f}") if is_known else None,
        border=True,
        help=_range(interval),
    )


def judged(view: ComparisonView, system: str, name: str) -> dict[str, Any]:
    """The interval of a metric, marked `is_open` where the verdict on it, corrected for several runs, is no difference.

    `side` is 1 where more is better, -1 where less is, 0 where neither is.
    """
    difference = view.difference(system)
    is_headline = name == view.result["headline"]
    is_open = is_headline and difference["verdict"]["outcome"] == "no_difference"
    side = (
        0
        if name in view.result.get("without_side", ())
        else -1
        if name in view.result.get("lower_is_better", ())
        else 1
    )
    return {**difference["metrics"][name], "is_open": is_open, "side": side}


def crosses_zero(interval: dict[str, Any]) -> bool:
    """Whether an interval, or the verdict on it, leaves open that nothing changed."""
    return (
        interval.get("is_open", False) or interval["low"] is None or not (interval["low"] > 0 or interval["high"] < 0)
    )


def _range(interval: dict[str, Any]) -> str:
    if interval["low"] is None:
        return t("Too few documents for an interval.")
    return t("95 % interval of the change: {low} to {high}", low=signed(interval["low"]), high=signed(interval["high"]))


def _rows(view: ComparisonView, system: str) -> list[dict[str, str]]:
    result, difference = view.result, view.difference(system)
    columns = {plain(each["name"]): each for each in view.floors(system)}
    columns |= {t("Base"): view.system(difference["against"]), t("Tuned"): view.system(system)}
    rows = []
    for name in result["metrics"]:
        title = plain(result["titles"][name])
        values = {head: each["metrics"][name]["value"] for head, each in columns.items()}
        rows.append(
            {
                t("Metric"): f"**{title}**" if name == result["headline"] else title,
                **{head: "–" if value is None else f"{value:.3f}" for head, value in values.items()},
                t("Change"): pill(judged(view, system, name)),
                t("95 % interval"): _bounds(difference["metrics"][name]),
            }
        )
    return rows


def pill(interval: dict[str, Any]) -> str:
    """A difference as a coloured badge in Markdown; grey where perhaps nothing changed."""
    if interval["difference"] is None:
        return "–"
    gain = interval["difference"] * interval.get("side", 1)
    hue = "gray" if crosses_zero(interval) or not gain else "green" if gain > 0 else "red"
    return f":{hue}-badge[{signed(interval['difference'])}]"


def _bounds(interval: dict[str, Any]) -> str:
    return "–" if interval["low"] is None else f"{signed(interval['low'])}\u00a0…\u00a0{signed(interval['high'])}"


def against(view: ComparisonView, system: str, *, is_paid: bool) -> list[str]:
    """How far the tuned model lies above what needs no tuning: the stock rerankers that a service is paid for, or the rest."""
    lines, intervals = [], view.difference(system).get("floors", {})
    for floor in view.floors(system):
        interval = intervals.get(floor["key"]) if ("num_searches" in floor["facts"]) is is_paid else None
        if interval and interval["low"] is not None:
            lines.append(
                t(
                    "{metric} against {name}: {change}, 95 % interval {low} to {high}; exploratory.",
                    metric=plain(view.result["titles"][view.result["headline"]]),
                    name=plain(floor["name"]),
                    change=signed(interval["difference"]),
                    low=signed(interval["low"]),
                    high=signed(interval["high"]),
                )
            )
    return lines


def _notes(view: ComparisonView, system: str) -> list[str]:
    """What could not be scored, in words; nothing is averaged silently over a missing value."""
    notes = []
    for name in view.result["metrics"]:
        num_rows = view.difference(system)["metrics"][name]["num_rows"]
        if missing := view.result["num_questions"] - num_rows:
            title = plain(view.result["titles"][name])
            notes.append(
                t("{metric}: {num} questions could not be scored for both and are left out.", metric=title, num=missing)
            )
    return notes
