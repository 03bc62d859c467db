"""The settings of a run: the recipe's form, with the base model's choice and the live counts of hard negatives in place."""

from typing import Any

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.config_form import config_form, field_widget
from components.text import plain, t
from components.train_base_model import train_base_model
from components.train_negatives import train_negatives
from components.train_service import train_service
from finetune_core.recipes import Recipe
from finetune_core.workspace.datasets import DatasetView
from finetune_core.workspace.projects import Project


def train_settings(project: Project, dataset: DatasetView, recipe: Recipe, *, key: str) -> BaseModel | None:
    """The validated settings, or None while something entered is not allowed."""
    below_margin: list[Any] = []

    def base_model(field: FieldInfo, value: Any, widget_key: str) -> str:
        return train_base_model(project.id, field, value, key=widget_key)

    def margin(field: FieldInfo, value: Any, widget_key: str) -> Any:
        entered = field_widget(field, value, widget_key)
        below_margin.append(st.container())
        return entered

    def service(field: FieldInfo, value: Any, widget_key: str) -> str:
        return train_service(field, value, key=widget_key)

    config = config_form(
        recipe.config,
        key=f"{key}.{recipe.name}",
        values={"base_model": project.base_model} if "base_model" in recipe.config.model_fields else None,
        widgets={"base_model": base_model, "margin": margin, "service": service},
    )
    if config is not None and below_margin:
        with below_margin[0]:
            values = config.model_dump(mode="json")
            train_negatives(project.id, dataset.id, recipe.name, values, key=f"{key}.negatives")
    if caution := getattr(config, "caution", ""):
        st.warning(plain(t(caution)), icon=":material/warning:")
    return config
