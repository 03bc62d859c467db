"""The question to ask: typed, or one of the test set's."""

import streamlit as st

from components.text import plain, t
from finetune_core.workspace import playground


def playground_question(project_id: str, *, key: str) -> tuple[str, int]:
    """The question last asked ("" before the first) and how many passages to show."""
    asked, typed, chosen = f"{key}.asked", f"{key}.typed", f"{key}.example"
    examples = playground.example_questions(project_id)

    def take_example() -> None:
        number = st.session_state[chosen]
        if number is not None:
            st.session_state[typed] = st.session_state[asked] = examples[number]

    def take_typed() -> None:
        st.session_state[asked] = st.session_state[typed]
        st.session_state[chosen] = None

    with st.form(key=f"{key}.form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            t("Question"),
            key=typed,
            max_chars=playground.MAX_QUESTION_CHARACTERS,
            placeholder=t("Ask something your documents answer"),
        )
        st.form_submit_button(t("Ask"), type="primary", icon=":material/search:", on_click=take_typed)
    if examples:
        st.pills(
            t("Questions of the test set"),
            range(len(examples)),
            format_func=lambda number: plain(examples[number]),
            key=chosen,
            on_change=take_example,
        )
    num_passages = st.segmented_control(t("Passages shown"), [3, 5, 10, 20], default=5, required=True, key=f"{key}.k")
    return st.session_state.get(asked, ""), num_passages
