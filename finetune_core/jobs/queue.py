"""The queue: rows of the table `job`, claimed by workers, guarded by attempt numbers.

A claim raises the attempt number and takes a lease; whoever writes for a job names its attempt, so that an old attempt that
comes back to life can write nothing.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, or_, select, update

from finetune_core.errors import JobError, LeaseLost
from finetune_core.jobs.states import LIVE, JobState, JobView, Request
from finetune_core.storage.database import now
from finetune_core.storage.tables import job, job_after, job_fact, metric

LEASE_S = 15.0
RENEW_S = 5.0
LIGHT_SLOTS = 2
UNIQUE_KEY = "unique_key"  # facts of a job that the queue itself keeps
CRASHES = "crashes"

_view_columns = [job.c[field.name] for field in fields(JobView)]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one job: it ends when the lease does, or when a later attempt is claimed."""

    job_id: str
    project_id: str
    kind: str
    params: dict[str, Any]
    attempt: int


def add(
    connection: Connection,
    *,
    project_id: str,
    kind: str,
    params: dict[str, Any],
    heavy: bool,
    title: str = "",
    unique_key: str | None = None,
    after: Mapping[str, bool] | None = None,
) -> str:
    """Queue a job and return its id; where a live job has the same `unique_key`, return that one's id instead.

    The job waits, without taking a slot, until those whose ids are in `after` have ended, however they end. True stands at
    those that were queued for this one alone: they are cancelled with it, and resumed with it.
    """
    if unique_key is not None:
        live = connection.execute(select(job.c.id).where(job.c.unique_key == unique_key)).scalar()
        if live is not None:
            return str(live)
    job_id = uuid.uuid4().hex[:12]
    connection.execute(
        insert(job).values(
            id=job_id,
            project_id=project_id,
            kind=kind,
            title=title,
            params=params,
            unique_key=unique_key,
            heavy=heavy,
            state=JobState.QUEUED,
            created_at=now(),
        )
    )
    if after:
        waits = [{"job_id": job_id, "after_id": other, "is_part": is_part} for other, is_part in after.items()]
        connection.execute(insert(job_after), waits)
    if unique_key is not None:  # the column is emptied when the job ends; whoever resumes it needs the key again
        connection.execute(insert(job_fact).values(job_id=job_id, key=UNIQUE_KEY, value=unique_key))
    return job_id


def claim(connection: Connection, worker_id: str, *, heavy_slots: int, lease_s: float = LEASE_S) -> Claim | None:
    """Take the oldest job that is queued, or whose lease ran out, if a slot of its weight is free and what it waits for has
    ended. None if there is none.
    """
    at = now()
    row = connection.execute(
        update(job)
        .where(job.c.id == _next_job(at, heavy_slots).scalar_subquery())
        .values(
            state=JobState.RUNNING,
            attempt=job.c.attempt + 1,
            worker_id=worker_id,
            lease_expires_at=at + lease_s,
            started_at=func.coalesce(job.c.started_at, at),
            message="",
            error="",
            hint="",
        )
        .returning(job.c.id, job.c.project_id, job.c.kind, job.c.params, job.c.attempt)
    ).one_or_none()
    return None if row is None else Claim(*row)


