"""Choosing a dataset version and runs, and starting their comparison."""

import streamlit as st

from components.compare_all import compare_all
from components.empty import empty_state
from components.errors import kept_errors, show_kept_error
from components.job_card import job_card
from components.out_of_domain_choice import out_of_domain_choice
from components.text import plain, t
from finetune_core.workspace import comparisons, datasets, jobs, models
from finetune_core.workspace.out_of_domain import Choice


def compare_launch(project_id: str, *, key: str) -> None:
    """A form with the newest dataset and run chosen; the live comparison's card instead while one is under way."""
    live = [job for job in jobs.listing(project_id, ["compare"], limit=5) if job.is_live]
    for job in live:
        job_card(job.id, key=f"{key}_{job.id}")
    show_kept_error(key)
    known = {model.id: model for model in models.listing(project_id)}
    listed = datasets.listing(project_id)
    versions = {version.id: version.name for version in listed}
    if not known and versions:
        _first(project_id, versions, key=key)
    if not known or not versions:
        empty_state(
            t("Nothing to compare yet"),
            t("Once a run has tuned a model, this page says whether it is better than the one it started from."),
            "pages/train.py",
            t("Set up a training"),
            icon=":material/balance:",
        )
        return
    kinds = {version.id: version.record for version in listed}
    learned_from = next(iter(known.values())).dataset_id  # another version may hold another kind of example
    with st.container(border=True, key=f"{key}_form"):
        left, right = st.columns([2, 3], vertical_alignment="bottom")
        dataset = left.selectbox(
            t("Test questions of"), list(versions), index=list(versions).index(learned_from) if learned_from in versions else 0,
            format_func=lambda id_: versions.get(id_, id_), key=f"{key}_dataset",
        )  # fmt: skip
        chosen = right.multiselect(
            t("Tuned models"),
            list(known),
            default=[next(iter(known))],
            format_func=lambda id_: known[id_].name if id_ in known else id_,
            key=f"{key}_models",
            max_selections=12,
        )
        foreign = out_of_domain_choice(project_id, dataset, chosen, key=f"{key}_foreign")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                t("Compare"), type="primary", icon=":material/balance:", key=f"{key}_start", disabled=not chosen,
                on_click=_start, args=(project_id, dataset, chosen, foreign, key),
            )  # fmt: skip
            st.caption(plain(live[0].message) if live else _against(kinds.get(dataset, "")))
        compare_all(project_id, dataset, foreign, key=f"{key}_all")


def _against(record: str) -> str:
    if record == datasets.PAIRS:
        return t("Each is set against its own untuned model and against a keyword search, on all passages.")
    return t("Each is set against its own untuned model and against what needs no model.")


def _first(project_id: str, versions: dict[str, str], *, key: str) -> None:
    """Before any run: one press trains and compares everything on a version."""
    with st.container(border=True, key=f"{key}_first"):
        dataset = st.selectbox(
            t("On"), list(versions), format_func=lambda id_: versions.get(id_, id_), key=f"{key}_first_dataset"
        )
        foreign = out_of_domain_choice(project_id, dataset, [], key=f"{key}_foreign")
        compare_all(project_id, dataset, foreign, key=f"{key}_all")


def _start(project_id: str, dataset: str, chosen: list[str], foreign: Choice | None, key: str) -> None:
    with kept_errors(key):
        st.query_params["comparison"] = comparisons.launch(project_id, dataset, chosen, foreign).comparison_id
