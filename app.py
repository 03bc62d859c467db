"""The dashboard: `streamlit run app.py`. The pages' common frame is components/shell.py; the door is components/server/."""

import streamlit as st

from components.server.application import SHELL, middleware, on_script_error, provide_plotly, routes

provide_plotly()
# Written out here because `streamlit run` looks for this very call in the text of this file. Without it, Streamlit would
# serve the files of pages/ alone, without shell or sign-in.
app = st.App(SHELL, routes=routes(), middleware=middleware(), on_script_error=on_script_error)
