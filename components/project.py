"""Which project a page works on: the one named in the URL, so that a reload or a link leads to the same place."""

import streamlit as st

from components.text import t
from components.url_state import write_url
from finetune_core.workspace import projects

_KEY = "project_id"


def current_project() -> projects.Project:
    """The chosen project. Without any project, shows how to make one and ends the page's run."""
    project = chosen_project()
    if project is None:
        from components.empty import empty_state
        from components.project_dialogs import create_project

        if empty_state(
            t("Start with a project"),
            t("A project holds your documents, the questions about them, and the models you tune on those questions."),
            icon=":material/folder_open:",
            button=t("Create a project"),
            key="first_project",
        ):
            create_project()
        st.stop()
    return project


def chosen_project() -> projects.Project | None:
    """The chosen project, or None while there is none."""
    known = {project.id: project for project in projects.listing()}
    if not known:
        return None
    wanted = st.query_params.get("project") or st.session_state.get(_KEY, "")
    project = known.get(wanted) or next(iter(known.values()))
    choose_project(project.id)
    return project


def project_query() -> dict[str, str]:
    """The query that keeps a link to another page in the same project; {} while there is none."""
    return {"project": st.query_params["project"]} if "project" in st.query_params else {}


def choose_project(project_id: str) -> None:
    """Make `project_id` the chosen one, in this session and in the URL. An empty id forgets the choice."""
    st.session_state[_KEY] = project_id
    if not project_id:
        st.query_params.pop("project", None)
    else:
        write_url("project", project_id)
