"""What the URL names: read whatever way its letters are written, and written only when it changes."""

from collections.abc import Mapping

import streamlit as st


def url_state(key: str, titles: Mapping[str, str]) -> None:
    """Before a widget that is bound to `key` is drawn: read what the URL says without regard to capital letters.

    `titles` maps the widget's options to what is shown of them, which is what the URL holds. "Accepted", "accepted" and
    "ACCEPTED" name the same option; the URL is put right and the page run once more. What names none is left to the widget.
    """
    asked = st.query_params.get(key, "")
    wanted = asked.strip().casefold()
    if not wanted or key in st.session_state:
        return
    for option, title in titles.items():
        if wanted in (title.casefold(), option.casefold()) and asked != title:
            st.query_params[key] = title
            st.rerun()


def write_url(key: str, value: str) -> None:
    """Have the URL say `value`. Nothing is sent if it does already: each write takes out of it what is just being typed."""
    if st.query_params.get(key) != value:
        st.query_params[key] = value
