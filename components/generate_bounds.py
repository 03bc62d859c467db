"""How many questions, over which chunks, in which language, and the most it may cost."""

from typing import Any

import streamlit as st

from components.generate_cap import generate_cap
from components.text import t
from finetune_core.workspace import generation


def generate_bounds(generator: str, *, key: str) -> dict[str, Any]:
    """Draw the fields; returns the values that `generation.params_from` takes."""
    st.subheader(t("How much"), anchor=False)
    languages = list(generation.LANGUAGES)
    if generator == "endpoint":
        languages = [generation.SAME_LANGUAGE, *languages]
    first, second, third = st.columns(3)
    values: dict[str, Any] = {
        "language": first.selectbox(
            t("Language"), languages, key=f"{key}_language_{generator}", accept_new_options=generator == "endpoint"
        ),
        "questions_per_chunk": second.number_input(t("Questions per chunk"), 1, 20, 1, key=f"{key}_questions"),
        "num_chunks": third.number_input(
            t("Chunks to ask about (0: all)"), 0, None, 0, 50, key=f"{key}_chunks",
            help=t("0 asks about all. A sample is spread evenly over documents; a larger one keeps what a smaller one wrote."),
        ),
    }  # fmt: skip
    if generator == "endpoint":
        values |= generate_cap(key=key)
    return values
