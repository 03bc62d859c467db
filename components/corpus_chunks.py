"""The chunks: search them, see which repeat others or are too long, leave some out."""

import streamlit as st

from components.corpus_exclude import corpus_exclude
from components.pager import pager
from components.text import t
from finetune_core.workspace import corpus
from finetune_core.workspace.corpus import ChunkFilter, ChunkView, ListedChunk
from finetune_core.workspace.projects import Project

_PAGE = 20


def corpus_chunks(project: Project, *, key: str) -> None:
    """Draw the table, a page at a time; of a ticked chunk the whole text, beside the one it repeats."""
    chosen = _filter(project, key)
    total = corpus.list_chunks(project.id, chosen, limit=1).total
    slot, bar = st.container(), st.container(horizontal=True, horizontal_alignment="distribute")
    if not total:
        slot.info(t("No chunk is like that."), icon=":material/search_off:")
        return
    with bar:
        actions = st.container(horizontal=True)
        offset = pager(total, _PAGE, key=f"{key}_page_{chosen.view}_{chosen.text}")
    found = corpus.list_chunks(project.id, chosen, limit=_PAGE, offset=offset)
    version = st.session_state.setdefault(f"{key}_version", 0)
    with slot:
        rows = _table(found.items, f"{key}_table_{chosen.view}_{chosen.text}_{offset}_{version}")
    picked = [found.items[row] for row in rows if row < len(found.items)]
    with actions:
        _actions(project.id, picked, key)
    if len(picked) == 1:
        _whole(project.id, picked[0])


def _filter(project: Project, key: str) -> ChunkFilter:
    counts = corpus.chunk_counts(project.id)
    numbers = {
        ChunkView.ALL: (t("All"), counts.num_chunks),
        ChunkView.EXACT: (t("Repeated"), counts.num_exact_duplicates),
        ChunkView.NEAR: (t("Nearly repeated"), counts.num_near_duplicates),
        ChunkView.TOO_LONG: (t("Too long"), None),
        ChunkView.EXCLUDED: (t("Left out"), counts.num_excluded),
    }

    def label(view: ChunkView) -> str:
        name, number = numbers[view]
        return name if number is None else f"{name} · {number:,}"

    with st.container(horizontal=True, vertical_alignment="center"):
        view = st.pills(
            t("Which"),
            list(ChunkView),
            format_func=label,
            default=ChunkView.ALL,
            required=True,
            key=f"{key}_view",
            label_visibility="collapsed",
        )
        text = st.text_input(
            t("Search"),
            key=f"{key}_text",
            type="search",
            live="300ms",
            placeholder=t("Search headings and text"),
            label_visibility="collapsed",
        )
    window = corpus.window(project.base_model) if view == ChunkView.TOO_LONG else 0
    return ChunkFilter(ChunkView(view), text or "", max_tokens=window)


def _table(chunks: tuple[ListedChunk, ...], key: str) -> list[int]:
    rows = [
        {
            t("Document"): listed.document_name or listed.chunk.document_id,
            t("Heading"): listed.chunk.heading,
            t("Text"): " ".join(listed.chunk.text[:400].split()),
            t("Tokens"): listed.chunk.num_tokens,
        }
        for listed in chunks
    ]
    event = st.dataframe(
        rows,
        hide_index=True,
        height="content",
        placeholder="",
        on_select="rerun",
        selection_mode="multi-row",
        key=key,
        column_config={
            t("Document"): st.column_config.TextColumn(width="small"),
            t("Heading"): st.column_config.TextColumn(width="small"),
            t("Text"): st.column_config.TextColumn(width="large"),
            t("Tokens"): st.column_config.NumberColumn(width="small"),
        },
        alt=t("Chunks of the project"),
    )
    return list(event.selection.rows)


def _actions(project_id: str, picked: list[ListedChunk], key: str) -> None:
    if not picked:
        st.caption(t("Tick one row to read it, or several to leave them out."))
        return
    used = [listed.chunk.id for listed in picked if not listed.chunk.excluded]
    unused = [listed.chunk.id for listed in picked if listed.chunk.excluded]
    corpus_exclude(project_id, used, unused, corpus.exclude_chunks, key=key)


def _whole(project_id: str, listed: ListedChunk) -> None:
    chunk = listed.chunk
    other_id = chunk.duplicate_of or chunk.near_duplicate_of
    other = corpus.find_chunk(project_id, other_id) if other_id else None
    columns = st.columns(2) if other else [st.container()]
    with columns[0], st.container(border=True):
        st.caption(t("This chunk"))
        st.text(chunk.full_text)
    if other:
        with columns[1], st.container(border=True):
            st.caption(t("The chunk it repeats") if chunk.duplicate_of else t("The chunk it nearly repeats"))
            st.text(other.full_text)
