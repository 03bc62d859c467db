"""The documents: search, read, leave out, take back in."""

import streamlit as st

from components.corpus_exclude import corpus_exclude
from components.pager import pager
from components.text import t
from finetune_core.workspace import corpus

_PAGE = 20
_READ_CHARACTERS = 50_000


def corpus_documents(project_id: str, *, key: str) -> None:
    """Draw the table, a page at a time, with what can be done to the rows that are ticked."""
    text = st.text_input(
        t("Search"),
        key=f"{key}_text",
        type="search",
        live="300ms",
        placeholder=t("Search names and text"),
        label_visibility="collapsed",
        bind="query-params",
    )
    slot, bar = st.container(), st.container(horizontal=True, horizontal_alignment="distribute")
    total = corpus.list_documents(project_id, text=text or "", limit=1).total
    with bar:
        actions = st.container(horizontal=True)
        offset = pager(total, _PAGE, key=f"{key}_page_{text}")
    found = corpus.list_documents(project_id, text=text or "", limit=_PAGE, offset=offset)
    if not found.items:
        slot.info(t("No document has these words."), icon=":material/search_off:")
        return
    version = st.session_state.setdefault(f"{key}_version", 0)
    with slot:
        picked = _table(found.items, f"{key}_table_{offset}_{text}_{version}")
    with actions:
        _actions(project_id, [found.items[row] for row in picked if row < len(found.items)], key)


def _table(documents: tuple[corpus.Document, ...], key: str) -> list[int]:
    rows = [
        {
            t("Document"): document.name,
            t("Title"): document.title,
            t("Language"): document.language,
            t("Pages"): document.num_pages,
            t("Chunks"): document.num_chunks,
            t("Tokens"): document.num_tokens,
            t("Use"): _use(document),
        }
        for document in documents
    ]
    small = {name: st.column_config.Column(width="small") for name in (t("Language"), t("Use"))}
    event = st.dataframe(
        rows,
        hide_index=True,
        height="content",
        placeholder="",
        on_select="rerun",
        selection_mode="multi-row",
        key=key,
        column_config={
            **small,
            t("Document"): st.column_config.TextColumn(width="medium"),
            t("Pages"): st.column_config.NumberColumn(width="small"),
            t("Chunks"): st.column_config.NumberColumn(width="small", format="localized"),
            t("Tokens"): st.column_config.NumberColumn(width="small", format="localized"),
        },
        alt=t("Documents of the project"),
    )
    return list(event.selection.rows)


def _use(document: corpus.Document) -> str:
    if document.excluded:
        return t("Left out")
    return t("Test only") if document.held_out else t("In use")


def _actions(project_id: str, picked: list[corpus.Document], key: str) -> None:
    if not picked:
        st.caption(t("Tick rows to read them or leave them out."))
        return
    if len(picked) == 1 and st.button(t("Read"), icon=":material/menu_book:", key=f"{key}_read"):
        _read(project_id, picked[0])
    used = [document.id for document in picked if not document.excluded]
    unused = [document.id for document in picked if document.excluded]
    corpus_exclude(project_id, used, unused, corpus.exclude_documents, key=key)


@st.dialog(t("Document"), width="large")
def _read(project_id: str, document: corpus.Document) -> None:
    st.text(document.name)
    text = corpus.document_text(project_id, document.id)
    st.code(text[:_READ_CHARACTERS], language=None, wrap_lines=True, height=520)
    if len(text) > _READ_CHARACTERS:
        st.caption(t("The first {num} characters.", num=f"{_READ_CHARACTERS:,}"))
