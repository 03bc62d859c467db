"""The pages in their groups, as links that keep the project, so that a link opened in another tab leads to the same one."""

import streamlit as st

from components.project import project_query
from components.text import t


def navigation(*, key: str) -> st.Page:
    """Draw the links in the sidebar and return the page the reader asked for."""
    groups = _groups()
    # Streamlit's own menu would drop `?project=` from every link; it only routes here.
    chosen = st.navigation([page for pages in groups.values() for page in pages], position="hidden")
    kept = project_query()
    with st.sidebar, st.container(key=key, gap="xxsmall"):
        for title, pages in groups.items():
            if title:
                st.space("xxsmall")
                st.caption(title)
            for page in pages:
                st.page_link(page, query_params=kept, width="stretch")
    return chosen


def _groups() -> dict[str, list[st.Page]]:
    return {
        "": [_page("home", t("Home"), "home", default=True)],
        t("Data"): [
            _page("corpus", t("Corpus"), "library_books"),
            _page("generate", t("Questions"), "edit_note"),
            _page("review", t("Review"), "fact_check"),
        ],
        t("Learn"): [_page("train", t("Train"), "tune"), _page("runs", t("Runs"), "monitoring")],
        t("Judge"): [
            _page("compare", t("Compare"), "balance"),
            _page("playground", t("Playground"), "manage_search"),
            _page("models", t("Models"), "deployed_code"),
        ],
        t("Workshop"): [_page("settings", t("Settings"), "settings")],
    }


def _page(name: str, title: str, icon: str, *, default: bool = False) -> st.Page:
    return st.Page(f"../pages/{name}.py", title=title, icon=f":material/{icon}:", url_path=name, default=default)
