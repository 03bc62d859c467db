"""What writing will take: how many, tokens, money, time, and what that rests on."""

import streamlit as st

from components.text import duration_text, t
from finetune_core.workspace.generation import Estimate


def generate_estimate(seen: Estimate, num_left: int, title: str, over: str) -> None:
    """Draw the four numbers and the sentence below them; `over` says what the calls are about."""
    with st.grid(4):
        st.metric(title, f"{num_left:,}")
        st.metric(t("Tokens, about"), f"{seen.input_tokens + seen.output_tokens:,}")
        st.metric(t("Cost, about"), t("no price") if seen.cost_usd is None else f"${seen.cost_usd:,.2f}")
        st.metric(t("Time, about"), duration_text(seen.seconds))
    parts = [over]
    if seen.num_done:
        parts.append(t("{num} were written before; none is asked or paid for twice.", num=f"{seen.num_done:,}"))
    if seen.basis == "measured":
        parts.append(t("The time goes by the last generation here."))
    else:
        parts.append(t("The time is a guess until the first generation here has ended."))
    st.caption(" ".join(parts))
