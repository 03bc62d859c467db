"""What a page shows while there is nothing to show: one sentence, and the next step."""

import streamlit as st


def empty_state(title: str, text: str, page: str = "", label: str = "", *, icon: str = ":material/inbox:") -> None:
    """A calm card with `title` and `text`; `page` (such as "pages/corpus.py") and `label` make a link to the next step."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f"## {icon}", text_alignment="center")
        st.subheader(title, anchor=False, text_alignment="center")
        st.markdown(text, text_alignment="center")
        if page:
            st.page_link(f"../{page}", label=label, icon=":material/arrow_forward:", icon_position="right")
        st.space("small")
