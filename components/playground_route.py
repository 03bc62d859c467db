"""Where a router sends one question: its decision, and the best choices with their scores as bars."""

import streamlit as st

from components.text import duration_text, plain, t, tn
from finetune_core.workspace.playground import Answer

_SHOWN = 5


def playground_route(answer: Answer, *, key: str) -> None:
    """The decision and the scores behind it; `answer` must hold a route."""
    route = answer.route
    assert route is not None
    choices = tn("{num} choice", "{num} choices", answer.num_searched)
    st.caption(f"{duration_text(answer.seconds)} · {choices}")
    with st.container(border=True, gap="small", key=key):
        name = next((choice.name or choice.id for choice in route.choices if choice.id == route.decision), "")
        if not route.choices:
            st.text(t("The question could not be routed."))
        elif name:
            st.markdown(t(":material/alt_route: Goes to **{name}**", name=plain(name)))
        else:
            st.markdown(t(":material/block: **Out of scope**: none of the choices is for it."))
        shown = route.choices[:_SHOWN]
        low = min([0.0, *(choice.score for choice in shown)])
        high = max([low + 1e-9, *(choice.score for choice in shown)])
        for choice in shown:
            text = f"{plain(choice.name or choice.id)} · {choice.score:.3f}"
            st.progress(min(1.0, max(0.0, (choice.score - low) / (high - low))), text)
        if route.threshold is not None:
            st.caption(t("Below a score of {threshold} it says that none fits.", threshold=f"{route.threshold:.3f}"))
