"""Choosing the project everything is about, at the top of the sidebar."""

import streamlit as st

from components.errors import shown_errors
from components.project import choose_project, chosen_project
from components.project_dialogs import create_project, delete_project, rename_project
from components.text import t
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
    with st.container(horizontal=True, wrap=False, vertical_alignment="bottom", gap="xsmall"):
        st.selectbox(
            t("Project"),
            list(names),
            format_func=lambda project_id: names.get(project_id, project_id),
            key=f"{key}_choice",
            on_change=lambda: choose_project(st.session_state[f"{key}_choice"]),
        )
        chosen = st.menu_button(
            t("Manage"),
            [t("New project"), t("Rename project"), t("Delete project")],
            type="tertiary",
            key=f"{key}_menu",
        )
    if chosen == t("New project"):
        create_project()
    elif chosen == t("Rename project"):
        rename_project(project)
    elif chosen == t("Delete project"):
        delete_project(project)
