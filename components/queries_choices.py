"""The choices of a router: add, describe, rename, delete; how many queries each has."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import plain, t, tn
from finetune_core.workspace import labelled
from finetune_core.workspace.labelled import Choice


def queries_choices(project_id: str, *, key: str) -> None:
    """Draw the table of choices, the form for a new one, and what can be changed of the selected one."""
    found, counts = labelled.choices(project_id), labelled.counts(project_id)
    if found:
        st.caption(t("The untuned router goes by names and descriptions alone, so say what each choice is for."))
        picked = st.dataframe(
            [{t("Name"): one.name, t("Description"): one.description, t("Accepted queries"): counts.get(one.id, 0)}
             for one in found],
            hide_index=True, key=f"{key}_table", on_select="rerun", selection_mode="single-row", alt=t("Choices"),
        )  # fmt: skip
        st.caption(tn("{num} query is out of scope.", "{num} queries are out of scope.", counts.get("", 0)))
        if chosen := [at for at in picked.selection.rows if at < len(found)]:
            _change(project_id, found[chosen[0]], counts.get(found[chosen[0]].id, 0), key)
            return
    with st.form(f"{key}_new", clear_on_submit=True):
        st.markdown(t("**A new choice**"))
        st.text_input(t("Name"), key=f"{key}_name", max_chars=200, placeholder=t("e.g. invoices"))
        st.text_area(
            t("What it is for"), key=f"{key}_description", max_chars=labelled.MAX_TEXT,
            placeholder=t("e.g. questions about bills, refunds and due dates"),
        )  # fmt: skip
        st.form_submit_button(
            t("Add the choice"), type="primary", icon=":material/add:", on_click=_save, args=(project_id, "", key)
        )
    show_kept_error(key)


def _change(project_id: str, one: Choice, num: int, key: str) -> None:
    own = f"{key}_{one.id}"
    with st.form(own):
        st.text_input(t("Name"), one.name, key=f"{own}_name", max_chars=200)
        st.text_area(t("What it is for"), one.description, key=f"{own}_description", max_chars=labelled.MAX_TEXT)
        if documents := labelled.documents_of(project_id):
            st.multiselect(
                t("Documents it is about"), list(documents), [key for key in one.documents if key in documents],
                key=f"{own}_documents", format_func=documents.__getitem__,
                help=t("Queries for this choice are then written over what these documents hold as well."),
            )  # fmt: skip
        st.form_submit_button(
            t("Save"), type="primary", icon=":material/check:", on_click=_save, args=(project_id, one.id, own)
        )
    show_kept_error(own)
    with st.popover(t("Delete"), icon=":material/delete:"):
        st.markdown(
            t(
                "Delete **{name}** and its {num} accepted queries? Frozen versions keep them.",
                name=plain(one.name),
                num=num,
            )
        )
        st.button(
            t("Delete the choice"), key=f"{own}_delete", on_click=labelled.remove_choice, args=(project_id, one.id)
        )


def _save(project_id: str, choice_id: str, key: str) -> None:
    with kept_errors(key):
        labelled.save_choice(
            project_id, st.session_state[f"{key}_name"], st.session_state[f"{key}_description"], choice_id,
            st.session_state.get(f"{key}_documents"),
        )  # fmt: skip
