"""The fields of a demonstration as a form: a new one, or one to change."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import t
from components.tools_choice import tools_choice
from finetune_core.workspace import demonstration_fields, demonstrations
from finetune_core.workspace.demonstration_fields import FIELDS, Field, Form
from finetune_core.workspace.demonstrations import Demonstration, PairState

_WINNERS = ["first", "second", "tie"]


def demonstration_form(project_id: str, kind: str, one: Demonstration | None = None, *, key: str) -> None:
    """Draw the fields of `one`, or empty ones to write a new example in; what is saved counts as accepted."""
    texts = demonstration_fields.texts(kind, one.content) if one else {}
    if any(field.name == "tools" for field in FIELDS[kind]):
        tools_choice(project_id, f"{key}_tools", key=f"{key}_from_list")
    with st.form(key, border=False):
        for field in FIELDS[kind]:
            _box(field, texts.get(field.name, ""), f"{key}_{field.name}")
        label, icon = (t("Save and accept"), ":material/check:") if one else (t("Add"), ":material/add:")
        st.form_submit_button(label, type="primary", icon=icon, on_click=_save, args=(project_id, kind, one, key))
    show_kept_error(key)
    if st.session_state.pop(f"{key}_done", False):
        st.success(t("Saved, as accepted."), icon=":material/check:")


def _box(field: Field, text: str, key: str) -> None:
    title = t(field.title) if field.is_needed else t("{field} (optional)", field=t(field.title))
    if field.form is Form.WINNER:
        names = {"first": t("First"), "second": t("Second"), "tie": t("Tie")}
        st.radio(title, _WINNERS, index=_WINNERS.index(text or "tie"), key=key, format_func=names.get, horizontal=True)
    elif field.form is Form.NUMBER:
        st.text_input(title, text, key=key)
    else:
        hints = {
            Form.MESSAGES: t("One message as it is, several as a JSON list in OpenAI's form."),
            Form.ANSWER: t("A text, or a message with tool_calls as JSON in OpenAI's form."),
            Form.JSON: t("JSON in OpenAI's form."),
        }
        st.session_state.setdefault(
            key, text
        )  # and not as its default, so that a list of functions may be written into it
        st.text_area(title, key=key, height=100, help=hints.get(field.form))


def _save(project_id: str, kind: str, one: Demonstration | None, key: str) -> None:
    with kept_errors(key):
        written = {field.name: st.session_state[f"{key}_{field.name}"] or "" for field in FIELDS[kind]}
        if one:
            changed = demonstration_fields.changed(kind, one.content, written)
            demonstrations.change(project_id, one, state=PairState.ACCEPTED, content=changed or None)
        else:
            demonstrations.add(project_id, kind, demonstration_fields.values(kind, written))
            for name in written:
                st.session_state[f"{key}_{name}"] = "tie" if name == "winner" else ""
        st.session_state[f"{key}_done"] = True
