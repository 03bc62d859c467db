"""What to ask a language model: its fields, typed or taken from the test set, and both answers beside what is right."""

from collections.abc import Sequence

import streamlit as st

from components.playground_asked import playground_asked
from components.text import plain, t
from finetune_core.workspace import playground
from finetune_core.workspace.demonstration_fields import FIELDS, Form
from finetune_core.workspace.playground import Contender


def playground_example(project_id: str, contenders: Sequence[Contender], *, key: str) -> None:
    """Draw the fields of what the contenders answer, and once asked, their answers next to each other."""
    kind = contenders[0].kind
    fields, own = [field for field in FIELDS[kind] if not field.is_answer], f"{key}_{kind}"
    known = playground.examples(project_id, kind)

    def take() -> None:
        if (number := st.session_state[f"{own}_example"]) is not None:
            for field in fields:
                st.session_state[f"{own}_{field.name}"] = known[number].texts[field.name]
            ask(known[number].expected)

    def ask(expected: str = "") -> None:
        texts = {field.name: st.session_state.get(f"{own}_{field.name}") or "" for field in fields}
        st.session_state[f"{own}_asked"] = (texts, expected)

    if known:
        st.pills(
            t("Examples of the test set"), range(len(known)), format_func=lambda number: plain(known[number].label),
            key=f"{own}_example", on_change=take,
        )  # fmt: skip
    with st.form(f"{own}_form", border=False):
        for field in fields:
            title = t(field.title) if field.is_needed else t("{field} (optional)", field=t(field.title))
            height = 68 if field.form is Form.TEXT else 120
            st.text_area(title, key=f"{own}_{field.name}", height=height)
        st.form_submit_button(t("Ask"), type="primary", icon=":material/send:", on_click=ask)
    if asked := st.session_state.get(f"{own}_asked"):
        playground_asked(project_id, contenders, kind, *asked, key=own)
