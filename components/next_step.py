"""The one thing to do next, said in a sentence, with the button that leads there."""

import streamlit as st

from components.kind_words import kind_words
from components.project import project_query
from components.text import plain, t, tn
from finetune_core.workspace.pipeline import NextStep, Overview, Pipeline


def next_step(pipeline: Pipeline, *, key: str) -> None:
    """A card with the newest verdict, if there is one, and the next step."""
    title, text, page, label = _words(pipeline)
    with st.container(border=True, key=key, gap="small"):
        if pipeline.verdict:
            st.markdown(f":material/balance: **{t('Newest verdict')}**")
            st.markdown(plain(t(pipeline.verdict)))
        said, button = st.columns([3, 1], vertical_alignment="center")
        with said, st.container(gap="xxsmall"):
            st.markdown(f":small[:gray[{t('Next step')}]]")
            st.markdown(f"#### {title}")
            st.markdown(text)
        with button, st.container(horizontal_alignment="right"):
            if st.button(
                label, type="primary", key=f"{key}_go", icon=":material/arrow_forward:", icon_position="right"
            ):
                st.switch_page(f"../pages/{page}.py", query_params=project_query() | _kind(pipeline.counts))


def _kind(counts: Overview) -> dict[str, str]:
    """What names the kind of example in a link, where one kind is what the step is about."""
    if counts.has_only_demonstrations:
        return {"kind": kind_words(counts.demonstrated).review}
    about_queries = counts.has_only_choices or 0 < counts.num_pending == counts.num_pending_queries
    return {"kind": "queries"} if about_queries else {}


def _words(pipeline: Pipeline) -> tuple[str, str, str, str]:
    """Title, text, page and button of the next step."""
    counts = pipeline.counts
    return {
        NextStep.ADD_DOCUMENTS: (
            t("Bring your documents"),
            t("PDF, Word, slides, web pages, tables or plain text. They stay on this machine."),
            "corpus", t("Add documents"),
        ),
        NextStep.WRITE_QUESTIONS: (
            t("Let Ayar write questions"),
            tn("Your {num} chunk is ready. Questions are what the model learns from.",
               "Your {num} chunks are ready. Questions are what the model learns from.", counts.num_chunks),
            "generate", t("Write questions"),
        ),
        NextStep.WRITE_QUERIES: (
            t("Let Ayar write queries"),
            tn("Your {num} choice is there. Queries for it are what a router learns from.",
               "Your {num} choices are there. Queries for each are what a router learns from.", counts.num_choices),
            "generate", t("Write queries"),
        ),
        NextStep.REVIEW: (
            t("Review the questions"),
            tn("{num} question waits. Accept the good ones; two hundred make a fair start.",
               "{num} questions wait. Accept the good ones; two hundred make a fair start.", counts.num_pending),
            "review", t("Start reviewing"),
        ),
        NextStep.FREEZE: (
            t("Freeze a dataset"),
            t("Freezing splits your examples into a part to learn on, one to choose on and one to judge on, for good."),
            "train", t("Freeze and train"),
        ),
        NextStep.TRAIN: (
            t("Tune a model"),
            t("Dataset {name} is ready. The page tells you how long it will take and what your test can show.",
              name=plain(counts.newest_dataset)),
            "train", t("Set up a run"),
        ),
        NextStep.WATCH: (
            t("Watch the training"),
            t("A run is under way. You may close the browser; it goes on."),
            "runs", t("Show the run"),
        ),
        NextStep.COMPARE: (
            t("See whether it is better"),
            t("Base and tuned answer the same test questions; you get numbers with intervals and one plain sentence."),
            "compare", t("Compare"),
        ),
        NextStep.IMPROVE: (
            t("Give it better examples") if counts.has_only_demonstrations else t("Give it better questions"),
            t("The test showed no gain. Examples that people reviewed, and more of them, help most; then tune again."),
            "review" if counts.num_pending or counts.has_only_demonstrations else "generate",
            t("Review") if counts.num_pending or counts.has_only_demonstrations else t("Write questions"),
        ),
        NextStep.TRY: (
            t("Try both side by side"),
            t("Ask a question of your own, or take the tuned model away from the Models page."),
            "playground", t("Open the playground"),
        ),
    }[pipeline.next_step]  # fmt: skip
