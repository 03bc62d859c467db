"""What became of every file that was ever added, and why."""

import streamlit as st

from components.empty import empty_state
from components.pager import pager
from components.text import size_text, t
from finetune_core.workspace import corpus
from finetune_core.workspace.corpus import FileState

_PAGE = 20


def corpus_files(project_id: str, *, key: str) -> None:
    """Draw the table, a page at a time, the latest file first."""
    counts = corpus.outcome_counts(project_id)
    names = {
        FileState.PARSED: t("Read"),
        FileState.PARTIAL: t("Read in part"),
        FileState.DUPLICATE: t("Already there"),
        FileState.REFUSED: t("Refused"),
    }
    if not sum(counts.values()):
        empty_state(t("No files yet"), t("Every file you add is listed here with what became of it."))
        return
    chosen = st.pills(
        t("State"),
        list(FileState),
        format_func=lambda state: f"{names[state]} · {counts[state]:,}",
        selection_mode="multi",
        key=f"{key}_states",
        label_visibility="collapsed",
    )
    total = sum(counts[state] for state in chosen or FileState)
    slot = st.container()
    offset = pager(total, _PAGE, key=f"{key}_page_{len(chosen)}")
    found = corpus.outcomes(project_id, states=chosen, limit=_PAGE, offset=offset)
    rows = [
        {
            t("State"): names[file.state],
            t("File"): file.name,
            t("Size"): size_text(file.size_bytes),
            t("Why"): t(file.reason),
        }
        for file in found.items
    ]
    slot.dataframe(
        rows,
        hide_index=True,
        height="content",
        column_config={
            t("State"): st.column_config.TextColumn(width="small"),
            t("Size"): st.column_config.TextColumn(width="small"),
            t("Why"): st.column_config.TextColumn(width="large"),
        },
        key=f"{key}_table_{offset}",
        alt=t("Files and what became of them"),
    )
