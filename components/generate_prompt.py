"""A prompt that questions or queries are written by, and the project's own edition of it."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import plain, t
from finetune_core.workspace import generation


def generate_prompt(project_id: str, prompt: str, *, key: str) -> None:
    """Draw the editor of the prompt of that name, folded away; nothing for "", where a generator takes none."""
    if not prompt:
        return
    view = generation.prompt(project_id, prompt)
    name = t("edition {version} of this project", version=view.version) if view.is_own else t("as shipped")
    with st.expander(t("Prompt ({name})", name=name), icon=":material/edit_note:", key=f"{key}_{prompt}"):
        field = f"{key}_{prompt}_{view.version}_{view.is_own}"
        st.text_area(t("Prompt"), view.text, height=340, key=field, on_change="ignore", label_visibility="collapsed")
        names = ", ".join("{{ " + variable + " }}" for variable in view.variables)
        st.caption(
            plain(t("It may use {names}. A changed prompt counts as a new generator: it writes anew.", names=names))
        )
        with st.container(horizontal=True):
            st.button(
                t("Save for this project"), key=f"{key}_save", on_click=_save, args=(project_id, prompt, field, key)
            )
            st.button(
                t("Back to the shipped one"), key=f"{key}_reset", type="tertiary", disabled=not view.is_own,
                on_click=_save, args=(project_id, prompt, "", key),
            )  # fmt: skip
        show_kept_error(key)


def _save(project_id: str, prompt: str, field: str, key: str) -> None:
    with kept_errors(key):
        if field:
            generation.save_prompt(project_id, prompt, st.session_state[field])
        else:
            generation.reset_prompt(project_id, prompt)
