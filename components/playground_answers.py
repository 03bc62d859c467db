"""What two models found for one question, side by side, with marks for what moved up or down."""

from collections.abc import Mapping, Sequence

import streamlit as st

from components.playground_route import playground_route
from components.text import duration_text, plain, t, tn
from finetune_core.workspace import playground
from finetune_core.workspace.playground import Answer, Contender, FoundPassage


def playground_answers(project_id: str, contenders: Sequence[Contender], question: str, k: int, *, key: str) -> None:
    """Ask (once for the same question and models) and show the answers.

    A reranker is marked against the order of its own retriever, else the last one is marked against the first.
    """
    ids = tuple(contender.id for contender in contenders)
    if st.session_state.get(f"{key}.for") != (project_id, ids, question, k):
        slot = st.empty()
        with slot.container(), st.spinner(t("Looking it up …"), show_time=True):
            bar = st.empty()
            answers = playground.answer(
                project_id, ids, question, k, lambda done, text: bar.progress(done, plain(text)) and None
            )
        slot.empty()
        st.session_state[f"{key}.answers"] = answers
        st.session_state[f"{key}.for"] = (project_id, ids, question, k)
    answers = st.session_state[f"{key}.answers"]
    moves = [{}] * (len(answers) - 1) + [playground.moved(answers[0], answers[-1])] if len(answers) > 1 else [None]
    for column, answer, moved in zip(st.columns(len(answers)), answers, moves, strict=True):
        with column:
            _answer(answer, moved or None, f"{key}.{answer.id}")


def _answer(answer: Answer, moved: Mapping[str, int | None] | None, key: str) -> None:
    st.subheader(plain(answer.name), anchor=False)
    if answer.route is not None:
        playground_route(answer, key=f"{key}.route")
        return
    searched = tn("{num} passage searched", "{num} passages searched", answer.num_searched)
    st.caption(f"{duration_text(answer.seconds)} · {searched}")
    if not answer.passages:
        st.text(t("Nothing was found."))
    reordered = playground.reordered(answer)
    if reordered:
        st.caption(t("Arrows: how far the reranker moved what its retriever had found, and the place it came from."))
    for passage in answer.passages:
        _passage(passage, reordered or moved)


def _passage(passage: FoundPassage, moved: Mapping[str, int | None] | None) -> None:
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{passage.rank}**", width="content")
            about = t("The score this model gives; scores of two models cannot be compared.")
            st.badge(f"{passage.score:.3f}", color="gray", help=about)
            if moved is not None:
                _mark(moved.get(passage.id), passage.retrieved_rank)
            st.caption(plain(passage.document), width="content")
        if passage.title:
            st.caption(plain(passage.title))
        st.text(passage.text)


def _mark(places: int | None, before: int | None) -> None:
    """How far a passage moved; with `before`, the retriever's place for it stands beside the arrow."""
    origin = "" if before is None else " " + t("from {place}", place=before)
    if places is None:
        st.badge(t("new"), icon=":material/fiber_new:", color="blue", help=t("The other model does not show it."))
    elif places > 0:
        st.badge(
            f"{places}{origin}", icon=":material/arrow_upward:", color="green", help=t("Places higher than before.")
        )
    elif places < 0:
        st.badge(
            f"{-places}{origin}", icon=":material/arrow_downward:", color="orange", help=t("Places lower than before.")
        )
    else:
        st.badge("=", color="gray", help=t("The same place."))
