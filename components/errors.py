"""How a problem that a person can mend is shown: what is wrong, and the one thing to do next."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from components.text import plain, t
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


@contextmanager
def kept_errors(key: str) -> Iterator[None]:
    """In a widget's callback, where nothing may be drawn: keep a FinetuneError of the block for `show_kept_error(key)`."""
    try:
        yield
    except FinetuneError as error:
        keep_error(key, error.message, error.hint)


def keep_error(key: str, message: str, hint: str) -> None:
    """Have `show_kept_error(key)` show this at the next run of the page."""
    st.session_state[f"{key}_problem"] = (message, hint)


def show_kept_error(key: str) -> None:
    """Show what a callback kept under `key`, once; nothing if it kept nothing."""
    if problem := st.session_state.pop(f"{key}_problem", None):
        show_error(*problem)


def show_error(message: str, hint: str = "") -> None:
    """One red box with the message, and the hint on a line of its own. Markdown in either is shown, not rendered."""
    text = f"**{plain(t(message))}**"
    st.error(f"{text}\n\n{plain(t(hint))}" if hint else text, icon=":material/error:")
