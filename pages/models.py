"""Models: what was tuned, where it came from, how to use it elsewhere."""

import streamlit as st

from components.empty import empty_state
from components.errors import shown_errors
from components.model_card_view import model_card_view
from components.model_delete import model_delete
from components.model_facts import model_facts
from components.model_import import model_import
from components.model_picker import model_picker
from components.model_use import model_use
from components.out_of_domain_result import out_of_domain_result
from components.project import current_project
from components.text import t
from finetune_core.workspace import models, out_of_domain


def page() -> None:
    """Draw the page."""
    st.title(t("Models"), anchor=False)
    project = current_project()
    known = models.listing(project.id)
    if not known:
        empty_state(
            t("No model yet"),
            t("A training leaves a model here, with its facts, its card, and code that uses it in your application."),
            "pages/train.py",
            t("Set up a training"),
            icon=":material/deployed_code:",
        )
        model_import(project, key="import")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = model_picker(known, key="model")
        model_delete(model, key="delete")
    model_import(project, key="import")
    facts, use, card = st.tabs([t("Facts"), t("Use it"), t("Model card")], key="part", on_change="rerun")
    with facts, shown_errors():
        model_facts(model, key="facts")
        out_of_domain_result(out_of_domain.of_model(project.id, model.id), key="elsewhere")
    with use, shown_errors():
        if use.open:
            model_use(model, key="use")
    with card, shown_errors():
        if card.open:
            model_card_view(model, key="card")


page()
