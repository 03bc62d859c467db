"""Demonstrations a page at a time, with what can be done to all of a filter, and one of them opened to edit."""

import math

import streamlit as st

from components.demonstration_form import demonstration_form
from components.demonstrations_filter import demonstrations_filter
from components.errors import kept_errors, show_kept_error
from components.review_deck import source_text, state_text
from components.text import t, time_text, tn
from finetune_core.workspace import demonstrations
from finetune_core.workspace.demonstrations import Demonstration, DemonstrationFilter, PairState

_SIZE = 50
_PREVIEW = 300


def demonstrations_table(project_id: str, kind: str, *, key: str) -> None:
    """Draw the filter, the bulk actions, and the page of the table; a selected row opens below it."""
    chosen = demonstrations_filter(kind, key=key)
    page_key = f"{key}_page_{chosen}"
    number = int(st.session_state.get(page_key) or 1) - 1
    rows, total = demonstrations.page(project_id, chosen, number, _SIZE)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        label = tn("**{num}** example under this filter", "**{num}** examples under this filter", total)
        st.markdown(label, width="content")
        _bulk(project_id, chosen, total, key=f"{key}_bulk")
    if not total:
        st.caption(t("Bring a file under Import and export, or write one under Add by hand."))
        return
    picked = st.dataframe(
        [_row(one) for one in rows], hide_index=True, key=f"{key}_{number}", on_select="rerun",
        selection_mode="single-row", height="content" if len(rows) < 12 else 460, alt=t("Examples under this filter"),
    )  # fmt: skip
    if total > _SIZE:
        st.pagination(math.ceil(total / _SIZE), key=page_key)
    if found := [rows[at] for at in picked.selection.rows if at < len(rows)]:
        with st.container(border=True):
            demonstration_form(project_id, kind, found[0], key=f"{key}_{found[0].id}_{found[0].version}")


def _row(one: Demonstration) -> dict[str, str]:
    return {
        t("Asked"): one.question[:_PREVIEW],
        t("Answer"): one.answer[:_PREVIEW],
        t("State"): state_text(one.state) + (f" ({one.set_aside_by})" if one.set_aside_by else ""),
        t("Split"): one.split,
        t("Source"): source_text(one.source),
        t("Reviewed"): time_text(one.reviewed_at) if one.reviewed_at else "",
    }


def _bulk(project_id: str, chosen: DemonstrationFilter, total: int, *, key: str) -> None:
    """Both decisions over all of the filter, each behind a question, and the undo."""
    with st.container(horizontal=True, key=key, width="content"):
        for state, label in ((PairState.ACCEPTED, t("Accept all")), (PairState.REJECTED, t("Reject all"))):
            with st.popover(label, disabled=not total):
                st.markdown(tn("This changes **{num}** example.", "This changes **{num}** examples.", total))
                st.button(
                    label, key=f"{key}_{state}", type="primary", on_click=_decide_all,
                    args=(project_id, chosen, state, total, key),
                )  # fmt: skip
        st.button(
            t("Undo"), icon=":material/undo:", key=f"{key}_undo", on_click=_undo, args=(project_id, chosen.kind, key),
            disabled=not demonstrations.progress(project_id, chosen.kind).can_undo,
        )  # fmt: skip
    show_kept_error(key)


def _decide_all(project_id: str, chosen: DemonstrationFilter, state: PairState, total: int, key: str) -> None:
    with kept_errors(key):
        demonstrations.decide_all(project_id, chosen, state, expected=total)


def _undo(project_id: str, kind: str, key: str) -> None:
    with kept_errors(key):
        demonstrations.undo(project_id, kind)
