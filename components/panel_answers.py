"""The answers of a panel, question by question: passages, both answers, and what the judge gave."""

import streamlit as st

from components.answer_column import answer_column, answer_text
from components.compare_questions import score_text
from components.pager import pager
from components.text import plain, t
from finetune_core.workspace import panels
from finetune_core.workspace.panels import AnswerRow, Change, PanelView, Passage

_PAGE = 8
_MAX_LABEL = 200
_HUES = {Change.WORSE: "red", Change.BETTER: "green", Change.EQUAL: "gray"}


def panel_answers(panel: PanelView, *, key: str) -> None:
    """A filter, one page of questions, and for an opened one everything that was said."""
    counts = panels.answers(panel, limit=0)
    titles = {
        "all": t("All {num}", num=sum(counts.counts.values())),
        "better": t("Second better {num}", num=counts.counts[Change.BETTER]),
        "worse": t("Second worse {num}", num=counts.counts[Change.WORSE]),
        "ungraded": t("Judge could not grade {num}", num=counts.num_ungraded),
    }
    chosen = st.segmented_control(
        t("Which answers"), list(titles), default="all", required=True, format_func=titles.__getitem__,
        key=f"{key}_{panel.id}_which", label_visibility="collapsed",
    )  # fmt: skip
    change = Change(chosen) if chosen in set(Change) else None
    is_ungraded = chosen == "ungraded"
    slot = st.container(gap="xsmall")
    num = panels.answers(panel, change, is_ungraded=is_ungraded, limit=0).num_matching
    offset = pager(num, _PAGE, key=f"{key}_page_{panel.id}_{chosen}")
    with slot:
        page = panels.answers(panel, change, is_ungraded=is_ungraded, offset=offset, limit=_PAGE)
        if not page.rows:
            st.caption(t("No question fits this filter."))
        for row in page.rows:
            _question(panel, row, key)


def _question(panel: PanelView, row: AnswerRow, key: str) -> None:
    moved = f"{score_text(row.score_before)} → {score_text(row.score_after)}"
    label = f":{_HUES[row.change]}-badge[{moved}] {plain(row.query[:_MAX_LABEL])}"
    with st.expander(label, key=f"{key}_{panel.id}_{row.question_id}", on_change="rerun") as question:
        if question.open:
            _opened(row, f"{key}_{panel.id}_{row.question_id}")


def _opened(row: AnswerRow, key: str) -> None:
    if row.expected:
        st.caption(t("True answer"))
        answer_text(row.expected)
    sides = (
        ("before", row.before, row.score_before, row.passages_before),
        ("after", row.after, row.score_after, row.passages_after),
    )
    for column, (side, one, score, passages) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            answer_column(one, plain(one.name), score, key=f"{key}_{side}")
            _passages(passages, f"{key}_{side}")


def _passages(passages: tuple[Passage, ...], key: str) -> None:
    with st.expander(t("Passages it answered from"), key=f"{key}_passages", on_change="rerun") as shown:
        if shown.open:
            for passage in passages:
                answer_text(passage.full_text)
