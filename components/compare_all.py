"""Everything on one dataset version at once: compare all its runs, and train what was not tried there."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import duration_text, plain, t, tn
from finetune_core.errors import FinetuneError
from finetune_core.recipes import Recipe
from finetune_core.workspace import comparisons, contenders, runs


def compare_all(project_id: str, dataset_id: str, *, key: str) -> None:
    """Two steps, each with its button; draws nothing for a version that nothing learned from."""
    found = contenders.contenders(project_id, dataset_id)
    if not found.model_ids:
        return
    show_kept_error(key)
    st.button(
        tn("Compare the {num} run on this version", "Compare all {num} runs on this version", len(found.model_ids)),
        icon=":material/leaderboard:", key=f"{key}_start",
        on_click=_compare, args=(project_id, dataset_id, found.model_ids, key),
    )  # fmt: skip
    if not found.missing:
        return
    st.caption(t("Not tried on this version yet:"))
    for recipe in found.missing:
        st.caption(f"- {plain(t(recipe.title))} · {_time(project_id, dataset_id, recipe)}")
    st.button(
        tn("Train it with default settings", "Train these {num} with default settings", len(found.missing)),
        icon=":material/model_training:", key=f"{key}_train", on_click=_train, args=(project_id, dataset_id, key),
    )  # fmt: skip
    st.caption(t("They run one after another and show on Runs; compare all once they are done."))


def _time(project_id: str, dataset_id: str, recipe: Recipe) -> str:
    try:
        estimate = runs.estimate(project_id, dataset_id, recipe.name, {})
    except FinetuneError as error:
        return plain(error.message)
    if estimate is None or estimate.seconds is None:
        return t("time unknown")
    return t("about {time}", time=duration_text(estimate.seconds))


def _compare(project_id: str, dataset_id: str, model_ids: tuple[str, ...], key: str) -> None:
    with kept_errors(key):
        st.query_params["comparison"] = comparisons.launch(project_id, dataset_id, model_ids).comparison_id


def _train(project_id: str, dataset_id: str, key: str) -> None:
    with kept_errors(key):
        contenders.train_missing(project_id, dataset_id)
