"""Home: the way at a glance, the next step, the demo, and what to tune."""

import streamlit as st

from components.demo_card import demo_card
from components.guide import guide
from components.job_card import job_card
from components.next_step import next_step
from components.pipeline_strip import pipeline_strip
from components.project import chosen_project
from components.project_dialogs import create_project
from components.text import plain, t
from finetune_core.workspace import demo, pipeline
from finetune_core.workspace.projects import Project


def home() -> None:
    """Draw the page."""
    if project := chosen_project():
        _way(project)
    else:
        _welcome()
    st.space("small")
    st.header(t("What should I tune?"), anchor=False)
    st.markdown(t("Ten parts of a RAG system can learn from examples. Tune the one that fails, and no other."))
    guide(key="guide")


def _way(project: Project) -> None:
    st.title(plain(project.name), anchor=False)
    now = pipeline.look(project.id)
    documents = t("From your documents to a tuned model and an honest verdict, step by step.")
    choices = t("From your choices to a tuned router and an honest verdict, step by step.")
    examples = t("From your examples to a tuned language model and an honest verdict, step by step.")
    has_none = now.counts.has_only_demonstrations
    st.markdown(choices if now.counts.has_only_choices else examples if has_none else documents)
    if loading := demo.loading_job(project.id):
        job_card(loading, key="demo_job", show_log=False)
    else:
        next_step(now, key="next")
    pipeline_strip(now, key="way")
    if not now.counts.num_documents and not now.counts.num_choices and not has_none and not loading:
        demo_card(project.id, key="demo")


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
