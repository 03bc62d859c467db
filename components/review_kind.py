"""Which kind of example a page is about: question/passage pairs, or queries with the choice each is for."""

from collections.abc import Mapping

import streamlit as st

from components.text import t
from finetune_core.workspace import pipeline

PAIRS, QUERIES = "pairs", "queries"


def review_kind(project_id: str, *, key: str, more: Mapping[str, str] | None = None) -> str:
    """`PAIRS`, `QUERIES`, or one of `more` (by name: title): what the link asks for (`?kind=`), else what the project has.

    The switch is always there.
    """
    titles = {PAIRS: t("Questions and passages"), QUERIES: t("Queries for choices"), **(more or {})}
    asked = st.query_params.get("kind", "").casefold()
    if asked not in titles:
        asked = QUERIES if pipeline.look(project_id).counts.has_only_choices else PAIRS
    kind = st.segmented_control(
        t("Kind of example"), list(titles), default=asked, key=key, required=True,
        format_func=titles.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    st.query_params["kind"] = kind
    return str(kind)
