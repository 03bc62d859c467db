"""Which part of the RAG system to tune."""

from collections.abc import Mapping

import streamlit as st

from components.kind_words import kind_words
from components.text import plain, t
from components.url_state import url_state
from finetune_core import recipes
from finetune_core.recipes import Recipe


def train_recipe(*, key: str) -> Recipe:
    """The chosen recipe; the choice stands in the URL."""
    known = recipes.discover()
    first = _first(known)
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


def _first(known: Mapping[str, Recipe]) -> str:
    """The recipe that learns from the kind of example that a link is about (`?kind=`), else the one for embedding models."""
    kind = st.query_params.get("kind", "").casefold()
    about = (name for name, one in known.items() if kind and kind_words(one.record.__name__).review == kind)
    return next(about, "embedding" if "embedding" in known else next(iter(known)))


def _take(key: str, name: str) -> None:
    st.session_state[key] = name
