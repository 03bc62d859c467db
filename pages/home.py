"""Home: the way at a glance, the next step, the demo, and what to tune."""

import streamlit as st

from components.demo_card import demo_card
from components.guide import guide
from components.next_step import next_step
from components.pipeline_strip import pipeline_strip
from components.project import chosen_project
from components.project_dialogs import create_project
from components.text import plain, t
from finetune_core.workspace import pipeline


def home() -> None:
    """Draw the page."""
    project = chosen_project()
    if project is None:
        _welcome()
    else:
        st.title(plain(project.name), anchor=False)
        st.markdown(t("From your documents to a model that is proven better, step by step."))
        now = pipeline.look(project.id)
        next_step(now, key="next")
        pipeline_strip(now, key="way")
        if not now.counts.num_documents:
            demo_card(project.id, key="demo")
    st.space("small")
    st.header(t("What should I tune?"), anchor=False)
    st.markdown(t("Ten parts of a RAG system can learn from examples. Tune the one that fails, and no other."))
    guide(key="guide")


def _welcome() -> None:
    st.title(t("Welcome to Ayar"), anchor=False)
    st.markdown(t("Tune the parts of your RAG system on your own documents, and see whether it made them better."))
    own, ready = st.columns(2)
    with own, st.container(border=True, height="stretch", gap="small"):
        st.markdown(f"#### :material/folder_open: {t('Start with your documents')}")
        st.markdown(
            t("A project holds your documents, the questions about them, and the models you tune. All stays here.")
        )
        st.space("stretch")
        if st.button(t("Create a project"), type="primary", icon=":material/add:", key="create_first"):
            create_project()
    with ready:
        demo_card("", key="demo")


home()
