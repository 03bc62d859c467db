"""Which models answer next to each other: a tuned one and the one it came from, unless the person chooses otherwise."""

import streamlit as st

from components.text import t
from finetune_core.workspace import playground
from finetune_core.workspace.playground import Contender


def playground_models(project_id: str, *, key: str) -> list[Contender]:
    """One or two different contenders, the one to compare with first; only the base while nothing was tuned yet."""
    known = {contender.id: contender for contender in playground.contenders(project_id)}
    first = next(iter(known.values()))
    if not first.base_id:
        st.caption(
            t("Only the base model can answer yet. Train a model, and it stands here beside the one it came from.")
        )
        return [first]

    def name(contender_id: str) -> str:
        shown = known[contender_id]
        is_ambiguous = sum(other.name == shown.name for other in known.values()) > 1
        suffixed = t("{name} (stock)", name=shown.name) if shown.is_stock else t("{name} (base)", name=shown.name)
        label = shown.name if shown.base_id else suffixed
        return f"{label} · {contender_id[:6]}" if is_ambiguous else label

    left, right = st.columns(2)
    with right:
        tuned = st.selectbox(t("Model"), list(known), format_func=name, key=f"{key}.right")
    with left:
        base_ids = [other for other in known if known[other].kind == known[tuned].kind]
        index = base_ids.index(known[tuned].base_id or next(other for other in base_ids if other != tuned))
        compared = st.selectbox(t("Compared with"), base_ids, index=index, format_func=name, key=f"{key}.left.{tuned}")
    if compared == tuned:
        st.caption(t("Both are the same model: choose another one to compare."))
        return [known[tuned]]
    return [known[compared], known[tuned]]
