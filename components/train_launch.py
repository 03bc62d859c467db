"""The button that starts a run, once however often it is pressed, and the way to where it can be watched."""

import streamlit as st
from pydantic import BaseModel

from components.errors import kept_errors, show_kept_error
from components.text import plain, t
from finetune_core.workspace import jobs, runs


def train_launch(project_id: str, dataset_id: str, recipe: str, config: BaseModel | None, *, key: str) -> None:
    """A name, the button, and after a launch a link to the run. Without a `config` the button is off."""
    name = st.text_input(t("Name of the run (optional)"), key=f"{key}.name", max_chars=120)
    waiting = jobs.live_heavy()
    launched = st.session_state.get(f"{key}.run", "")
    if ahead := [job for job in waiting if job.id != launched]:
        st.info(
            t(
                "“{title}” is at work. One training runs at a time on this machine; yours starts by itself after it.",
                title=plain(ahead[0].title or ahead[0].kind),
            ),
            icon=":material/schedule:",
        )
    st.button(
        t("Start training"), type="primary", icon=":material/play_arrow:", key=f"{key}.start", disabled=config is None,
        on_click=_launch, args=(project_id, dataset_id, recipe, config, name, key), width="stretch",
    )  # fmt: skip
    show_kept_error(key)
    if launched and st.session_state.get(f"{key}.project") == project_id:
        if any(job.id == launched for job in waiting):
            st.success(t("The run is queued. You can close the page: it goes on."), icon=":material/check_circle:")
        st.page_link(
            "../pages/runs.py", label=t("Watch it on Runs"), icon=":material/monitoring:",
            query_params={"project": project_id, "run": launched},
        )  # fmt: skip


def _launch(project_id: str, dataset_id: str, recipe: str, config: BaseModel, name: str, key: str) -> None:
    with kept_errors(key):
        st.session_state[f"{key}.run"] = runs.launch(
            project_id, dataset_id, recipe, config.model_dump(mode="json"), name
        )
        st.session_state[f"{key}.project"] = project_id
