"""Decisions over everything a filter takes in, or over all pairs like one, each behind a question."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import t, tn
from finetune_core.workspace import pairs
from finetune_core.workspace.pairs import PairFilter, PairState


def review_bulk(project_id: str, chosen: PairFilter, total: int, *, key: str) -> None:
    """Draw the buttons, and what came of the last one."""
    with st.container(horizontal=True, key=key, width="content"):
        if st.button(t("Accept all"), icon=":material/done_all:", disabled=not total, key=f"{key}_accept"):
            _confirm(project_id, chosen, PairState.ACCEPTED, total, key)
        if st.button(t("Reject all"), icon=":material/remove_done:", disabled=not total, key=f"{key}_reject"):
            _confirm(project_id, chosen, PairState.REJECTED, total, key)
        st.button(
            t("Undo"), icon=":material/undo:", key=f"{key}_undo", on_click=_undo, args=(project_id, key),
            disabled=not pairs.progress(project_id).can_undo,
        )  # fmt: skip
    if said := st.session_state.pop(f"{key}_said", None):
        st.toast(said)
    show_kept_error(key)


@st.dialog(t("Are you sure?"))
def _confirm(project_id: str, chosen: PairFilter, state: PairState, total: int, key: str) -> None:
    accepting = state is PairState.ACCEPTED
    st.markdown(
        tn("This accepts **{num}** pair.", "This accepts **{num}** pairs.", total)
        if accepting
        else tn("This rejects **{num}** pair.", "This rejects **{num}** pairs.", total)
    )
    st.caption(t("It is one step: Undo takes all of it back."))
    label = t("Accept them") if accepting else t("Reject them")
    if st.button(label, type="primary", key=f"{key}_sure"):
        with kept_errors(key):
            num = pairs.decide_all(project_id, chosen, state, expected=total)
            st.session_state[f"{key}_said"] = tn("{num} pair changed.", "{num} pairs changed.", num)
        st.rerun()


def _undo(project_id: str, key: str) -> None:
    with kept_errors(key):
        if step := pairs.undo(project_id):
            said = tn("{num} pair is as before.", "{num} pairs are as before.", step.num_back)
            left = tn(
                "{num} was changed since and stays.", "{num} were changed since and stay.", step.num_changed_since
            )
            st.session_state[f"{key}_said"] = f"{said} {left}" if step.num_changed_since else said
