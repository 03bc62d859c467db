"""Hard negatives to look at, and questions whose wrong passages look right, with the way to Review."""

from typing import Any

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import t, tn
from finetune_core.workspace import mining
from finetune_core.workspace.mining import MinedQuestion


def train_mined(project_id: str, dataset_id: str, recipe: str, config: dict[str, Any], *, key: str) -> None:
    """Draw both lists, folded; needs candidates that were mined."""
    with st.expander(t("Some questions with their hard negatives")):
        sample = mining.sample(project_id, dataset_id, recipe, config)
        for one in sample:
            _question(one)
        if not sample:
            st.caption(t("The margin leaves no question enough hard negatives. Choose a smaller one."))
    found = mining.suspicious(project_id, dataset_id, recipe, config)
    if found:
        label = tn("{num} suspicious question", "{num} suspicious questions", len(found))
        with st.expander(label, icon=":material/report:"):
            st.caption(
                t(
                    "The worst cases where a wrong passage scores above the right one or nearly repeats it. It may answer "
                    "as well, or the pair may be wrong. In Review they are found under Set aside by “hard negatives”; "
                    "this version stays as it is."
                )
            )
            st.button(
                t("Send these to review"), icon=":material/rate_review:", key=f"{key}.send", on_click=_send,
                args=(project_id, found, key),
            )  # fmt: skip
            for one in found:
                _question(one)
    if said := st.session_state.pop(f"{key}.sent", None):
        st.toast(said)
    show_kept_error(f"{key}.send_error")


def _question(one: MinedQuestion) -> None:
    with st.container(border=True):
        st.text(one.query)
        st.caption(t("Right passage, {score}", score=f"{one.right.score:.3f}"))
        st.text(one.right.text)
        for passage in one.wrong:
            st.caption(t("Wrong passage, {score}", score=f"{passage.score:.3f}"))
            st.text(passage.text)


def _send(project_id: str, found: tuple[MinedQuestion, ...], key: str) -> None:
    with kept_errors(f"{key}.send_error"):
        num = mining.send_to_review(project_id, found)
        st.session_state[f"{key}.sent"] = tn("{num} pair was sent to review.", "{num} pairs were sent to review.", num)
