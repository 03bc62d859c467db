"""Bringing files in: drag and drop, or a folder of the machine that Ayar runs on."""

from pathlib import Path

import streamlit as st

from components.errors import keep_error, kept_errors, show_kept_error
from components.text import plain, t
from finetune_core.workspace import corpus, installation

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def corpus_upload(project_id: str, *, is_open: bool, key: str) -> None:
    """Draw the drop zone, folded away once there are documents; starts a job when files are added."""
    # The key makes a new fold of it, closed, once the first documents are in: an old one stays as the reader left it.
    with st.expander(t("Add documents"), expanded=is_open, icon=":material/upload_file:", key=f"{key}_{is_open}"):
        round_number = st.session_state.setdefault(f"{key}_round", 0)
        files = st.file_uploader(
            t("Files"),
            accept_multiple_files=True,
            key=f"{key}_files_{round_number}",
            label_visibility="collapsed",
            max_upload_size=max(1, installation.max_file_bytes() // 1_000_000),
        )
        st.caption(plain(t("{types}. One file that cannot be read never stops the others.", types=corpus.SUPPORTED)))
        st.button(
            t("Add to the corpus"),
            type="primary",
            icon=":material/add:",
            key=f"{key}_add",
            disabled=not files,
            on_click=_add_files,
            args=(project_id, f"{key}_files_{round_number}", key),
        )
        _folder(project_id, key)
    show_kept_error(key)


def _folder(project_id: str, key: str) -> None:
    roots = corpus.import_roots(is_loopback=st.get_option("server.address") in _LOOPBACK)
    if not roots:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            t("Or a file or folder on this machine"),
            key=f"{key}_folder",
            placeholder=str(roots[0] / "documents"),
            help=t("Below {places}. Hidden files are left out.", places=plain(", ".join(str(root) for root in roots))),
        )
        st.button(t("Import"), key=f"{key}_import", icon=":material/drive_folder_upload:", on_click=_add_folder,
                  args=(project_id, roots, key))  # fmt: skip


def _add_files(project_id: str, widget: str, key: str) -> None:
    with kept_errors(key):
        files = st.session_state.get(widget) or []
        uploads = [corpus.Upload(installation.receive(file.name, file), file.name) for file in files]
        corpus.ingest_uploads(project_id, uploads)
        st.session_state[f"{key}_round"] += 1  # a new widget: the files are given back and leave the memory


def _add_folder(project_id: str, roots: list[Path], key: str) -> None:
    path = st.session_state.get(f"{key}_folder", "").strip()
    if not path:
        keep_error(key, t("No path is given."), t("Type the path of a file or folder first."))
        return
    with kept_errors(key):
        corpus.ingest_path(project_id, Path(path), roots=roots)
        st.session_state[f"{key}_folder"] = ""
