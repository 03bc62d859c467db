"""What to know before a run starts: time, memory, disk, and what the test set can show."""

import json
from typing import Any

import psutil
import streamlit as st
from pydantic import BaseModel

from components.errors import shown_errors
from components.text import duration_text, plain, size_text, t, tn
from finetune_core.workspace import comparisons, runs
from finetune_core.workspace.datasets import DatasetView
from finetune_core.workspace.runs import Charge, Estimate


def train_before_start(project_id: str, dataset: DatasetView, recipe: str, config: BaseModel, *, key: str) -> None:
    """The card; where nothing can be foreseen, it says why."""
    with st.container(border=True, key=key):
        st.subheader(t("Before you start"), anchor=False)
        with shown_errors():
            with st.spinner(t("Estimating …")):
                estimate = _estimate(project_id, dataset.id, recipe, config.model_dump_json())
            _takes(estimate)
        _detectable(dataset.manifest)


def _takes(estimate: Estimate | None) -> None:
    if estimate is None:
        st.caption(t("Nobody can tell in advance how long this takes; the page Runs shows how far it is."))
        return
    if rows := _rows(estimate):
        st.table(rows, border="horizontal")
    if estimate.basis:
        st.caption(
            t("The time comes from {basis}, and is less if the run stops early.", basis=plain(t(estimate.basis)))
        )
    if warnings := [plain(t(warning)) for warning in _warnings(estimate)]:
        st.warning("\n\n".join(warnings), icon=":material/warning:")


def _rows(estimate: Estimate) -> dict[str, str]:
    """What is known of the run, by its name."""
    rows: dict[str, str] = {}
    if estimate.seconds is not None:
        rows[t("Time")] = t("about {time}", time=duration_text(estimate.seconds))
    if estimate.num_steps is not None:
        rows[t("Steps")] = f"{estimate.num_steps:,}"
    if estimate.memory_bytes is not None:
        rows[t("Memory")] = size_text(estimate.memory_bytes)
    if estimate.disk_bytes is not None:
        rows[t("Disk")] = size_text(estimate.disk_bytes)
    return rows | {plain(charge.service): _charged(charge) for charge in estimate.charges}


def _charged(charge: Charge) -> str:
    """What the service is asked for and takes for it, at most."""
    said = [tn("up to {num} request", "up to {num} requests", charge.num_requests)] if charge.num_requests else []
    if charge.num_training_tokens:
        said.append(t("about {num} training tokens in all epochs", num=f"{charge.num_training_tokens:,}"))
    if charge.num_tokens:
        said.append(t("about {num} tokens", num=f"{charge.num_tokens:,}"))
    if charge.num_searches:
        said.append(tn("up to {num} paid search", "up to {num} paid searches", charge.num_searches))
    if charge.cost_usd is None:
        return ", ".join([*said, t("no price given")])
    about = t("about \\${cost}") if charge.num_training_tokens else t("up to \\${cost}")
    said.append(about.format(cost=f"{charge.cost_usd:,.4f}"))
    return ", ".join(said)


@st.cache_data(ttl=60, max_entries=100, show_spinner=False)
def _estimate(project_id: str, dataset_id: str, recipe: str, config: str) -> Estimate | None:
    """Kept for a minute: the page runs again at every change."""
    return runs.estimate(project_id, dataset_id, recipe, json.loads(config))


def _detectable(manifest: dict[str, Any]) -> None:
    gain, measured = manifest.get("smallest_detectable_gain"), manifest.get("base", {})
    metric = manifest.get("gain_metric", "")
    base = measured.get("test", {}).get(metric)
    if gain is None and base is not None:
        st.markdown(
            t(
                "The base model's {metric} is {base} on the {num} test questions, and would be on any of them: what gain they "
                "can show is not known before the first comparison.",
                metric=comparisons.metric_title(metric), base=f"{base:.3f}", num=f"{manifest['num_test']:,}",
            )
        )  # fmt: skip
        return
    if gain is None:
        st.markdown(t("The base model was not measured on this dataset, so nobody knows what its test set can show."))
        st.caption(plain(t(manifest.get("base", {}).get("note", ""))))
        return
    st.markdown(
        t(
            ":material/straighten: The {num} test questions can show a gain of **{gain} {metric}** or more over the base "
            "model's {base}; a smaller one would look like chance.",
            num=f"{manifest['num_test']:,}", gain=f"{gain:.3f}", base="–" if base is None else f"{base:.3f}",
            metric=comparisons.metric_title(metric),
        )
    )  # fmt: skip
    st.caption(plain(t(manifest.get("gain_assumes", ""))))


def _warnings(estimate: Estimate) -> list[str]:
    free = psutil.virtual_memory().available
    found = list(estimate.warnings)
    if estimate.memory_bytes and estimate.memory_bytes > free:
        found.append(
            t(
                "The run needs about {needed} of memory; {free} are free. Choose a smaller batch size.",
                needed=size_text(estimate.memory_bytes),
                free=size_text(free),
            )
        )
    return found
