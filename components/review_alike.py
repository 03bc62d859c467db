"""Rejecting all pending pairs like one: near-duplicates of its question, or such as begin alike."""

import streamlit as st

from components.errors import shown_errors
from components.text import plain, t, tn
from finetune_core.workspace import pairs

_SHOWN = 12


def review_alike(project_id: str, pair_id: str, *, key: str) -> bool:
    """Show which pairs would go, and ask; True once the person has decided either way."""
    with st.container(border=True, key=key):
        start = " ".join(pairs.get(project_id, pair_id).pair.question.split()[: pairs.SAME_START_WORDS])
        kinds = {
            "near": t("Nearly the same question"),
            "start": t("Begins with “{start} …”", start=plain(start)),
        }
        kind = st.radio(t("Which are alike?"), list(kinds), format_func=kinds.get, key=f"{key}_kind", horizontal=True)
        found = pairs.alike(project_id, pair_id, same_start=kind == "start")
        st.text("\n".join(f"• {one.question}" for one in found[:_SHOWN]))
        if len(found) > _SHOWN:
            st.caption(t("and {num} more", num=f"{len(found) - _SHOWN:,}"))
        with st.container(horizontal=True):
            label = tn("Reject {num} pair", "Reject these {num} pairs", len(found))
            go = st.button(label, type="primary", icon=":material/remove_done:", key=f"{key}_go")
            leave = st.button(t("Keep them"), key=f"{key}_leave")
        if go:
            with shown_errors():
                pairs.reject_these(project_id, [one.id for one in found])
                return True
    return leave
