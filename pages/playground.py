"""One question, and what the base and the tuned model find for it, next to each other."""

import streamlit as st

from components.errors import shown_errors
from components.playground_answers import playground_answers
from components.playground_example import playground_example
from components.playground_models import playground_models
from components.playground_question import playground_question
from components.project import current_project
from components.text import t
from finetune_core.workspace import playground

project = current_project()
st.title(t("Playground"), anchor=False)
st.caption(t("One question to two models: see what each of them finds or says, and what tuning has changed."))
with shown_errors():
    contenders = playground_models(project.id, key="playground")
    question, num_passages = "", 0
    if contenders[0].kind:
        playground_example(project.id, contenders, key="playground")
    else:
        question, num_passages = playground_question(project.id, key="playground")
    if question:
        playground_answers(project.id, contenders, question, num_passages, key="playground")
    elif st.session_state.get("playground.prepared") != (project.id, contenders):
        st.session_state["playground.prepared"] = (project.id, contenders)
        playground.prepare(project.id, [contender.id for contender in contenders])
