"""Which queries are meant, kept in the URL."""

import streamlit as st

from components.review_deck import state_text
from components.text import t
from components.url_state import url_state
from finetune_core.workspace import labelled
from finetune_core.workspace.labelled import PairState, QueryFilter

_ANY = "any"
_STATES = [_ANY, PairState.PENDING.value, PairState.ACCEPTED.value, PairState.REJECTED.value, PairState.ASIDE.value]


def queries_filter(project_id: str, *, state: str = "", key: str) -> QueryFilter:
    """Draw the filter in a row and return what it says; `state` is what it says at first."""
    names = choice_names(project_id)
    states = {value: state_text("" if value == _ANY else value) for value in _STATES}
    url_state(f"{key}_state", states)
    url_state(f"{key}_label", names)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.selectbox(
            t("State"), _STATES, index=_STATES.index(state or _ANY), key=f"{key}_state", width=165, bind="query-params",
            format_func=states.__getitem__,
        )  # fmt: skip
        label = st.selectbox(
            t("Choice"), list(names), index=None, key=f"{key}_label", width=220, bind="query-params",
            format_func=lambda one: names.get(one, one), placeholder=t("Any choice"),
        )  # fmt: skip
        text = st.text_input(
            t("Text"), key=f"{key}_text", icon=":material/search:", bind="query-params", width="stretch"
        )
    return QueryFilter("" if wanted == _ANY else wanted, label, (text or "").strip())


def choice_names(project_id: str) -> dict[str, str]:
    """Label to what a person calls it: each choice by its name, out of scope last. Names are made distinct."""
    outside = t("out of scope")
    names: dict[str, str] = {}
    for one in labelled.choices(project_id):
        names[one.id] = one.name if one.name not in (outside, *names.values()) else f"{one.name} ({one.id})"
    return names | {labelled.OUT_OF_SCOPE: outside}
