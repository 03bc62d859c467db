"""A file of what a teacher is asked about, kept with the project as soon as it is chosen."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import t, tn
from finetune_core.workspace import installation, teaching


def teacher_file(project_id: str, record: str, *, key: str) -> str:
    """Draw the upload; returns the name that its rows are kept under, "" while there are none."""
    kept_key, upload_key = f"{key}_kept", f"{key}_upload"

    def keep() -> None:
        st.session_state.pop(kept_key, None)
        upload = st.session_state[upload_key]
        if upload is None:
            return
        with kept_errors(key):
            path = installation.upload_path(installation.receive(upload.name, upload))
            try:
                st.session_state[kept_key] = teaching.keep_file(project_id, record, path)
            finally:
                path.unlink(missing_ok=True)

    forms = "; ".join(", ".join(one.fields) for one in teaching.formats(record))
    st.file_uploader(
        t("File"), type=["jsonl", "json", "csv", "tsv", "gz"], key=upload_key, on_change=keep,
        help=t("Rows with the fields {forms}. What they say is right is left out: the teacher is asked.", forms=forms),
    )  # fmt: skip
    show_kept_error(key)
    name = str(st.session_state.get(kept_key, ""))
    if name:
        st.caption(tn("{num} row was read.", "{num} rows were read.", teaching.num_kept(project_id, name)))
    return name
