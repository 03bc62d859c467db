"""Which tuned model the details are about."""

import streamlit as st

from components.text import plain, t
from finetune_core.workspace.comparisons import ComparisonView


def compare_system(view: ComparisonView, *, key: str) -> str:
    """The key of the tuned system to look at; the one that carries the verdict unless another is chosen."""
    names = {system["key"]: system["name"] for system in view.tuned}
    if len(names) == 1:
        return next(iter(names))
    chosen = st.segmented_control(
        t("Look at"),
        list(names),
        default=next(iter(names)),
        format_func=lambda key_: plain(names[key_]) + ("" if key_ != next(iter(names)) else " · " + t("candidate")),
        required=True,
        key=f"{key}_{view.id}",
    )
    system = chosen or next(iter(names))
    if system != next(iter(names)):
        verdict = view.difference(system)["verdict"]
        mark = t("Exploratory, because this run was not the candidate:") if verdict["is_exploratory"] else ""
        st.caption(f"{mark} {plain(verdict['sentence'])}")
    return system
