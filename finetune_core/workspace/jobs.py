"""Jobs: submit, watch, stop, cancel, resume."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finetune_core.errors import JobError
from finetune_core.jobs import executors, queue, supervisor
from finetune_core.jobs.run import job_folder
from finetune_core.jobs.states import JobState, JobView, Request
from finetune_core.jobs.supervisor import WorkerView, stop_workers
from finetune_core.storage import database

__all__ = ["JobState", "JobView", "Request", "WorkerView", "stop_workers"]

WATCH_S = 5.0
_last_watch = 0.0


def submit(
    project_id: str,
    kind: str,
    params: dict[str, Any],
    *,
    title: str = "",
    unique_key: str | None = None,
    start: bool = True,
    after: Mapping[str, bool] | None = None,
) -> str:
    """Queue a job, see to it that a worker is alive (unless `start` is False), and return the job's id.

    It waits for the jobs in `after` (id to whether that one was queued for this one alone; see `queue.add`). While a job
    with the same `unique_key` is live, that one's id is returned: a button pressed twice starts one job. Raises JobError
    that names a parameter that does not fit.
    """
    checked = executors.checked_params(kind, params)
    heavy = executors.is_heavy(kind, checked)
    with database.writing() as connection:
        job_id = queue.add(
            connection,
            project_id=project_id,
            kind=kind,
            params=checked,
            heavy=heavy,
            title=title,
            unique_key=unique_key,
            after=after,
        )
    if start:
        supervisor.ensure_worker()
    return job_id


def get(job_id: str) -> JobView:
    """The job as it is now; if it is live and no worker is, one is started. Raises JobError for an unknown id."""
    with database.reading() as connection:
        view = queue.get(connection, job_id)
    if view.is_live:
        _watch()
    return view


def listing(project_id: str, kinds: Sequence[str] = (), limit: int = 50) -> list[JobView]:
    """The newest jobs of a project first; of all kinds if `kinds` is empty."""
    with database.reading() as connection:
        return queue.listing(connection, project_id, kinds, limit)


def live_heavy() -> list[JobView]:
    """The trainings, generations and comparisons of all projects that are queued or running, the oldest first."""
    with database.reading() as connection:
        return queue.live_heavy(connection)


def num_live(project_id: str = "") -> int:
    """How many jobs are queued or running, in one project or, without one, in all."""
    with database.reading() as connection:
        return queue.num_live(connection, project_id)


def waited_for(job_id: str) -> list[JobView]:
    """The live jobs that have to end before this one begins; [] if it waits for none."""
    with database.reading() as connection:
        return queue.waited_for(connection, job_id)


def request_stop(job_id: str) -> None:
    """Ask a job to save what it has and end. Raises JobError if it has ended already."""
    with database.writing() as connection:
        queue.request(connection, job_id, Request.STOP)


def cancel(job_id: str) -> None:
    """Ask a job to discard its work and end. Raises JobError if it has ended already."""
    with database.writing() as connection:
        queue.request(connection, job_id, Request.CANCEL)


def resume(job_id: str) -> None:
    """Queue a stopped, failed or cancelled job again; it goes on from its last checkpoint. Raises JobError otherwise."""
    with database.writing() as connection:
        queue.requeue(connection, job_id)
    supervisor.ensure_worker()


def log_tail(job_id: str, num_lines: int = 200) -> str:
    """The last lines of the job's log; "" if it has not begun."""
    path = job_folder(job_id) / "log.txt"
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 400 * num_lines))
        return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-num_lines:])


def wait(job_id: str, *, timeout_s: float | None = None, on_change: Callable[[JobView], None] | None = None) -> JobView:
    """Block until the job has ended, telling `on_change` of each new message or tenth of progress.

    Raises JobError if it has not ended after `timeout_s` seconds.
    """
    began, last = time.monotonic(), None
    while True:
        view = get(job_id)
        seen = (view.state, view.message, int(view.progress * 10))
        if on_change and seen != last:
            on_change(view)
            last = seen
        if not view.is_live:
            return view
        if timeout_s is not None and time.monotonic() - began > timeout_s:
            raise JobError(
                f"Job {job_id} is still {view.state} after {timeout_s:.0f} s.", hint="Wait longer, or cancel it."
            )
        time.sleep(0.2)


def metrics(job_id: str, *, after_step: int = -1, max_points: int = 800) -> dict[str, list[tuple[int, float]]]:
    """The job's live metrics by name, as (step, value) past `after_step`, thinned to `max_points` each."""
    with database.reading() as connection:
        return queue.metrics(connection, job_id, after_step=after_step, max_points=max_points)


def workers() -> list[WorkerView]:
    """The workers that are alive."""
    with database.reading() as connection:
        return supervisor.live_workers(connection)


def _watch() -> None:
    global _last_watch  # noqa: PLW0603 - one clock for the process: pages poll far more often than a look is worth
    if time.monotonic() - _last_watch > WATCH_S:
        _last_watch = time.monotonic()
        supervisor.ensure_worker()
