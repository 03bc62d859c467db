"""What the providers were paid so far, over all projects."""

import streamlit as st

from components.errors import shown_errors
from components.text import plain, t
from finetune_core.workspace import providers


@shown_errors()
def spend_table(*, key: str) -> None:
    """One row for each provider that was ever asked."""
    spent = providers.spent()
    if not spent:
        st.caption(
            t("Nothing was spent: no provider was asked yet. Local models and the extractive generator cost nothing.")
        )
        return
    rows = [
        {
            t("Provider"): plain(one.provider),
            t("Calls"): f"{one.num_calls:,}",
            t("Tokens in"): f"{one.spend.input_tokens:,}",
            t("Tokens out"): f"{one.spend.output_tokens:,}",
            t("Cost"): t("no price given") if one.spend.cost_usd is None else f"\\${one.spend.cost_usd:,.4f}",
        }
        for one in spent
    ]
    with st.container(key=key):
        st.table(rows, border="horizontal")
    st.caption(
        t(
            "Counted by Ayar from the providers' own token counts and the prices entered here; the bill is theirs. Tokens "
            "that a model was trained on count as tokens in."
        )
    )