def _next_job(at: float, heavy_slots: int) -> Select[Any]:
    running = job.alias("running")

    def num_running(heavy: bool) -> Any:
        return (
            select(func.count())
            .select_from(running)
            .where(running.c.state == JobState.RUNNING, running.c.heavy.is_(heavy), running.c.lease_expires_at >= at)
            .scalar_subquery()
        )

    expired = (job.c.state == JobState.RUNNING) & (job.c.lease_expires_at < at)
    free_slot = or_(
        job.c.heavy.is_(True) & (num_running(True) < literal(heavy_slots)),
        job.c.heavy.is_(False) & (num_running(False) < literal(LIGHT_SLOTS)),
    )
    earlier = job.alias("earlier")
    waiting = (
        select(job_after.c.job_id)
        .join(earlier, earlier.c.id == job_after.c.after_id)
        .where(job_after.c.job_id == job.c.id, earlier.c.state.in_(LIVE))
        .exists()
    )
    return (
        select(job.c.id)
        .where(or_(job.c.state == JobState.QUEUED, expired), free_slot, ~waiting)
        .order_by(job.c.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def renew(connection: Connection, held: Claim, *, lease_s: float = LEASE_S) -> None:
    """Extend the lease. Raises LeaseLost if another attempt owns the job."""
    update_own(connection, held, lease_expires_at=now() + lease_s)


def update_own(connection: Connection, held: Claim, **values: Any) -> None:
    """Write columns of the job, if this attempt still owns it. Raises LeaseLost otherwise."""
    changed = connection.execute(update(job).where(*_owned(held)).values(**values))
    if changed.rowcount != 1:
        raise LeaseLost(held.job_id)


def own_request(connection: Connection, held: Claim) -> Request:
    """What was asked of the job. Raises LeaseLost if this attempt does not own it any more."""
    request = connection.execute(select(job.c.request).where(*_owned(held))).scalar()
    if request is None:
        raise LeaseLost(held.job_id)
    return Request(request)


def _owned(held: Claim) -> list[Any]:
    return [job.c.id == held.job_id, job.c.attempt == held.attempt, job.c.state == JobState.RUNNING]


def finish(connection: Connection, held: Claim, state: JobState, **values: Any) -> None:
    """End the job: its lease and unique key are free again. Raises LeaseLost if another attempt owns it."""
    ended = {"unique_key": None, "lease_expires_at": None, "finished_at": now(), "pid": None, "process_started": None}
    update_own(connection, held, state=state, **ended, **values)


def put_back(connection: Connection, held: Claim) -> None:
    """Queue the job again after its process died; the next attempt goes on from the last checkpoint."""
    update_own(connection, held, state=JobState.QUEUED, lease_expires_at=None, pid=None, process_started=None)


def request(connection: Connection, job_id: str, asked: Request) -> None:
    """Ask a live job to stop or cancel; one that still waits ends at once. Raises JobError if it has ended already.

    What was queued for it alone and is live is cancelled with it.
    """
    view = get(connection, job_id)
    if not view.is_live:
        raise JobError(f"Job {job_id} is {view.state} already.", hint="Nothing is left to do; reload the page.")
    if asked is Request.CANCEL:
        for part in _parts(connection, job_id, LIVE):
            request(connection, part, asked)
    if view.state is JobState.QUEUED:
        ended = JobState.CANCELLED if asked is Request.CANCEL else JobState.STOPPED
        values = {"state": ended, "finished_at": now(), "unique_key": None, "request": Request.NONE}
    else:
        values = {"request": asked}
    connection.execute(update(job).where(job.c.id == job_id).values(**values))


def requeue(connection: Connection, job_id: str) -> None:
    """Queue a stopped, failed or cancelled job again, under the unique key it had.

    What was queued for it alone and was cancelled is queued again as well. Raises JobError for any other state, and while a
    live job does the same under that key.
    """
    view = get(connection, job_id)
    if view.is_live or view.state is JobState.DONE:
        raise JobError(
            f"Job {job_id} is {view.state}; only a stopped, failed or cancelled job can be resumed.",
            hint="Start a new one instead." if view.state is JobState.DONE else "Wait for it to end.",
        )
    key = recall(connection, job_id).get(UNIQUE_KEY)
    if key is not None and connection.execute(select(job.c.id).where(job.c.unique_key == key)).first():
        raise JobError(
            f"Another job does the same as job {job_id} already.", hint="Wait for that one, or cancel it first."
        )
    values = {"state": JobState.QUEUED, "request": Request.NONE, "finished_at": None, "error": "", "hint": ""}
    forgotten = (job_fact.c.job_id == job_id) & (job_fact.c.key == CRASHES)  # a person looked at it: count anew
    connection.execute(delete(job_fact).where(forgotten))
    connection.execute(update(job).where(job.c.id == job_id).values(**values, unique_key=key))
    for part in _parts(connection, job_id, (JobState.CANCELLED,)):
        requeue(connection, part)


def _parts(connection: Connection, job_id: str, states: Sequence[JobState]) -> list[str]:
    """The jobs in one of these states that were queued for this one alone."""
    query = select(job.c.id).join(job_after, job_after.c.after_id == job.c.id)
    own = query.where(job_after.c.job_id == job_id, job_after.c.is_part.is_(True), job.c.state.in_(states))
    return list(connection.execute(own.order_by(job.c.created_at)).scalars())


def waited_for(connection: Connection, job_id: str) -> list[JobView]:
    """The live jobs that have to end before this one begins, the oldest first; [] if it waits for none."""
    query = select(*_view_columns).join(job_after, job_after.c.after_id == job.c.id)
    live = query.where(job_after.c.job_id == job_id, job.c.state.in_(LIVE))
    return [_view(row) for row in connection.execute(live.order_by(job.c.created_at))]


def get(connection: Connection, job_id: str) -> JobView:
    """The job as it is now. Raises JobError if there is none of that id."""
    row = connection.execute(select(*_view_columns).where(job.c.id == job_id)).one_or_none()
    if row is None:
        raise JobError(f"There is no job {job_id}.", hint="List the jobs of the project; it may have been deleted.")
    return _view(row)


def listing(connection: Connection, project_id: str, kinds: Sequence[str] = (), limit: int = 50) -> list[JobView]:
    """The newest jobs of a project first; all kinds if `kinds` is empty."""
    query = select(*_view_columns).where(job.c.project_id == project_id)
    if kinds:
        query = query.where(job.c.kind.in_(kinds))
    return [_view(row) for row in connection.execute(query.order_by(job.c.created_at.desc()).limit(limit))]


def live_heavy(connection: Connection) -> list[JobView]:
    """The heavy jobs of all projects that are queued or running, the oldest first."""
    query = select(*_view_columns).where(job.c.heavy.is_(True), job.c.state.in_(LIVE))
    return [_view(row) for row in connection.execute(query.order_by(job.c.created_at))]


def num_live(connection: Connection, project_id: str = "") -> int:
    """How many jobs are queued or running, in one project or, without one, in all."""
    query = select(func.count()).select_from(job).where(job.c.state.in_(LIVE))
    return int(connection.execute(query.where(job.c.project_id == project_id) if project_id else query).scalar_one())


def _view(row: Row[Any]) -> JobView:
    values = dict(row._mapping)
    return JobView(**values | {"state": JobState(values["state"]), "request": Request(values["request"])})


def recall(connection: Connection, job_id: str) -> dict[str, Any]:
    """All that the job's attempts remembered, by key."""
    rows = connection.execute(select(job_fact.c.key, job_fact.c.value).where(job_fact.c.job_id == job_id))
    return {row.key: row.value for row in rows}


def add_metrics(connection: Connection, held: Claim, rows: Sequence[tuple[int, str, float]]) -> None:
    """Keep (step, name, value) rows of this attempt; a step logged twice keeps the later value."""
    if not rows:
        return
    latest = {(step, name): value for step, name, value in rows}
    own = (metric.c.job_id == held.job_id) & (metric.c.attempt == held.attempt)
    first_step = min(step for step, _ in latest)
    known = {
        (step, name)
        for step, name in connection.execute(
            select(metric.c.step, metric.c.name).where(own, metric.c.step >= first_step)
        )
    }
    for step, name in known & latest.keys():
        same = (metric.c.step == step) & (metric.c.name == name)
        connection.execute(update(metric).where(own, same).values(value=latest.pop((step, name))))
    at = now()
    new = [
        {"job_id": held.job_id, "attempt": held.attempt, "step": step, "name": name, "value": value, "at": at}
        for (step, name), value in latest.items()
    ]
    if new:
        connection.execute(insert(metric), new)


def metrics(
    connection: Connection, job_id: str, *, after_step: int = -1, max_points: int = 800
) -> dict[str, list[tuple[int, float]]]:
    """By name, the (step, value) points past `after_step`, in order; where a step was run twice, the later attempt's.

    A name with more than `max_points` points is thinned: each point is then the mean over a stretch of steps.
    """
    past = (metric.c.job_id == job_id) & (metric.c.step > after_step)
    spans = connection.execute(
        select(metric.c.name, func.count(), func.min(metric.c.step), func.max(metric.c.step))
        .where(past)
        .group_by(metric.c.name)
    ).all()
    series = {}
    for name, count, first, last in spans:
        own = past & (metric.c.name == name)
        if count > max_points:
            stretch = (metric.c.step - first) // ((last - first) // max_points + 1)
            query = select(func.max(metric.c.step), func.avg(metric.c.value)).where(own).group_by(stretch)
            series[name] = sorted((step, value) for step, value in connection.execute(query))
        else:
            query = select(metric.c.step, metric.c.value).where(own).order_by(metric.c.step, metric.c.attempt)
            series[name] = list({step: (step, value) for step, value in connection.execute(query)}.values())
    return series
