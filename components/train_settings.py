"""The settings of a run: the recipe's form, with the base model's choice and the live counts of hard negatives in place."""

from typing import Any

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.chat_choice import chat_choice
from components.config_form import config_form, field_widget
from components.text import plain, t
from components.train_base_model import train_base_model
from components.train_chat_base import train_chat_base
from components.train_negatives import train_negatives
from components.train_service import train_service
from components.train_shutdown import train_shutdown
from finetune_core.recipes import Recipe
from finetune_core.workspace import panels, runs
from finetune_core.workspace.datasets import DatasetView
from finetune_core.workspace.projects import Project


def train_settings(project: Project, dataset: DatasetView, recipe: Recipe, *, key: str) -> BaseModel | None:
    """The validated settings, or None while something entered is not allowed."""
    below_margin: list[Any] = []
    form = f"{key}.{recipe.name}"
    is_from_embedder = runs.starts_from_embedder(recipe.name)
    # Its widget stands further down; what it says now is what it said when the page ran last.
    tuner = st.session_state.get(f"{form}.tuner", "local")
    is_at_service = tuner == "openai"

    def base_model(field: FieldInfo, value: Any, widget_key: str) -> str:
        if is_from_embedder:
            return train_base_model(project.id, field, value, key=widget_key)
        return train_chat_base(field, value, is_at_service=is_at_service, key=widget_key)

    def margin(field: FieldInfo, value: Any, widget_key: str) -> Any:
        entered = field_widget(field, value, widget_key)
        below_margin.append(st.container())
        return entered

    def service(field: FieldInfo, value: Any, widget_key: str) -> str:
        if is_from_embedder:
            return train_service(field, value, kind="cohere", key=widget_key)
        chosen = train_service(field, value, kind="openai", key=widget_key)
        train_shutdown(chosen, st.session_state.get(f"{form}.base_model.at_service", ""), key=f"{widget_key}.end")
        if chosen:
            st.button(
                t("Tune on this machine instead"), icon=":material/swap_horiz:", key=f"{widget_key}.instead",
                on_click=_tune_here, args=(form,), type="tertiary",
            )  # fmt: skip
        return chosen

    def judge(field: FieldInfo, value: Any, widget_key: str) -> str:
        judges = panels.tuned_judges(project.id)
        chosen = chat_choice(t(field.title or "Judge"), ["none", "service", "file", "tuned"], judges, key=widget_key)
        st.caption(t(field.description or ""))
        return chosen or ""

    config = config_form(
        recipe.config,
        key=form,
        values={"base_model": project.base_model} if is_from_embedder else None,
        skip=recipe.config.unused(tuner) if hasattr(recipe.config, "unused") else (),
        widgets={"base_model": base_model, "margin": margin, "service": service, "judge": judge},
    )
    if config is not None and below_margin:
        with below_margin[0]:
            values = config.model_dump(mode="json")
            train_negatives(project.id, dataset.id, recipe.name, values, key=f"{key}.negatives")
    if caution := getattr(config, "caution", ""):
        st.warning(plain(t(caution)), icon=":material/warning:")
    return config


def _tune_here(form: str) -> None:
    st.session_state[f"{form}.tuner"] = "local"
