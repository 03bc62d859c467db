"""How a real document would be cut with the settings chosen now; nothing is stored."""

import streamlit as st

from components.corpus_settings import ChunkSettings
from components.errors import shown_errors
from components.text import t, tn
from finetune_core.workspace import corpus

_SHOWN = 12
_OFFERED = 200


@shown_errors()
def corpus_preview(project_id: str, chosen: ChunkSettings, *, key: str) -> None:
    """Draw the first chunks of a document the person picks."""
    documents = corpus.list_documents(project_id, excluded=False, limit=_OFFERED).items
    if not documents:
        st.caption(t("Add a document to see how it would be cut."))
        return
    names = {document.id: document.name for document in documents}
    document_id = st.selectbox(t("Preview on"), list(names), format_func=lambda one: names[one], key=f"{key}_document")
    with st.spinner(t("Cutting"), show_time=False):
        preview = corpus.preview(
            project_id,
            document_id,
            base_model=chosen.base_model,
            chunk_tokens=chosen.chunk_tokens,
            overlap_tokens=chosen.overlap_tokens,
        )
    sizes = [chunk.num_tokens for chunk in preview.chunks]
    if not sizes:
        st.caption(t("This document has no words."))
        return
    text = tn("{num} chunk", "{num} chunks", len(sizes))
    middle = sorted(sizes)[len(sizes) // 2]
    note = t("half of them have up to {middle} tokens, the longest {longest}", middle=middle, longest=max(sizes))
    part = (
        " " + t("from its first {num} characters", num=f"{corpus.PREVIEW_CHARACTERS:,}") if preview.is_cut_off else ""
    )
    st.markdown(f"**{text}**{part}: {note}.")
    _cards(preview)


def _cards(preview: corpus.Preview) -> None:
    with st.grid("auto", min_column_width=330, gap="small"):
        for chunk in preview.chunks[:_SHOWN]:
            with st.container(border=True, height="stretch", gap="xsmall"):
                with st.container(horizontal=True, horizontal_alignment="distribute"):
                    st.caption(t("Chunk {number}", number=chunk.position + 1))
                    too_long = chunk.num_tokens > preview.window
                    st.badge(
                        t("{num} tokens", num=chunk.num_tokens),
                        color="red" if too_long else "gray",
                        icon=":material/warning:" if too_long else None,
                    )
                if chunk.heading:
                    st.code(chunk.heading, language=None, wrap_lines=True)
                st.text(chunk.text)
    if len(preview.chunks) > _SHOWN:
        st.caption(tn("and {num} more", "and {num} more", len(preview.chunks) - _SHOWN))
