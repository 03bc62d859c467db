"""Take over an adapter that the old package wrote."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.job_card import job_card
from components.text import t
from finetune_core.workspace import jobs, models
from finetune_core.workspace.projects import Project


def model_import(project: Project, *, key: str) -> None:
    """A popover with the folder and the base model, and the job while it works or where it failed."""
    with st.popover(t("Import an adapter"), icon=":material/drive_folder_upload:", key=f"{key}.open"):
        st.markdown(
            t(
                "Takes over an adapter of `llama-index-finetuning`: a folder with `config.json` and `pytorch_model.bin`. "
                "Its weights are converted once, and no code in them runs."
            )
        )
        st.text_input(t("Folder on this machine"), key=f"{key}.folder", placeholder="/models/adapter_model")
        st.text_input(t("Embedding model it was tuned for"), project.base_model, key=f"{key}.base_model")
        st.button(t("Import"), type="primary", key=f"{key}.start", on_click=_start, args=(project.id, key))
        show_kept_error(key)
    last = jobs.listing(project.id, ("import_adapter",), 1)
    if last and (last[0].is_live or last[0].error):
        job_card(last[0].id, key=f"{key}.job", show_log=False)


def _start(project_id: str, key: str) -> None:
    with kept_errors(key):
        folder, base_model = (st.session_state[f"{key}.{name}"] for name in ("folder", "base_model"))
        models.import_adapter(project_id, folder, base_model)
