"""What an answer of each system takes: time, tokens and money."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from components.text import duration_text, plain, t


def answer_costs(systems: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """A table of names with the facts of their reports; systems that were not asked anything are left out."""
    rows = [_row(name, facts) for name, facts in systems if facts.get("num_asked")]
    if rows:
        st.table(rows, border="horizontal", hide_index=True)


def _row(name: str, facts: Mapping[str, Any]) -> dict[str, str]:
    num, latency, cost = facts["num_asked"], facts.get("latency_ms"), facts.get("cost_usd_per_query")
    tokens = (facts.get("input_tokens", 0) + facts.get("output_tokens", 0)) / num
    return {
        t("System"): plain(name),
        t("Answers"): f"{num:,}",
        t("Time per answer"): "–" if latency is None else duration_text(latency / 1000),
        t("Tokens per answer"): f"{tokens:,.0f}",
        t("Cost per 1,000 answers"): t("no price") if cost is None else f"US\\${1000 * cost:,.2f}",
        t("Refused or cut by the cap"): f"{facts.get('num_refused', 0) + facts.get('num_not_asked', 0):,}",
    }
