"""Labelled queries and choices from files, and queries to files."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from components.errors import kept_errors, show_kept_error
from components.text import plain, t, tn
from finetune_core.workspace import installation, labelled
from finetune_core.workspace.labelled import PairState, QueryFilter

_SPLITS = ["", "train", "validation", "test"]


def queries_files(project_id: str, *, key: str) -> None:
    """Draw the import on the left and the export on the right."""
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader(t("Import"), anchor=False)
        _import(project_id, f"{key}_import")
    with right, st.container(border=True):
        st.subheader(t("Export"), anchor=False)
        _export(project_id, f"{key}_export")


def _import(project_id: str, key: str) -> None:
    titles = {"queries": t("Queries with labels"), "choices": t("Choices with descriptions")}
    what = st.segmented_control(
        t("What"), list(titles), default="queries", key=f"{key}_what", required=True, format_func=titles.__getitem__
    )
    split = out_of_scope = ""
    if what == "queries":
        st.caption(t("Columns: query and label; group (the question it was worded after) and split may follow."))
        split_titles = {
            "": t("As the file says"),
            "train": t("Training"),
            "validation": t("Validation"),
            "test": t("Test"),
        }
        split = st.selectbox(t("Split"), _SPLITS, format_func=split_titles.__getitem__, key=f"{key}_split")
        out_of_scope = st.text_input(
            t("Label that means none of the choices"),
            key=f"{key}_outside",
            placeholder=t("e.g. oos; empty if there is none"),
        )
    else:
        st.caption(
            t(
                "Columns: label, name, description and documents; or one JSON object of names and descriptions. Choices that "
                "are there already get the new texts."
            )
        )
    upload = st.file_uploader(
        t("JSONL or CSV") if what == "queries" else t("JSONL, CSV or JSON"),
        type=["jsonl", "csv", "tsv", *(["json"] if what == "choices" else [])], key=f"{key}_file_{what}",
    )  # fmt: skip
    st.button(
        t("Import"), type="primary", icon=":material/upload:", disabled=upload is None, key=f"{key}_go",
        on_click=_start, args=(project_id, what, upload, split, out_of_scope, key),
    )  # fmt: skip
    show_kept_error(key)
    if said := st.session_state.pop(f"{key}_said", ""):
        st.success(plain(said), icon=":material/check:")


def _export(project_id: str, key: str) -> None:
    st.caption(t("The accepted queries with their labels, as they can be imported again."))
    file_format = st.selectbox(t("Format"), labelled.EXPORTS, format_func=str.upper, key=f"{key}_format")
    num = sum(labelled.counts(project_id).values())
    st.download_button(
        tn("Download {num} query", "Download {num} queries", num), icon=":material/download:", disabled=not num,
        data=lambda: labelled.export_bytes(project_id, file_format, QueryFilter(PairState.ACCEPTED)),
        file_name=f"queries.{file_format}", on_click="ignore", key=f"{key}_go",
    )  # fmt: skip


def _start(project_id: str, what: str, upload: UploadedFile, split: str, out_of_scope: str, key: str) -> None:
    with kept_errors(key):
        path = installation.upload_path(installation.receive(upload.name, upload))
        try:
            if what == "queries":
                said = labelled.import_queries(project_id, path, split, out_of_scope.strip()).sentence
            else:
                num = labelled.import_choices(project_id, path)
                said = tn("{num} choice imported.", "{num} choices imported.", num)
        finally:
            path.unlink(missing_ok=True)
        st.session_state[f"{key}_said"] = said
