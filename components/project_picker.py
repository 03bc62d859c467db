"""Choosing the project everything is about, at the top of the sidebar."""

import streamlit as st

from components.errors import shown_errors
from components.project import choose_project, chosen_project
from components.project_dialogs import create_project, delete_project, rename_project
from components.text import plain, t
from finetune_core.workspace import projects


@shown_errors()
def project_picker(*, key: str) -> None:
    """A list of the projects, and a menu to create, rename or delete one."""
    project = chosen_project()
    if project is None:
        if st.button(t("New project"), icon=":material/add:", width="stretch", key=f"{key}_first"):
            create_project()
        return
    names = {each.id: each.name for each in projects.listing()}
    st.session_state[f"{key}_choice"] = project.id
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        st.selectbox(
            t("Project"), list(names), format_func=lambda id_: names.get(id_, id_), key=f"{key}_choice",
            on_change=lambda: choose_project(st.session_state[f"{key}_choice"]),
        )  # fmt: skip
        with st.popover(t("Manage project"), icon=":material/more_horiz:", key=f"{key}_menu"):
            st.caption(plain(project.name))
            if st.button(t("New project"), icon=":material/add:", type="tertiary", key=f"{key}_new"):
                create_project()
            if st.button(t("Rename"), icon=":material/edit:", type="tertiary", key=f"{key}_rename"):
                rename_project(project)
            if st.button(t("Delete"), icon=":material/delete:", type="tertiary", key=f"{key}_delete"):
                delete_project(project)
