"""A function that a model may call, made field by field."""

from typing import Any

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import t
from finetune_core.workspace import tools
from finetune_core.workspace.tools import FieldType, ToolField

_NAME, _TYPE, _TEXT, _NEEDED, _CHOICES = "name", "type", "description", "required", "choices"


def schema_fields(project_id: str, list_name: str, *, key: str) -> None:
    """Draw the form; what is made goes to the list of that name."""
    types = {
        FieldType.TEXT: t("text"), FieldType.INTEGER: t("whole number"), FieldType.NUMBER: t("number"),
        FieldType.BOOLEAN: t("yes or no"), FieldType.TEXTS: t("list of texts"),
    }  # fmt: skip
    round_ = st.session_state.get(f"{key}_round", 0)  # a new one starts with an empty table
    with st.form(key, border=False):
        st.text_input(t("Name of the function"), key=f"{key}_name", max_chars=64, placeholder=t("e.g. book_table"))
        st.text_input(t("What it does"), key=f"{key}_about", placeholder=t("e.g. books a table in a restaurant"))
        rows = st.data_editor(
            [{_NAME: "", _TYPE: FieldType.TEXT.value, _TEXT: "", _NEEDED: True, _CHOICES: ""}],
            key=f"{key}_rows_{round_}", num_rows="dynamic", hide_index=True,
            column_config={
                _NAME: st.column_config.TextColumn(t("Field")),
                _TYPE: st.column_config.SelectboxColumn(
                    t("Holds"), options=[one.value for one in FieldType], default=FieldType.TEXT.value,
                    format_func=lambda value: types[FieldType(value)], required=True,
                ),
                _TEXT: st.column_config.TextColumn(t("What it means")),
                _NEEDED: st.column_config.CheckboxColumn(t("Needed"), default=True),
                _CHOICES: st.column_config.TextColumn(t("Choices"), help=t("Texts with | between them; empty for any.")),
            },
        )  # fmt: skip
        is_sent = st.form_submit_button(t("Add to the list"), type="primary", icon=":material/add:")
    show_kept_error(key)
    if is_sent:
        with kept_errors(key):
            name, about = st.session_state[f"{key}_name"] or "", st.session_state[f"{key}_about"] or ""
            tools.add(project_id, list_name, [tools.from_fields(name, about, _fields(rows))])
            st.session_state[f"{key}_round"] = round_ + 1
        st.rerun()


def _fields(rows: list[dict[str, Any]]) -> list[ToolField]:
    """The rows that a person filled; those without a name and a meaning were left empty."""
    return [
        ToolField(
            (row[_NAME] or "").strip(), FieldType(row[_TYPE] or FieldType.TEXT), (row[_TEXT] or "").strip(),
            bool(row[_NEEDED]), tuple(part.strip() for part in (row[_CHOICES] or "").split("|") if part.strip()),
        )
        for row in rows
        if (row[_NAME] or "").strip() or (row[_TEXT] or "").strip()
    ]  # fmt: skip
