"""Queries a page at a time: text, choice and state are changed in place, each change guarded by the version it saw."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.queries_filter import choice_names, queries_filter
from components.review_deck import state_text
from components.text import t, tn
from finetune_core.workspace import labelled
from finetune_core.workspace.labelled import PairState, Query, QueryFilter

_SIZE = 50
_STATES = [state.value for state in PairState]


def queries_table(project_id: str, *, key: str) -> None:
    """Draw filters, what can be done to all of them, and the page of the table."""
    names = choice_names(project_id)
    chosen = queries_filter(project_id, key=key)
    offset_key = f"{key}_page_{chosen}"
    number = int(st.session_state.get(offset_key) or 1) - 1
    rows, total = labelled.page(project_id, chosen, number, _SIZE)
    if not total:
        st.caption(t("No query under this filter. Have some written, write some under Add by hand, or bring a file."))
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(
            tn("**{num}** query under this filter", "**{num}** queries under this filter", total), width="content"
        )
        with st.container(horizontal=True, width="content"):
            accepts = tn("This accepts **{num}** query.", "This accepts **{num}** queries.", total)
            rejects = tn("This rejects **{num}** query.", "This rejects **{num}** queries.", total)
            _decide_all(project_id, chosen, PairState.ACCEPTED, t("Accept all"), accepts, key)
            _decide_all(project_id, chosen, PairState.REJECTED, t("Reject all"), rejects, key)
            st.button(
                t("Undo"), icon=":material/undo:", key=f"{key}_undo", on_click=_undo, args=(project_id, key),
                disabled=not labelled.progress(project_id).can_undo,
            )  # fmt: skip
    show_kept_error(key)
    _editor(project_id, rows, names, f"{key}_{number}", key)
    if total > _SIZE:
        st.pagination(-(-total // _SIZE), key=offset_key)


def _decide_all(project_id: str, chosen: QueryFilter, state: PairState, label: str, consequence: str, key: str) -> None:
    """A button that says what it will do to how many before it does it."""
    with st.popover(label):
        st.markdown(consequence)
        st.button(
            t("Do it"), key=f"{key}_all_{state}", type="primary", on_click=labelled.decide_all,
            args=(project_id, chosen, state),
        )  # fmt: skip


def _undo(project_id: str, key: str) -> None:
    with kept_errors(key):
        labelled.undo(project_id)


def _editor(project_id: str, rows: list[Query], names: dict[str, str], page_key: str, key: str) -> None:
    """One page as an editor; a new one after every change, so that a change never lands on another row."""
    editor = f"{page_key}_{st.session_state.get(f'{key}_edits', 0)}"
    query, choice, state = t("Query"), t("Choice"), t("State")
    st.data_editor(
        [{query: one.query, choice: names.get(one.label, one.label), state: state_text(one.state), t("Split"): one.split,
          t("Why set aside"): one.set_aside_why if one.set_aside_by else ""} for one in rows],
        key=editor, hide_index=True, disabled=[t("Split"), t("Why set aside")],
        column_config={
            query: st.column_config.TextColumn(width="large"),
            choice: st.column_config.SelectboxColumn(options=list(names.values()), required=True),
            state: st.column_config.SelectboxColumn(options=[state_text(one) for one in _STATES], required=True),
        },
    )  # fmt: skip
    if edited := st.session_state[editor]["edited_rows"]:
        st.session_state[f"{key}_edits"] = st.session_state.get(f"{key}_edits", 0) + 1
        _write(project_id, rows, edited, names, key)
        st.rerun()


def _write(
    project_id: str, rows: list[Query], edited: dict[int, dict[str, str]], names: dict[str, str], key: str
) -> None:
    label_of = {name: label for label, name in names.items()}
    state_of = {state_text(one): PairState(one) for one in _STATES}
    with kept_errors(key):
        for position, values in edited.items():
            row = rows[int(position)]
            labelled.decide(
                project_id, row.id, row.version, text=values.get(t("Query")),
                label=label_of[values[t("Choice")]] if t("Choice") in values else None,
                state=state_of[values[t("State")]] if t("State") in values else None,
            )  # fmt: skip
