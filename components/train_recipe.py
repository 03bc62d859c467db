"""Which part of the RAG system to tune."""

import streamlit as st

from components.text import plain, t
from components.url_state import url_state
from finetune_core import recipes
from finetune_core.recipes import Recipe


def train_recipe(*, key: str) -> Recipe:
    """The chosen recipe; the choice stands in the URL."""
    known = recipes.discover()
    first = "embedding" if "embedding" in known else next(iter(known))
    url_state(key, {name: t(one.title) for name, one in known.items()})
    chosen = st.selectbox(
        t("What to tune"),
        list(known),
        index=list(known).index(first),
        format_func=lambda name: t(known[name].title),
        key=key,
        bind="query-params",
    )
    recipe = known[chosen]
    st.caption(plain(t(recipe.summary)))
    if recipe.notice:
        st.warning(plain(t(recipe.notice)), icon=":material/event_busy:")
        if instead := known.get(recipe.alternative):
            st.button(
                t("Take “{title}” on the same data", title=t(instead.title)), icon=":material/swap_horiz:",
                key=f"{key}_instead", on_click=_take, args=(key, instead.name),
            )  # fmt: skip
    return recipe


def _take(key: str, name: str) -> None:
    st.session_state[key] = name
