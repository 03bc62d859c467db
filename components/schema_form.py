"""Functions that a model may call: pasted, uploaded or made field by field, and the lists that a project keeps of them."""

import json

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.schema_fields import schema_fields
from components.text import plain, t, tn
from finetune_core.workspace import installation, tools
from finetune_core.workspace.tools import ToolList

_TYPES = ["json", "py", "txt"]


def schema_form(project_id: str, *, key: str) -> None:
    """Draw the lists there are, and the ways to add to one."""
    found = tools.listing(project_id)
    for one in found:
        _shown(project_id, one, f"{key}_{one.name}")
    ways = {"text": t("Paste or upload"), "fields": t("Field by field")}
    way = st.segmented_control(
        t("A new function"), list(ways), default="text", key=f"{key}_way", required=True, format_func=ways.__getitem__
    )
    name = st.text_input(
        t("List"), found[0].name if found else t("Functions"), key=f"{key}_list", max_chars=tools.MAX_NAME,
        help=t("The name of the list it goes to. A function called like another of the list takes its place."),
    )  # fmt: skip
    if way == "text":
        _text(project_id, name, f"{key}_text")
    else:
        schema_fields(project_id, name, key=f"{key}_fields")
    show_kept_error(key)


def _shown(project_id: str, one: ToolList, key: str) -> None:
    num = len(one.tools)
    with st.expander(f"{plain(one.name)} ({tn('{num} function', '{num} functions', num)})"):
        for tool in one.tools:
            function = tool["function"]
            st.code(json.dumps(function, ensure_ascii=False, indent=1), language="json", height=200)
            st.button(
                t("Delete {name}", name=plain(function["name"])), icon=":material/delete:",
                key=f"{key}_{function['name']}_delete", on_click=_delete, args=(project_id, one.name, function["name"], key),
            )  # fmt: skip
        show_kept_error(key)


def _text(project_id: str, name: str, key: str) -> None:
    st.caption(
        t("OpenAI's tools or a JSON Schema as JSON, or pydantic classes as Python, which are read and never run.")
    )
    st.text_area(t("Functions"), key=f"{key}_box", height=160)
    st.file_uploader(t("or a file"), type=_TYPES, key=f"{key}_file")
    st.text_input(
        t("Name of the function"),
        key=f"{key}_called",
        help=t("For a JSON Schema alone; without it, its title is taken."),
    )
    st.button(
        t("Add to the list"), type="primary", icon=":material/add:", key=f"{key}_go", on_click=_read,
        args=(project_id, name, key),
    )  # fmt: skip
    show_kept_error(key)
    with st.expander(t("Classes that cannot be read?")):
        st.caption(t("Where their code may run, this prints a JSON Schema to paste here:"))
        st.code(tools.COMMAND, language="bash", wrap_lines=True)


def _read(project_id: str, name: str, key: str) -> None:
    with kept_errors(key):
        text, called = st.session_state[f"{key}_box"] or "", st.session_state[f"{key}_called"] or ""
        upload = st.session_state[f"{key}_file"]
        if upload is not None and not text.strip():
            path = installation.upload_path(installation.receive(upload.name, upload))
            try:
                given = tools.read_file(path, called, upload.name)
            finally:
                path.unlink(missing_ok=True)
        else:
            given = tools.read(text, called)
        tools.add(project_id, name, given)
        st.session_state[f"{key}_box"] = ""


def _delete(project_id: str, name: str, function: str, key: str) -> None:
    with kept_errors(key):
        tools.delete(project_id, name, function)
