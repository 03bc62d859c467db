"""The entrypoint every page runs in: page config, sign-in, the project picker and the navigation.

It does not lie beside `pages/`, or Streamlit would let a page run alone on the first deep link after a start.
"""

from pathlib import Path

import streamlit as st

from components.project_picker import project_picker
from components.sign_in import sign_in
from components.text import t

_STATIC = Path(__file__).parent / "static"
_PAGES = Path(__file__).parents[1] / "pages"


def shell() -> None:
    """Draw the frame and run the page the reader asked for."""
    st.set_page_config(
        page_title="Ayar", page_icon=str(_STATIC / "favicon.svg"), layout="wide", initial_sidebar_state="auto"
    )
    st.logo(str(_STATIC / "logo.svg"), size="large", icon_image=str(_STATIC / "favicon.svg"))
    page = st.navigation(_pages(), position="sidebar", expanded=True)
    sign_in()
    with st.sidebar:
        project_picker(key="project")
    page.run()


def _pages() -> dict[str, list[st.Page]]:
    groups = {
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
        t("House"): [_page("settings", t("Settings"), "settings")],
    }
    return {title: [page for page in pages if page] for title, pages in groups.items() if any(pages)}


def _page(name: str, title: str, icon: str, *, default: bool = False) -> "st.Page | None":
    if not (_PAGES / f"{name}.py").is_file():
        return None
    return st.Page(f"../pages/{name}.py", title=title, icon=f":material/{icon}:", url_path=name, default=default)


shell()
