"""What the installation keeps on disk, project by project, and a button for what can be made again."""

import streamlit as st

from components.errors import shown_errors
from components.text import plain, size_text, t
from finetune_core.workspace import installation, projects


@shown_errors()
def storage_table(*, key: str) -> None:
    """Two tables of sizes, and the clean-up of caches."""
    sizes = {project.id: projects.size(project.id) for project in projects.listing()}
    st.subheader(t("Projects"), anchor=False)
    if sizes:
        rows = [
            {
                t("Project"): plain(project.name),
                t("Documents"): f"{sizes[project.id].num_documents:,}",
                t("Questions"): f"{sizes[project.id].num_pairs:,}",
                t("Datasets"): f"{sizes[project.id].num_datasets:,}",
                t("Models"): f"{sizes[project.id].num_models:,}",
                t("Files"): size_text(sizes[project.id].size_bytes),
            }
            for project in projects.listing()
        ]
        st.table(rows, border="horizontal")
    else:
        st.caption(t("There is no project yet."))
    st.subheader(t("Folders"), anchor=False)
    parts = installation.storage_use()
    names = {
        "database": t("Database"),
        "projects": t("Projects"),
        "jobs": t("Jobs and logs"),
        "vectors": t("Vector cache"),
        "uploads": t("Uploads not yet read"),
    }
    st.table({names[part.name]: size_text(part.size_bytes) for part in parts}, border="horizontal")
    st.caption(t("All of it lies in {folder}.", folder=plain(str(installation.home()))))
    freed = sum(part.size_bytes for part in parts if part.is_cache)
    _clear(freed, key)


def _clear(freed: int, key: str) -> None:
    label = t("Empty the caches ({size})", size=size_text(freed))
    if st.button(label, icon=":material/mop:", key=f"{key}_clear", disabled=not freed):
        installation.clear_caches()
        st.toast(t("Freed {size}.", size=size_text(freed)), icon=":material/check:")
        st.rerun()
    st.caption(t("Vectors are computed again when they are needed; nothing you made is lost."))
