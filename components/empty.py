"""What a page shows while there is nothing to show: one sentence, and the next step."""

from collections.abc import Mapping

import streamlit as st

from components.project import project_query


def empty_state(
    title: str,
    text: str,
    page: str = "",
    label: str = "",
    *,
    icon: str = ":material/inbox:",
    button: str = "",
    query: Mapping[str, str] | None = None,
    key: str = "empty",
) -> bool:
    """A calm card with `title` and `text`.

    `page` (such as "pages/corpus.py") and `label` make a link to the next step, with `query` in its URL;
    `button` makes a button instead, and the return value says whether it was pressed.
    """
    pressed = False
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f"# :primary[{icon}]", text_alignment="center", width="content", anchors=False)
        st.subheader(title, anchor=False, text_alignment="center")
        st.markdown(text, text_alignment="center", width=520)
        if page:
            st.page_link(
                f"../{page}",
                label=label,
                icon=":material/arrow_forward:",
                icon_position="right",
                query_params=project_query() | dict(query or {}),
            )
        if button:
            pressed = st.button(button, type="primary", icon=":material/add:", key=f"{key}_button")
        st.space("small")
    return pressed
