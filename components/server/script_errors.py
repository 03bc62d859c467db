"""What a reader sees when a page's script raises: the message and hint of a known problem, else that it is a bug."""

import logging

import streamlit as st

from components.errors import show_error
from components.text import t
from finetune_core.errors import FinetuneError

_log = logging.getLogger("ayar.dashboard")


def on_script_error(error: Exception) -> bool:
    """Show the problem in the page and keep Streamlit from showing its own; a bug's traceback goes to the log only."""
    if isinstance(error, FinetuneError):
        show_error(error.message, error.hint)
        return True
    _log.error("A page's script failed", exc_info=error)
    st.error(
        f"**{t('This is a bug in Ayar.')}**\n\n"
        + t("Nothing you made is lost. Reload the page; if it comes back, the dashboard's log says what happened."),
        icon=":material/bug_report:",
    )
    return True
