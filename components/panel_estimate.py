"""What a panel will take before it is started: calls, tokens, money and time."""

import streamlit as st

from components.text import duration_text, t
from finetune_core.workspace.panels import Estimate, PanelParams


def panel_estimate(seen: Estimate, params: PanelParams) -> None:
    """Four numbers, and what they rest on."""
    with st.grid(4):
        st.metric(t("Calls, about"), f"{seen.num_calls:,}")
        st.metric(t("Tokens, about"), f"{seen.num_tokens:,}")
        st.metric(t("Cost, about"), t("no price") if seen.cost_usd is None else f"${seen.cost_usd:,.2f}")
        st.metric(t("Time, about"), duration_text(seen.seconds))
    parts = [
        t(
            "{answers} calls for answers, {grades} for grades.",
            answers=f"{seen.answering.num_calls:,}",
            grades=f"{seen.judging.num_calls:,}",
        ),
        t("What was answered or graded before is not asked or paid for again."),
        t("The time goes by the last panel here.")
        if seen.basis == "measured"
        else t("The time is a guess until a first panel has ended."),
    ]
    if params.max_tokens is not None and seen.num_tokens > params.max_tokens:
        parts.append(t("**The cap in tokens will probably be reached before the end.**"))
    if params.max_cost_usd is not None and seen.cost_usd is not None and seen.cost_usd > params.max_cost_usd:
        parts.append(t("**The cap in dollars will probably be reached before the end.**"))
    st.caption(" ".join(parts))
    st.caption(_references(seen))


def _references(seen: Estimate) -> str:
    if not seen.num_with_answer + seen.num_with_quote:
        return t("No question has a true answer, so only the judge's metrics that need none are measured.")
    return t(
        "Of {num} questions, {answers} have a true answer and {quotes} a quote that stands in for one.",
        num=f"{seen.num_questions:,}",
        answers=f"{seen.num_with_answer:,}",
        quotes=f"{seen.num_with_quote:,}",
    )
