"""Jobs in real processes: how they end, and what survives a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from finetune_core.errors import JobError
from finetune_core.jobs import queue
from finetune_core.jobs.worker import run_queued_here
from finetune_core.storage import database
from finetune_core.workspace import jobs
from finetune_core.workspace.jobs import JobState


def _worker() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "finetune_core", "worker", "--idle-s", "30"])


@pytest.fixture
def worker():
    process = _worker()
    yield process
    process.terminate()
    process.wait(60)


def test_here_and_in_a_process_a_job_ends_alike(project_id: str, worker) -> None:
    there = jobs.wait(jobs.submit(project_id, "probe", {"steps": 4}, start=False), timeout_s=120)
    worker.terminate()
    worker.wait(60)
    here = jobs.submit(project_id, "probe", {"steps": 4}, start=False)
    assert run_queued_here() == 1
    for view in (there, jobs.get(here)):
        assert (view.state, view.result, view.progress, view.message) == (JobState.DONE, {"steps": 4}, 1.0, "Done")
        assert jobs.metrics(view.id)["loss"] == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3)), (3, 0.25)]


@pytest.mark.parametrize(
    ("fail", "error", "hint"),
    [
        ("user", "The set has 1 row; 2 are needed.", "Add a row."),
        ("bug", "This is a bug: RuntimeError: a surprise", "log.txt"),
        ("full", "The disk is full", "Free some space"),
    ],
)
def test_a_failure_is_told_in_words_and_can_be_resumed(project_id: str, fail: str, error: str, hint: str) -> None:
    job_id = jobs.submit(project_id, "probe", {"fail": fail}, start=False)
    run_queued_here()
    view = jobs.get(job_id)
    assert view.state is JobState.FAILED
    assert error in view.error
    assert hint in view.hint


def test_a_parameter_out_of_bounds_is_refused_before_anything_is_queued(project_id: str) -> None:
    with pytest.raises(JobError, match="steps is 0"):
        jobs.submit(project_id, "probe", {"steps": 0}, start=False)
    assert jobs.listing(project_id) == []


def test_a_job_whose_process_dies_goes_on_where_it_was_and_gives_up_after_three(project_id: str, worker) -> None:
    once = jobs.wait(jobs.submit(project_id, "probe", {"fail": "kill once"}, start=False), timeout_s=120)
    assert (once.state, once.attempt) == (JobState.DONE, 2)
    always = jobs.wait(jobs.submit(project_id, "probe", {"fail": "kill"}, start=False), timeout_s=120)
    assert always.state is JobState.FAILED
    assert "died 3 times (SIGKILL)" in always.error


def test_stop_saves_and_cancel_discards(project_id: str, worker) -> None:
    for ask, state in ((jobs.request_stop, JobState.STOPPED), (jobs.cancel, JobState.CANCELLED)):
        job_id = jobs.submit(project_id, "probe", {"steps": 10_000, "sleep_s": 0.05}, start=False)
        _wait_for(lambda job_id=job_id: jobs.get(job_id).progress > 0)
        ask(job_id)
        assert jobs.wait(job_id, timeout_s=120).state is state


def test_two_workers_run_each_job_once(project_id: str, tmp_path: Path, worker) -> None:
    other = _worker()
    trace = tmp_path / "trace"
    try:
        ids = [jobs.submit(project_id, "probe", {"steps": 2, "trace": str(trace)}, start=False) for _ in range(6)]
        for job_id in ids:
            assert jobs.wait(job_id, timeout_s=120).state is JobState.DONE
    finally:
        other.terminate()
        other.wait(60)
    assert sorted(trace.read_text().splitlines()) == sorted(f"{job_id} 1 {step}" for job_id in ids for step in range(2))


def test_a_killed_worker_takes_its_child_with_it_and_the_next_one_goes_on(
    project_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    job_id = jobs.submit(project_id, "probe", {"steps": 40, "sleep_s": 0.1, "trace": str(trace)}, start=False)
    first = _worker()
    _wait_for(lambda: jobs.get(job_id).progress > 0.1)
    children = psutil.Process(first.pid).children()
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    _expire_lease(job_id)
    second = _worker()
    try:
        view = jobs.wait(job_id, timeout_s=120)
    finally:
        second.terminate()
        second.wait(60)
    assert (view.state, view.attempt) == (JobState.DONE, 2)
    steps = [int(line.split()[2]) for line in trace.read_text().splitlines()]
    assert set(steps) == set(range(40))
    assert len(steps) <= 41  # at most the step that was cut short is done twice


def test_the_first_submit_starts_a_worker_that_outlives_its_starter(project_id: str) -> None:
    job_id = jobs.submit(project_id, "probe", {})
    assert jobs.wait(job_id, timeout_s=120).state is JobState.DONE
    (view,) = jobs.workers()
    assert psutil.Process(view.pid).ppid() != os.getpid()
    assert jobs.stop_workers() == 1
    _wait_for(lambda: jobs.workers() == [])


def _expire_lease(job_id: str) -> None:
    """Do now what fifteen seconds would do."""
    with database.writing() as connection:
        held = queue.Claim(job_id, "", "", {}, jobs.get(job_id).attempt)
        queue.update_own(connection, held, lease_expires_at=0.0)


def _wait_for(condition, timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)
