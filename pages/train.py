"""Train: what to tune, on which data, with which settings; what that will take; go."""

import streamlit as st

from components.errors import shown_errors
from components.project import current_project
from components.text import t
from components.train_before_start import train_before_start
from components.train_dataset import train_dataset
from components.train_launch import train_launch
from components.train_recipe import train_recipe
from components.train_settings import train_settings


def page() -> None:
    """Draw the page."""
    st.title(t("Train"), anchor=False)
    project = current_project()
    dataset = config = None
    left, right = st.columns([3, 2], gap="large")
    with left, shown_errors():
        recipe = train_recipe(key="recipe")
        dataset = train_dataset(project.id, recipe.record.__name__, key="dataset")
        if dataset is not None:
            st.header(t("Settings"), anchor=False)
            config = train_settings(project, dataset, recipe, key="train")
    if dataset is None:
        return
    with right:
        if config is not None:
            train_before_start(project.id, dataset, recipe.name, config, key="before_start")
        with shown_errors():
            train_launch(project.id, dataset.id, recipe.name, config, key="launch")


page()
