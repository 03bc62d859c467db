"""Runs: live curves of one or several trainings, what they say, and the buttons that steer them."""

import streamlit as st

from components.empty import empty_state
from components.job_card import job_card
from components.project import current_project
from components.run_charts import run_charts
from components.run_facts import run_facts
from components.run_picker import run_picker
from components.run_settings import run_settings
from components.run_table import run_table
from components.text import t
from finetune_core.workspace import runs


def page() -> None:
    """Draw the page."""
    st.title(t("Runs"), anchor=False)
    project = current_project()
    known = runs.listing(project.id)
    if not known:
        empty_state(
            t("No training yet"),
            t("A run tunes a model on a frozen dataset. Its curves appear here while it works, and stay."),
            "pages/train.py",
            t("Set up a training"),
            icon=":material/monitoring:",
        )
        return
    shown = run_picker(known, key="run")
    for run in shown:
        job_card(run.id, key=f"job_{run.id}", title=run.name)
        if len(shown) == 1:
            run_facts(run, key="facts")
    run_charts(shown, key="charts")
    if len(shown) == 1:
        run_settings(shown[0], key="settings")
    st.header(t("All runs"), anchor=False)
    run_table(known, key="table")


page()
