"""The dialogs that create, rename and delete a project."""

import streamlit as st

from components.errors import shown_errors
from components.project import choose_project
from components.text import plain, size_text, t, tn
from finetune_core.workspace import projects


@st.dialog(t("New project"), icon=":material/create_new_folder:")
def create_project() -> None:
    """Ask for a name and make the project the chosen one."""
    with st.form("create_project", border=False):
        name = st.text_input(t("Name"), placeholder=t("Support handbook"), max_chars=120)
        st.caption(t("One project holds one body of documents and all that is learnt from it."))
        if st.form_submit_button(t("Create"), type="primary"):
            with shown_errors():
                choose_project(projects.create(name.strip()).id)
                st.rerun()


@st.dialog(t("Rename project"), icon=":material/edit:")
def rename_project(project: projects.Project) -> None:
    """Ask for another name."""
    with st.form("rename_project", border=False):
        name = st.text_input(t("Name"), value=project.name, max_chars=120)
        if st.form_submit_button(t("Rename"), type="primary"):
            with shown_errors():
                projects.rename(project.id, name.strip())
                st.rerun()


@st.dialog(t("Delete project"), icon=":material/delete:")
def delete_project(project: projects.Project) -> None:
    """Say what would be lost, and delete only after its name was typed."""
    size = projects.size(project.id)
    st.markdown(t("**{name}** and everything in it will be gone for good:", name=plain(project.name)))
    st.table(
        {
            t("Documents"): f"{size.num_documents:,} ({tn('{num} chunk', '{num} chunks', size.num_chunks)})",
            t("Questions"): f"{size.num_pairs:,}",
            t("Datasets"): f"{size.num_datasets:,}",
            t("Models"): f"{size.num_models:,}",
            t("On disk"): size_text(size.size_bytes),
        },
        border="horizontal",
    )
    with st.form("delete_project", border=False):
        typed = st.text_input(t("Type the project's name to confirm"), autocomplete="off")
        if st.form_submit_button(t("Delete for good"), type="primary", icon=":material/delete:"):
            with shown_errors():
                if typed.strip() != project.name:
                    st.warning(t("That is not the project's name; nothing was deleted."))
                    return
                projects.delete(project.id)
                choose_project("")
                st.rerun()
