"""What was asked, what is right, and what each system said, next to each other."""

import streamlit as st

from components.answer_column import answer_column, answer_text
from components.text import plain, t
from finetune_core.workspace import answers
from finetune_core.workspace.comparisons import ComparisonView, Outcome

_SIDE_BY_SIDE = 3


def compare_answers(view: ComparisonView, system: str, outcome: Outcome, *, key: str) -> None:
    """The example on top, then a column for each of base, tuned and what they should learn from, and below whoever else
    answered."""
    expected, said = answers.answers(view, system, outcome.question_id)
    st.caption(t("Asked"))
    answer_text(outcome.query)
    _passages(answers.passages(view, outcome.question_id), f"{key}_{system}_{outcome.question_id}_passages")
    st.caption(t("Right"))
    answer_text(expected or t("nothing"))
    titles = {"base": t("Base"), "tuned": t("Tuned")}
    for start in range(0, len(said), _SIDE_BY_SIDE):
        shown = said[start : start + _SIDE_BY_SIDE]
        width = min(_SIDE_BY_SIDE, len(said))
        for place, (column, one) in enumerate(zip(st.columns(width, gap="medium"), shown, strict=False)):
            with column:
                title = titles.get(one.role) or plain(one.name)
                answer_column(one, title, one.score, key=f"{key}_{system}_{outcome.question_id}_{start + place}")


def _passages(passages: tuple[str, ...], key: str) -> None:
    if not passages:
        return
    with st.expander(t("Passages in the prompt"), key=key, on_change="rerun") as shown:
        if shown.open:
            for passage in passages:
                answer_text(passage)
