"""Which part of the RAG system to tune."""

import streamlit as st

from components.text import plain, t
from finetune_core import recipes
from finetune_core.recipes import Recipe


def train_recipe(*, key: str) -> Recipe:
    """The chosen recipe; the choice stands in the URL."""
    known = recipes.discover()
    first = "embedding" if "embedding" in known else next(iter(known))
    chosen = st.selectbox(
        t("What to tune"),
        list(known),
        index=list(known).index(first),
        format_func=lambda name: t(known[name].title),
        key=key,
        bind="query-params",
    )
    st.caption(plain(t(known[chosen].summary)))
    return known[chosen]
