"""A finished panel in numbers: every metric with the interval of its difference, the judge, the costs, and two charts."""

from typing import Any

import streamlit as st

from components.answer_bars import answer_bars
from components.answer_costs import answer_costs
from components.answer_radar import Scored, answer_radar
from components.compare_metrics import pill
from components.judge_facts import judge_facts
from components.text import plain, t
from finetune_core.workspace import panels
from finetune_core.workspace.comparisons import metric_title, signed
from finetune_core.workspace.panels import PanelView


def panel_result(panel: PanelView, *, key: str) -> None:
    """The table first, then charts; a button deletes the panel."""
    titles, summary = panels.titles(panel), panel.summary
    for line in _notes(panel):
        st.caption(f":material/info: {line}")
    if not titles:
        st.warning(t("No answer could be scored for both systems."))
    else:
        st.table([_row(panel, name) for name in titles], border="horizontal", hide_index=True)
        st.caption(
            t(
                "Second minus first, paired by question and resampled by document. The p-values are corrected for the {num} "
                "metrics (Holm); a coloured change holds after that.",
                num=len(titles),
            )
        )
    if panel.judge is not None:
        judge_facts(panel.judge, key=f"{key}_judge")
    if titles:
        shown = [
            Scored(panel.before["name"], "base", panel.before["metrics"]),
            Scored(panel.after["name"], "tuned", panel.after["metrics"]),
        ]
        answer_radar(shown, titles, key=f"{key}_{panel.id}")
        answer_bars(shown, titles, key=f"{key}_{panel.id}")
    answer_costs([(each["name"], each["facts"]) for each in summary["systems"]])
    with st.popover(t("Delete this panel"), icon=":material/delete:", type="tertiary", key=f"{key}_delete"):
        st.markdown(
            t("Deletes these numbers. What was answered is kept: the same panel can be had again without asking anew.")
        )
        st.button(t("Delete the panel"), type="primary", key=f"{key}_sure", on_click=panels.delete, args=(panel,))


def _row(panel: PanelView, name: str) -> dict[str, str]:
    found = panel.summary["metrics"][name]
    interval: dict[str, Any] = {**found["interval"], "is_open": found["outcome"] == "no_difference"}
    known = interval["low"] is not None
    return {
        t("Metric"): plain(metric_title(name)),
        plain(panel.before["name"]): f"{found['before']:.3f}",
        plain(panel.after["name"]): f"{found['after']:.3f}",
        t("Change"): pill(interval),
        t("95 % interval"): f"{signed(interval['low'])} … {signed(interval['high'])}" if known else "–",
        t("p (Holm)"): f"{found['p_value']:.3f}",
        t("Not scored"): f"{found['num_failed']:,}",
    }


def _notes(panel: PanelView) -> list[str]:
    summary, params = panel.summary, panel.params
    lines = [
        t(
            "{num} questions, answered by {chat} from the first {k} passages of each system. For {same} both found the same "
            "passages, so both have the same answer.",
            num=f"{summary['num_questions']:,}",
            chat=plain(params.chat.removeprefix("service:")),
            k=params.top_k,
            same=f"{summary['num_same_passages']:,}",
        )
    ]
    if summary["is_capped"]:
        lines.append(
            t(
                "The cap was reached: what is missing counts as not scored. Start again with a higher cap to go on from here."
            )
        )
    if summary["num_with_quote"]:
        lines.append(
            t(
                "{num} questions have no true answer; the quote that answers them stands in for it.",
                num=f"{summary['num_with_quote']:,}",
            )
        )
    if summary["not_scored"]:
        lines.append(
            t("Not scored at all: {metrics}.", metrics=plain(", ".join(map(metric_title, summary["not_scored"]))))
        )
    return lines
