"""Claims, leases and attempts, without any process."""

import pytest

from finetune_core.errors import JobError, LeaseLost
from finetune_core.jobs import queue
from finetune_core.jobs.states import JobState, Request
from finetune_core.storage import database


def _add(project_id: str, *, heavy: bool = False, unique_key: str | None = None) -> str:
    with database.writing() as connection:
        return queue.add(connection, project_id=project_id, kind="probe", params={}, heavy=heavy, unique_key=unique_key)


def _claim(worker: str = "w", lease_s: float = 60.0) -> queue.Claim | None:
    with database.writing() as connection:
        return queue.claim(connection, worker, heavy_slots=1, lease_s=lease_s)


def test_a_job_is_claimed_once_and_in_order(project_id: str) -> None:
    first, second = _add(project_id), _add(project_id)
    claims = [_claim("a"), _claim("b"), _claim("c")]
    assert [held and held.job_id for held in claims] == [first, second, None]


def test_one_heavy_and_two_light_jobs_run_side_by_side(project_id: str) -> None:
    heavy = [_add(project_id, heavy=True) for _ in range(2)]
    light = [_add(project_id) for _ in range(3)]
    claimed = {held.job_id for held in (_claim() for _ in range(5)) if held}
    assert claimed == {heavy[0], light[0], light[1]}


def test_only_an_expired_lease_is_claimed_again_and_the_old_attempt_can_write_nothing(project_id: str) -> None:
    _add(project_id)
    old = _claim(lease_s=-1.0)
    new = _claim()
    assert old is not None
    assert new is not None
    assert (old.attempt, new.attempt) == (1, 2)
    assert _claim() is None
    with database.writing() as connection:
        for write in (
            lambda: queue.renew(connection, old),
            lambda: queue.update_own(connection, old, progress=1.0),
            lambda: queue.finish(connection, old, JobState.DONE),
        ):
            with pytest.raises(LeaseLost):
                write()
        queue.finish(connection, new, JobState.DONE)
        assert queue.get(connection, new.job_id).state is JobState.DONE


def test_a_unique_key_starts_one_job_until_it_has_ended(project_id: str) -> None:
    first = _add(project_id, unique_key="train:v1")
    assert _add(project_id, unique_key="train:v1") == first
    held = _claim()
    assert held is not None
    with database.writing() as connection:
        queue.finish(connection, held, JobState.DONE)
    assert _add(project_id, unique_key="train:v1") != first


def test_a_queued_job_is_cancelled_at_once_and_an_ended_one_cannot_be(project_id: str) -> None:
    job_id = _add(project_id)
    with database.writing() as connection:
        queue.request(connection, job_id, Request.CANCEL)
        assert queue.get(connection, job_id).state is JobState.CANCELLED
        with pytest.raises(JobError, match="cancelled already"):
            queue.request(connection, job_id, Request.STOP)
        queue.requeue(connection, job_id)
        assert queue.get(connection, job_id).state is JobState.QUEUED
        with pytest.raises(JobError, match="only a stopped, failed or cancelled job"):
            queue.requeue(connection, job_id)


def test_metrics_take_the_later_attempt_and_are_thinned_by_means(project_id: str) -> None:
    _add(project_id)
    old = _claim(lease_s=-1.0)
    assert old is not None
    with database.writing() as connection:
        queue.add_metrics(connection, old, [(step, "loss", 100.0) for step in range(4)])
    new = _claim()
    assert new is not None
    with database.writing() as connection:
        queue.add_metrics(connection, new, [(step, "loss", float(step)) for step in range(2, 10)])
        queue.add_metrics(connection, new, [(9, "loss", 99.0), (9, "rate", 0.5)])
    with database.reading() as connection:
        found = queue.metrics(connection, new.job_id)
        assert found["loss"] == [(0, 100.0), (1, 100.0), *((step, float(step)) for step in range(2, 9)), (9, 99.0)]
        assert found["rate"] == [(9, 0.5)]
        assert queue.metrics(connection, new.job_id, after_step=7)["loss"] == [(8, 8.0), (9, 99.0)]
        thinned = queue.metrics(connection, new.job_id, after_step=3, max_points=3)["loss"]
    assert thinned == [(5, 4.5), (7, 6.5), (9, 53.5)]


def test_a_job_waits_for_others_without_taking_a_slot(project_id: str) -> None:
    first, second = _add(project_id, heavy=True), _add(project_id, heavy=True)
    with database.writing() as connection:
        last = queue.add(
            connection, project_id=project_id, kind="probe", params={}, heavy=True, after={first: True, second: False}
        )
    other = _add(project_id, heavy=True)
    for state in (JobState.DONE, JobState.FAILED):
        held = _claim()
        assert held is not None
        assert held.job_id in (first, second)
        assert _claim() is None, "the one heavy slot is taken by a training, not by who waits for it"
        with database.writing() as connection:
            assert [one.id for one in queue.waited_for(connection, last)][-1] == second
            queue.finish(connection, held, state)
    claims = []
    for _ in range(2):
        held = _claim()
        assert held is not None
        claims.append(held.job_id)
        with database.writing() as connection:
            queue.finish(connection, held, JobState.DONE)
    assert claims == [last, other]


def test_parts_are_cancelled_and_resumed_with_the_whole(project_id: str) -> None:
    part, other = _add(project_id, heavy=True, unique_key="t"), _add(project_id, heavy=True)
    with database.writing() as connection:
        whole = queue.add(
            connection, project_id=project_id, kind="probe", params={}, heavy=True, after={part: True, other: False}
        )
    held = _claim()
    assert held is not None
    with database.writing() as connection:
        queue.request(connection, whole, Request.CANCEL)
        assert queue.get(connection, whole).state is JobState.CANCELLED
        assert queue.own_request(connection, held) is Request.CANCEL, "the part at work is asked to end"
        assert queue.get(connection, other).state is JobState.QUEUED
        queue.finish(connection, held, JobState.CANCELLED)
        queue.requeue(connection, whole)
        assert queue.get(connection, part).state is JobState.QUEUED
