"""How many hard negatives the margin leaves, live beside the slider, and the job that looks for candidates."""

from typing import Any

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.job_card import job_card
from components.text import t
from components.train_mined import train_mined
from finetune_core.workspace import jobs, mining


def train_negatives(project_id: str, dataset_id: str, recipe: str, config: dict[str, Any], *, key: str) -> None:
    """Draw the counts for the margin in `config`; draws nothing for settings without hard negatives."""
    wanted = config.get("hard_negatives", 0)
    if not wanted:
        return
    live = [job for job in jobs.listing(project_id, ("mine",), 5) if job.is_live]
    counts = mining.counts(project_id, dataset_id, recipe, config)
    if counts is None:
        st.caption(
            t(
                "Candidates are wrong passages that the base model or retriever likes. Look for them now to see what each margin "
                "leaves; otherwise the run does it first."
            )
        )
        if live:
            job_card(live[0].id, key=f"{key}.job", show_log=False)
        else:
            st.button(
                t("Look for candidates"), icon=":material/search:", key=f"{key}.mine", on_click=_mine,
                args=(project_id, dataset_id, recipe, config, key),
            )  # fmt: skip
        show_kept_error(key)
        return
    share = counts.num_usable / counts.num_questions if counts.num_questions else 0.0
    st.progress(share)
    st.caption(
        t(
            "With this margin {usable} of {questions} questions have {wanted} hard negatives; {kept} of {candidates} "
            "candidates are kept.",
            usable=f"{counts.num_usable:,}", questions=f"{counts.num_questions:,}", wanted=wanted,
            kept=f"{counts.num_kept:,}", candidates=f"{counts.num_candidates:,}",
        )
    )  # fmt: skip
    others = ", ".join(f"{margin:.2f}: {num:,}" for margin, num in list(counts.margins.items())[::2])
    st.caption(t("Questions left at other margins: {list}", list=others))
    train_mined(project_id, dataset_id, recipe, config, key=key)


def _mine(project_id: str, dataset_id: str, recipe: str, config: dict[str, Any], key: str) -> None:
    with kept_errors(key):
        mining.mine(project_id, dataset_id, recipe, config)
