"""How a problem that a person can mend is shown: what is wrong, and the one thing to do next."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from components.text import plain
from finetune_core.errors import FinetuneError


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show a FinetuneError of the block or decorated function instead of raising it; what comes after it goes on.

    As a context manager: `with shown_errors(): pairs.freeze(...)`; as a decorator: `@shown_errors()`.
    """
    try:
        yield
    except FinetuneError as error:
        show_error(error.message, error.hint)


def show_error(message: str, hint: str = "") -> None:
    """One red box with the message, and the hint on a line of its own. Markdown in either is shown, not rendered."""
    text = f"**{plain(message)}**"
    st.error(f"{text}\n\n{plain(hint)}" if hint else text, icon=":material/error:")
