"""The entrypoint every page runs in: page config, sign-in, the project picker and the navigation.

It does not lie beside `pages/`, or Streamlit would let a page run alone on the first deep link after a start.
"""

from pathlib import Path

import streamlit as st

from components.missing_models import missing_models
from components.navigation import navigation
from components.project_picker import project_picker
from components.sign_in import sign_in

_STATIC = Path(__file__).parent / "static"


def shell() -> None:
    """Draw the frame and run the page the reader asked for."""
    icon = str(_STATIC / "favicon.svg")
    st.set_page_config(page_title="Ayar", page_icon=icon, layout="wide", initial_sidebar_state="auto")
    st.logo(str(_STATIC / "logo.svg"), size="large", icon_image=icon)
    sign_in()
    with st.sidebar:
        project_picker(key="project")
    page = navigation(key="navigation")
    missing_models(key="missing_models")
    page.run()


shell()
