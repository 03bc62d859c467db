"""Which kind of example a page is about: question/passage pairs, queries with choices, or demonstrations of some kind."""

from collections.abc import Sequence

import streamlit as st

from components.kind_words import kind_words
from components.text import t
from components.url_state import write_url
from finetune_core.workspace import datasets, demonstrations, pipeline

ALWAYS = (datasets.PAIRS, datasets.QUERIES)
"""The kinds that are offered to every project."""


def review_kind(project_id: str, kinds: Sequence[str] = (), *, key: str) -> str:
    """The kind, by the name of its record's class: what the link asks for (`?kind=`), else what the project has.

    The switch offers `kinds`; without them, pairs, queries, and the demonstrations that the project has or the link asks for.
    """
    names = {kind_words(kind).review: kind for kind in (*ALWAYS, *demonstrations.KINDS)}
    names |= {kind.casefold(): kind for kind in names.values()}  # a link may say the record's name
    asked = names.get(st.query_params.get("kind", "").casefold(), "")
    held = demonstrations.counts(project_id)
    shown = list(kinds) or [*ALWAYS, *(kind for kind in demonstrations.KINDS if kind in held or kind == asked)]
    first = asked if asked in shown else _first(project_id, shown, list(held))
    titles = {kind_words(kind).review: kind_words(kind).title for kind in shown}
    name = st.segmented_control(
        t("Kind of example"), list(titles), default=kind_words(first).review, key=key, required=True,
        format_func=titles.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    write_url("kind", name)
    return names[name]


def _first(project_id: str, shown: Sequence[str], held: Sequence[str]) -> str:
    """What a project is about: queries where it has choices alone, demonstrations where it has those alone, else pairs."""
    counts = pipeline.look(project_id).counts
    if counts.has_only_choices:
        return datasets.QUERIES
    return (
        next((kind for kind in held if kind in shown), datasets.PAIRS)
        if counts.has_only_demonstrations
        else datasets.PAIRS
    )
