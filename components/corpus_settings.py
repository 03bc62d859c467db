"""How documents are cut: the base model whose tokens count, the size of a chunk, and what neighbours share."""

from dataclasses import dataclass

import streamlit as st

from components.errors import kept_errors, show_error, show_kept_error
from components.language_note import language_note
from components.text import plain, t, tn
from finetune_core.errors import FinetuneError
from finetune_core.workspace import corpus
from finetune_core.workspace.projects import BUNDLED_EMBEDDER, Project

_MAX_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """What is chosen on the page now; not yet the project's."""

    base_model: str
    chunk_tokens: int
    overlap_tokens: int


def corpus_settings(project: Project, *, key: str) -> ChunkSettings:
    """Draw the controls and the button that cuts all documents anew; returns what is chosen."""
    mark = f"{key}_{project.id}_{project.chunk_tokens}_{project.chunk_overlap_tokens}"
    with st.container(border=True, key=key):
        model = st.selectbox(
            t("Base model"),
            list(dict.fromkeys([project.base_model, BUNDLED_EMBEDDER])),
            key=f"{mark}_model",
            accept_new_options=True,
            required=True,
            help=t(
                "The model you will tune: the bundled one, a name on the Hugging Face hub, or a folder. Its tokens count."
            ),
        )
        left, right = st.columns(2)
        size = left.slider(
            t("Chunk size, in tokens"), 32, max(_MAX_TOKENS, project.chunk_tokens), project.chunk_tokens, 8,
            key=f"{mark}_size", help=t("Heading included. A chunk ends at a sentence where it can."),
        )  # fmt: skip
        overlap = right.slider(
            t("Overlap, in tokens"), 0, size // 2, min(project.chunk_overlap_tokens, size // 2), 2,
            key=f"{mark}_overlap_{size}", help=t("How much of a chunk's end the next one repeats, in whole sentences."),
        )  # fmt: skip
        chosen = ChunkSettings(str(model or project.base_model).strip(), size, overlap)
        _apply(project, chosen, key)
    return chosen


def _apply(project: Project, chosen: ChunkSettings, key: str) -> None:
    now = ChunkSettings(project.base_model, project.chunk_tokens, project.chunk_overlap_tokens)
    num_documents = corpus.list_documents(project.id, limit=1).total
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            tn("Cut {num} document anew", "Cut {num} documents anew", num_documents) if num_documents else t("Save"),
            type="primary",
            icon=":material/content_cut:",
            key=f"{key}_apply",
            disabled=chosen == now,
            on_click=_change,
            args=(project.id, chosen, key),
        )
        if chosen == now:
            st.caption(t("These are the settings in force."))
        elif num_documents:
            st.caption(t("Questions go along to the chunk that holds their quote; frozen datasets stay as they are."))
    _window(chosen)
    language_note(project.id, chosen.base_model, key=f"{key}_language")
    show_kept_error(key)


def _window(chosen: ChunkSettings) -> None:
    try:
        window = corpus.window(chosen.base_model)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    if chosen.chunk_tokens > window:
        st.warning(
            t("{model} reads {window} tokens; what a longer chunk says after them is lost to it.",
              model=plain(chosen.base_model), window=window),
            icon=":material/warning:",
        )  # fmt: skip


def _change(project_id: str, chosen: ChunkSettings, key: str) -> None:
    with kept_errors(key):
        corpus.change_settings(
            project_id,
            base_model=chosen.base_model,
            chunk_tokens=chosen.chunk_tokens,
            overlap_tokens=chosen.overlap_tokens,
        )
