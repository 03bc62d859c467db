"""What tuning did to questions it was not tuned for: a loss stands beside the gain."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components.text import plain, t

_LOOK = {
    "better": ("green", ":material/trending_up:", "Better elsewhere too"),
    "worse": ("red", ":material/trending_down:", "Worse elsewhere"),
    "no_difference": ("gray", ":material/trending_flat:", "No change shown elsewhere"),
    "not_scored": ("gray", ":material/block:", "Not scored elsewhere"),
}


def out_of_domain_result(models: Mapping[str, dict[str, Any]], *, key: str) -> None:
    """A card with a sentence for each model by name, or why there is none, and what the first lost most; nothing for {}."""
    if not models:
        return
    with st.container(border=True, key=f"{key}_card"):
        for name, found in models.items():
            hue, icon, label = _LOOK[found.get("outcome", "not_scored")]
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge(t(label), icon=icon, color=hue)
                if len(models) > 1:
                    st.text(name)
            st.markdown(plain(t(found.get("sentence") or found["note"])))
        lost = next(iter(models.values())).get("lost")
        if lost and st.toggle(t("What lost most there"), key=f"{key}_lost"):
            st.table([_row(one) for one in lost], border="horizontal", hide_index=True)


def _row(lost: dict[str, Any]) -> dict[str, str]:
    beyond = t("beyond 100")
    return {
        t("Question"): plain(lost["query"]),
        t("Rank before"): str(lost["before"] or beyond),
        t("Rank after"): str(lost["after"] or beyond),
    }
