"""The offer to load the demo, and how far the loading is."""

import streamlit as st

from components.errors import shown_errors
from components.project import choose_project
from components.text import t
from finetune_core.workspace import demo


def demo_card(project_id: str, *, key: str) -> None:
    """What the demo is, with the button that loads it: into the project, or with "" into a new one."""
    facts = demo.facts()
    with st.container(border=True, height="stretch", key=key, gap="small"):
        st.markdown(f"#### :material/science: {t('Try it on the demo')}")
        st.markdown(
            t(
                "Python's own language reference: {topics} topics, and {questions} questions written by hand on "
                "{reserved} of them as a fair test. Nothing is downloaded.",
                topics=facts.num_topics, questions=facts.num_questions, reserved=facts.num_reserved,
            )
        )  # fmt: skip
        st.space("stretch")
        if st.button(t("Load the demo"), key=f"{key}_load", icon=":material/download_done:"):
            with shown_errors():
                loaded_into = project_id or demo.new_project().id
                demo.load(loaded_into)
                choose_project(loaded_into)
                st.rerun()
