"""Demonstrations from files and to files."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from components.errors import kept_errors, show_kept_error
from components.import_preview import import_preview
from components.text import plain, t, tn
from finetune_core.workspace import demonstrations, installation
from finetune_core.workspace.demonstrations import DemonstrationFilter, PairState
from finetune_core.workspace.import_filters import ImportFilter

_TYPES = ["jsonl", "json", "csv", "tsv", "gz"]


def demonstrations_files(project_id: str, kind: str, *, key: str) -> None:
    """Draw the import on the left and the export on the right."""
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader(t("Import"), anchor=False)
        _import(project_id, kind, f"{key}_import_{kind}")
    with right, st.container(border=True):
        st.subheader(t("Export"), anchor=False)
        _export(project_id, kind, f"{key}_export_{kind}")


def _import(project_id: str, kind: str, key: str) -> None:
    st.caption(t("Imported examples count as accepted. The format is seen from the fields:"))
    st.table({one.title: ", ".join(one.fields) for one in demonstrations.formats(kind)}, border="horizontal")
    splits = {"": t("As the file says"), "train": t("Training"), "validation": t("Validation"), "test": t("Test")}
    split = st.selectbox(t("Split"), list(splits), format_func=splits.__getitem__, key=f"{key}_split")
    types = [*_TYPES, "zip"] if demonstrations.takes_folders(kind) else _TYPES
    upload = st.file_uploader(t("File"), type=types, key=f"{key}_file")
    chosen = import_preview(kind, upload, key=f"{key}_preview") if upload is not None else ImportFilter()
    st.button(
        t("Import"), type="primary", icon=":material/upload:", disabled=upload is None, key=f"{key}_go", on_click=_start,
        args=(project_id, kind, upload, split, chosen, key),
    )  # fmt: skip
    show_kept_error(key)
    if said := st.session_state.pop(f"{key}_said", ""):
        st.success(plain(said), icon=":material/check:")


def _export(project_id: str, kind: str, key: str) -> None:
    st.caption(t("The accepted examples. JSONL with all fields can be imported again without loss."))
    known = demonstrations.export_formats(kind)
    name = st.selectbox(t("Format"), list(known), format_func=lambda one: known[one].title, key=f"{key}_format")
    num = demonstrations.counts(project_id).get(kind, {}).get(PairState.ACCEPTED, 0)
    st.download_button(
        tn("Download {num} example", "Download {num} examples", num), icon=":material/download:", disabled=not num,
        data=lambda: demonstrations.export_bytes(project_id, name, DemonstrationFilter(kind, PairState.ACCEPTED)),
        file_name=f"{kind.lower()}s{known[name].suffix}", on_click="ignore", key=f"{key}_go",
    )  # fmt: skip


def _start(project_id: str, kind: str, upload: UploadedFile, split: str, chosen: ImportFilter, key: str) -> None:
    with kept_errors(key):
        path = installation.upload_path(installation.receive(upload.name, upload))
        try:
            said = demonstrations.import_file(project_id, kind, path, split, upload.name, chosen).sentence
        finally:
            path.unlink(missing_ok=True)
        st.session_state[f"{key}_said"] = said
