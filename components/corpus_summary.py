"""The corpus in four numbers, and a warning where the base model cannot read all of it."""

import streamlit as st

from components.text import plain, t, tn
from finetune_core.errors import FinetuneError
from finetune_core.workspace import corpus
from finetune_core.workspace.projects import Project


def corpus_summary(project: Project, *, key: str) -> bool:
    """Draw the numbers once there are documents; returns whether there are."""
    documents = corpus.list_documents(project.id, limit=1).total
    if not documents:
        return False
    counts = corpus.chunk_counts(project.id)
    over = _exceeding(project.id)
    with st.grid(4, min_column_width=170, key=key):
        st.metric(t("Documents"), f"{documents:,}", border=True, height="stretch")
        st.metric(
            t("Chunks searched"),
            f"{counts.num_included:,}",
            border=True,
            height="stretch",
            help=t("Not excluded, and no exact repetition of another chunk."),
        )
        st.metric(
            t("Repeated chunks"),
            f"{counts.num_exact_duplicates + counts.num_near_duplicates:,}",
            border=True,
            height="stretch",
            help=t("Exact repetitions are searched once; near ones stay, and are told apart when a hit is judged."),
        )
        st.metric(
            t("Too long to read"),
            f"{over.num_exceeding:,}" if over else "?",
            border=True,
            height="stretch",
            help=t("Chunks with more tokens than the base model reads; it never sees their end."),
        )
    if over and over.num_exceeding:
        text = tn(
            "{num} chunk has more than the {window} tokens that {model} reads.",
            "{num} chunks have more than the {window} tokens that {model} reads.",
            over.num_exceeding,
            window=over.window,
            model=plain(over.base_model),
        )
        st.warning(f"{text} {t('Choose a smaller chunk size.')}", icon=":material/content_cut:")
    return True


def _exceeding(project_id: str) -> corpus.Exceeding | None:
    try:
        return corpus.exceeding(project_id)
    except FinetuneError:
        return None  # the chunk size view says what is wrong with the base model
