"""The way from documents to a verdict, as one row of cards with counts and links."""

from dataclasses import dataclass

import streamlit as st

from components.kind_words import kind_words
from components.project import project_query
from components.text import t, tn
from finetune_core.workspace.pipeline import NextStep, Overview, Pipeline


@dataclass(frozen=True, slots=True)
class Step:
    """One card: a number, what it counts, the page it leads to, and the next steps during which it is the one in turn."""

    title: str
    icon: str
    number: int
    detail: str
    page: str
    link: str
    turns: tuple[NextStep, ...]
    query: tuple[tuple[str, str], ...] = ()


def pipeline_strip(pipeline: Pipeline, *, key: str) -> None:
    """One card for each step; the step in turn carries the accent, the steps done a tick."""
    with st.grid(6, min_column_width=130, key=key):
        for step in _steps(pipeline):
            _card(step, in_turn=pipeline.next_step in step.turns)


def _card(step: Step, *, in_turn: bool) -> None:
    with st.container(border=True, height="stretch", gap="xsmall"):
        if in_turn:
            title = f"**:material/{step.icon}: {step.title}**"
        else:
            title = f":gray[:material/{'check_circle' if step.number else step.icon}: {step.title}]"
        st.markdown(title)
        st.markdown(f"### {step.number:,}")
        st.markdown(f":small[:gray[{step.detail}]]")
        st.space("stretch")
        st.page_link(
            f"../pages/{step.page}.py",
            label=step.link,
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=project_query() | dict(step.query),
        )


def _steps(pipeline: Pipeline) -> list[Step]:
    counts, turn = pipeline.counts, NextStep
    tested = tn("{num} for testing", "{num} for testing", counts.num_test_only)
    aside = tn("{num} set aside", "{num} set aside", counts.num_aside)
    documents = Step(
        t("Documents"), "library_books", counts.num_documents,
        tn("{num} chunk", "{num} chunks", counts.num_chunks), "corpus", t("Corpus"), (turn.ADD_DOCUMENTS,),
    )  # fmt: skip
    choices = Step(
        t("Choices"), "alt_route", counts.num_choices, t("what a query can be for"), "review", t("Choices"), (),
        (("kind", "queries"), ("part", "choices")),
    )  # fmt: skip
    review = (("kind", kind_words(counts.demonstrated).review),) if counts.has_only_demonstrations else ()
    shown = Step(
        t("Examples"), "smart_toy", counts.num_demonstrations, tested if counts.num_test_only else aside, "review",
        t("Add"), (turn.ADD_DOCUMENTS,), (*review, ("part", "files")),
    )  # fmt: skip
    if counts.has_only_demonstrations:
        return [shown, *_later(counts, review)]
    return [
        choices if counts.has_only_choices else documents,
        Step(
            t("Queries") if counts.has_only_choices else t("Questions"), "edit_note", counts.num_pairs,
            tested if counts.num_test_only else aside, "generate", t("Write"),
            (turn.WRITE_QUESTIONS, turn.WRITE_QUERIES),
        ),
        *_later(counts, ()),
    ]  # fmt: skip


def _later(counts: Overview, review: tuple[tuple[str, str], ...]) -> list[Step]:
    """The steps that are the same for every kind of example; `review` is what the link to Review says besides."""
    turn = NextStep
    return [
        Step(
            t("Accepted"), "fact_check", counts.num_accepted,
            tn("{num} waits for review", "{num} wait for review", counts.num_pending), "review", t("Review"),
            (turn.REVIEW,), review,
        ),
        Step(
            t("Datasets"), "inventory_2", counts.num_datasets,
            t("frozen and split"), "train", t("Train"), (turn.FREEZE, turn.TRAIN),
        ),
        Step(
            t("Models"), "deployed_code", counts.num_models,
            tn("{num} run", "{num} runs", counts.num_runs), "runs", t("Runs"), (turn.WATCH,),
        ),
        Step(
            t("Verdicts"), "balance", counts.num_comparisons,
            t("base and tuned"), "compare", t("Compare"), (turn.COMPARE, turn.TRY, turn.IMPROVE),
        ),
    ]  # fmt: skip
