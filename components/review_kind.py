"""Which kind of example a review is about: question/passage pairs, or queries with the choice each is for."""

import streamlit as st

from components.text import t
from finetune_core.workspace import labelled

PAIRS, QUERIES = "pairs", "queries"


def review_kind(project_id: str, *, key: str) -> str:
    """`PAIRS` or `QUERIES`; the switch is drawn once a project has choices, or where a link asks for queries (`?kind=`)."""
    asked = st.query_params.get("kind", PAIRS)
    if asked != QUERIES and not labelled.choices(project_id):
        return PAIRS
    titles = {PAIRS: t("Questions and passages"), QUERIES: t("Queries for choices")}
    kind = st.segmented_control(
        t("Kind of example"), list(titles), default=asked if asked in titles else PAIRS, key=key, required=True,
        format_func=titles.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    st.query_params["kind"] = kind
    return str(kind)
