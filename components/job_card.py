"""One job as a card: how far it is, what it is doing, and the buttons that stop, cancel or resume it."""

import time
from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from components.errors import kept_errors, show_error, show_kept_error
from components.text import duration_text, plain, t, tn
from finetune_core.workspace import jobs

_EVERY_S = 1.0
_BADGES = {
    jobs.JobState.QUEUED: ("gray", ":material/schedule:"),
    jobs.JobState.RUNNING: ("blue", ":material/autorenew:"),
    jobs.JobState.DONE: ("green", ":material/check:"),
    jobs.JobState.STOPPED: ("orange", ":material/stop_circle:"),
    jobs.JobState.CANCELLED: ("gray", ":material/block:"),
    jobs.JobState.FAILED: ("red", ":material/error:"),
}


def job_card(job_id: str, *, key: str, title: str = "", show_log: bool = True) -> jobs.JobView:
    """Draw the job and keep the card up to date while it works; the page runs once more when it has ended.

    `title` is shown instead of the job's own. Returns the job as it was when the page ran.
    """
    job = jobs.get(job_id)
    was_live = job.is_live

    @st.fragment(run_every=_EVERY_S if was_live else None)
    def card() -> None:
        now = jobs.get(job_id)
        _draw(now, key, title, show_log)
        if was_live and not now.is_live:
            st.rerun()

    card()
    return job


def _draw(job: jobs.JobView, key: str, title: str, show_log: bool) -> None:
    with st.container(border=True, key=f"{key}_card"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{plain(title or job.title or job.kind)}**", width="content")
            colour, icon = _BADGES[job.state]
            st.badge(_state_name(job), color=colour, icon=icon)
        if job.is_live:
            st.progress(min(1.0, max(0.0, job.progress)))
        st.caption(_times(job))
        if job.error:
            show_error(job.error, job.hint)
        _buttons(job, key)
        show_kept_error(key)
        if show_log:
            _log(job, key)


def _buttons(job: jobs.JobView, key: str) -> None:
    if not job.is_live and job.state is jobs.JobState.DONE:
        return
    words = _words(job)
    with st.container(horizontal=True, gap="small"):
        if job.is_live:
            asked = bool(job.request)
            if job.state is jobs.JobState.RUNNING:
                st.button(
                    t("Stop and keep"), icon=":material/stop_circle:", key=f"{key}_stop", disabled=asked, on_click=_ask,
                    args=(jobs.request_stop, job.id, key), help=words.stop,
                )  # fmt: skip
            st.button(
                t("Cancel"), icon=":material/close:", key=f"{key}_cancel", disabled=job.request == "cancel", on_click=_ask,
                args=(jobs.cancel, job.id, key), type="tertiary", help=words.cancel,
            )  # fmt: skip
        else:
            st.button(
                t("Resume"), icon=":material/play_arrow:", key=f"{key}_resume", on_click=_ask,
                args=(jobs.resume, job.id, key), help=words.resume,
            )  # fmt: skip


class _Words(NamedTuple):
    """What becomes of the work if a button is pressed; true for the kind of job that is shown."""

    stop: str
    cancel: str
    resume: str


def _words(job: jobs.JobView) -> _Words:
    if job.kind == "train":
        return _Words(
            t("Ends after this step and keeps the best model so far; it can go on from there."),
            t("Ends at once and drops what this run has learned."),
            t("Begins anew: a cancelled run keeps no checkpoint.")
            if job.state is jobs.JobState.CANCELLED
            else t("Goes on from the last checkpoint."),
        )
    if job.kind == "compare" and job.params.get("run_ids"):
        return _Words(
            t("Ends soon; what was scored is kept, and it can be resumed."),
            t("Ends at once, and so do the trainings that were queued for it and are not done."),
            t("Queues again what was cancelled with it, and goes on; nothing is trained or scored twice."),
        )
    if job.kind == "generate":
        return _Words(
            t("Waits for the replies on their way, then ends; every question written is kept."),
            t("Ends at once. Questions already written are kept; replies on their way are lost, though they may cost."),
            t("Asks only what was not answered yet."),
        )  # fmt: skip
    if job.kind == "ingest":
        return _Words(
            t("Ends soon; files that were read are kept, and the others can be read later."),
            t("Ends at once. Files that were read are kept; uploads that were not are dropped."),
            t("Goes on with the files that were not read yet."),
        )
    return _Words(
        t("Ends soon and keeps what is finished; it can be resumed."),
        t("Ends at once and drops what is not finished."),
        t("Goes on where it can, else begins anew; nothing is done or stored twice."),
    )


def _ask(what: Callable[[str], None], job_id: str, key: str) -> None:
    with kept_errors(key):
        what(job_id)


def _log(job: jobs.JobView, key: str) -> None:
    with st.expander(t("Log"), key=f"{key}_log", on_change="rerun") as log:
        if log.open:
            st.code(
                jobs.log_tail(job.id, 200) or t("Nothing was written yet."), language=None, height=240, wrap_lines=True
            )


def _state_name(job: jobs.JobView) -> str:
    if job.is_live and job.request:
        return t("Cancelling") if job.request == "cancel" else t("Stopping")
    return {
        jobs.JobState.QUEUED: t("Waiting"),
        jobs.JobState.RUNNING: t("Running"),
        jobs.JobState.DONE: t("Done"),
        jobs.JobState.STOPPED: t("Stopped"),
        jobs.JobState.CANCELLED: t("Cancelled"),
        jobs.JobState.FAILED: t("Failed"),
    }[job.state]


def _waiting(job: jobs.JobView) -> str:
    """What a job that never began waits for: its turn, or trainings, of which the one at work is named."""
    before = jobs.waited_for(job.id)
    if not before:
        return t("Waiting for its turn")
    at_work = next((one for one in before if one.state is jobs.JobState.RUNNING), before[0])
    said = tn("Waiting for {num} training", "Waiting for {num} trainings", len(before))
    return f"{said}: {plain(at_work.title)} {at_work.progress:.0%}"


def _times(job: jobs.JobView) -> str:
    # The badge says already that a job is done.
    parts = [plain(t(job.message))] if job.message and job.state is not jobs.JobState.DONE else []
    if job.started_at is None:
        parts = parts or [_waiting(job)]
    elif job.is_live:
        elapsed = time.time() - job.started_at
        parts.append(t("{time} so far", time=duration_text(elapsed)))
        # A training says itself what is left, from its steps alone; of a later attempt nobody knows where it began.
        is_told = job.message.endswith(" left") or job.attempt > 1
        if job.progress > 0.03 and elapsed > 5 and not is_told:
            parts.append(t("about {time} left", time=duration_text(elapsed * (1 - job.progress) / job.progress)))
    elif job.finished_at is not None:
        parts.append(t("took {time}", time=duration_text(job.finished_at - job.started_at)))
    if job.is_live:
        parts.insert(0, f"{job.progress:.0%}")
    if job.attempt > 1:
        parts.append(t("attempt {number}", number=job.attempt))
    return " · ".join(parts)
