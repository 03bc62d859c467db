"""The processes that work for the dashboard: workers, and the one that answers the Playground."""

import time

import streamlit as st

from components.errors import shown_errors
from components.text import duration_text, plain, t, tn
from finetune_core.workspace import jobs, playground


@shown_errors()
def processes(*, key: str) -> None:
    """Both kinds, with a button to stop each."""
    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch"):
        _workers(key)
    with right, st.container(border=True, height="stretch"):
        _answering(key)


def _workers(key: str) -> None:
    st.subheader(t("Worker"), anchor=False)
    alive = jobs.workers()
    if not alive:
        st.caption(t("None is running. One starts by itself with the next job."))
        return
    for worker in alive:
        st.markdown(f":green-badge[:material/check: {t('Running')}]  {t('process {pid}', pid=worker.pid)}")
        st.caption(t("Last sign of life {time} ago", time=duration_text(time.time() - worker.heartbeat_at)))
    st.caption(tn("{num} job is waiting or running.", "{num} jobs are waiting or running.", jobs.num_live()))
    if st.button(t("Stop"), icon=":material/power_settings_new:", key=f"{key}_stop_workers"):
        jobs.stop_workers()
        st.toast(t("The worker ends; its jobs go on when one starts again."))
        st.rerun()


def _answering(key: str) -> None:
    st.subheader(t("Playground process"), anchor=False)
    status = playground.status()
    if status is None:
        st.caption(t("Not running. It starts with the first question asked on Playground, and leaves when idle."))
        return
    st.markdown(f":green-badge[:material/check: {t('Running')}]  {t('process {pid}', pid=status.pid)}")
    models = ", ".join(plain(model) for model in status.models) or t("no model yet")
    st.caption(t("Keeps warm: {models}", models=models))
    st.caption(
        t(
            "{num} answers so far; leaves after {time} without a question.",
            num=status.num_answers,
            time=duration_text(status.leaves_after_s),
        )
    )
    if st.button(t("Stop"), icon=":material/power_settings_new:", key=f"{key}_stop_answering"):
        playground.stop()
        st.rerun()
