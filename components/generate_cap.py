"""The most that writing by a service may cost."""

from typing import Any

import streamlit as st

from components.text import t


def generate_cap(*, key: str) -> dict[str, Any]:
    """Draw the two caps; returns `max_tokens` and `max_cost_usd`, each None for no limit."""
    left, right = st.columns(2)
    tokens = left.number_input(
        t("Stop at this many tokens"), 0, None, 1_000_000, 10_000, key=f"{key}_tokens", help=t("0 sets no limit.")
    )
    dollars = right.number_input(
        t("Stop at this many dollars"), 0.0, None, 0.0, 0.5, key=f"{key}_usd",
        help=t("0 sets no limit. It needs the provider's prices, which you enter on Settings."),
    )  # fmt: skip
    return {"max_tokens": tokens or None, "max_cost_usd": dollars or None}
