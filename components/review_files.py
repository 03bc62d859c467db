"""Pairs from files and to files."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from components.errors import kept_errors, show_kept_error
from components.job_card import job_card
from components.text import t, tn
from finetune_core.workspace import installation, pairs
from finetune_core.workspace.pairs import FORMATS, WRITTEN, PairFilter

_SPLITS = ["", "train", "validation", "test"]
_TYPES = {"llamaindex": "json", "beir": "zip", "jsonl": "jsonl", "csv": "csv", "qasper": "json"}


def review_files(project_id: str, *, key: str) -> None:
    """Draw the import on the left and the export on the right."""
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader(t("Import"), anchor=False)
        _import(project_id, f"{key}_import")
    with right, st.container(border=True):
        st.subheader(t("Export"), anchor=False)
        _export(project_id, f"{key}_export")


def _import(project_id: str, key: str) -> None:
    st.caption(
        t("Imported pairs count as accepted. The file's whole corpus comes along and is what they are searched in.")
    )
    name = st.selectbox(t("Format"), list(FORMATS), format_func=_title, key=f"{key}_format")
    split = st.selectbox(t("Split"), _SPLITS, format_func=_split_title, key=f"{key}_split")
    upload = st.file_uploader(t("File"), type=_TYPES[name], key=f"{key}_file_{name}")
    st.button(
        t("Import"), type="primary", icon=":material/upload:", disabled=upload is None, key=f"{key}_go",
        on_click=_start, args=(project_id, name, split, upload, key),
    )  # fmt: skip
    show_kept_error(key)
    if job_id := st.session_state.get(f"{key}_job"):
        job_card(job_id, key=f"{key}_card", show_log=False)


def _export(project_id: str, key: str) -> None:
    st.caption(t("The accepted pairs, with every passage they are searched in. Ids, texts and grades are kept."))
    name = st.selectbox(t("Format"), list(WRITTEN), format_func=_title, key=f"{key}_format")
    suffix = FORMATS[name].suffix or ".zip"
    num = pairs.progress(project_id).counts[pairs.PairState.ACCEPTED]
    st.download_button(
        tn("Download {num} pair", "Download {num} pairs", num), icon=":material/download:", disabled=not num, on_click="ignore",
        data=lambda: pairs.export_bytes(project_id, name, PairFilter(state=pairs.PairState.ACCEPTED)),
        file_name=f"pairs{suffix}", key=f"{key}_go",
    )  # fmt: skip


def _title(name: str) -> str:
    return t("BEIR folder, zipped") if name == "beir" else FORMATS[name].title


def _split_title(split: str) -> str:
    titles = {"": t("As the file says"), "train": t("Training"), "validation": t("Validation"), "test": t("Test")}
    return titles[split]


def _start(project_id: str, name: str, split: str, upload: UploadedFile, key: str) -> None:
    with kept_errors(key):
        path = installation.upload_path(installation.receive(upload.name, upload))
        st.session_state[f"{key}_job"] = pairs.submit_import(project_id, path, name, split, upload.name)
