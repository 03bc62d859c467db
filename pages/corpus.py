"""Corpus: bring documents in, see what became of each file, look at documents and chunks, choose how they are cut."""

import streamlit as st

from components.corpus_chunks import corpus_chunks
from components.corpus_documents import corpus_documents
from components.corpus_files import corpus_files
from components.corpus_job import corpus_job
from components.corpus_preview import corpus_preview
from components.corpus_settings import corpus_settings
from components.corpus_summary import corpus_summary
from components.corpus_upload import corpus_upload
from components.empty import empty_state
from components.errors import shown_errors
from components.project import current_project
from components.text import t
from components.url_state import url_state


@shown_errors()
def page() -> None:
    """Draw the page."""
    st.title(t("Corpus"), anchor=False)
    project = current_project()
    st.markdown(t("The documents that questions are written about, cut into the chunks that are searched."))
    has_any = corpus_summary(project, key="summary")
    corpus_upload(project.id, is_open=not has_any, key="upload")
    corpus_job(project.id, key="job")
    views = {
        "documents": t("Documents"),
        "chunks": t("Chunks"),
        "settings": t("Chunk size"),
        "files": t("Files"),
    }
    url_state("view", views)
    view = st.segmented_control(
        t("Show"),
        list(views),
        format_func=lambda name: views[name],
        default="documents",
        required=True,
        key="view",
        label_visibility="collapsed",
        bind="query-params",
    )
    if view == "settings":
        chosen = corpus_settings(project, key="settings")
        corpus_preview(project.id, chosen, key="preview")
    elif view == "files":
        corpus_files(project.id, key="files")
    elif not has_any:
        empty_state(
            t("No documents yet"),
            t("Add some above, or load the demo on Home to look around first."),
            "pages/home.py",
            t("Go to Home"),
            icon=":material/library_books:",
        )
    elif view == "chunks":
        corpus_chunks(project, key="chunks")
    else:
        corpus_documents(project.id, key="documents")


page()
