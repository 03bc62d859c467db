"""The worker: claims jobs, runs each in a process of its own, renews leases, and leaves when there is nothing to do."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field

import psutil
from sqlalchemy import Connection, delete, insert, select, update

from finetune_core import settings
from finetune_core.errors import LeaseLost, StorageError
from finetune_core.jobs import queue
from finetune_core.jobs.child import run_claimed
from finetune_core.jobs.run import job_folder
from finetune_core.jobs.states import JobState, Request
from finetune_core.jobs.supervisor import live_workers
from finetune_core.storage import database
from finetune_core.storage.tables import job_fact, worker

POLL_S = 0.3
RETRY_S = 5.0
IDLE_S = 300.0
CANCEL_GRACE_S = 20.0
MAX_CRASHES = 3

# glibc then keeps freed memory instead of returning it page by page: about a tenth less CPU in training.
MALLOC_TUNING = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8589934592"}


@dataclass
class _Child:
    held: queue.Claim
    process: subprocess.Popen[bytes]
    renewed_at: float
    cancel_seen_at: float | None = None


@dataclass
class _Worker:
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    children: list[_Child] = field(default_factory=list)
    busy_at: float = field(default_factory=time.monotonic)
    num_started: int = 0


def work(*, idle_s: float = IDLE_S, only_if_none: bool = False) -> int:
    """Run jobs until none was there for `idle_s` seconds, and return how many were started.

    With `only_if_none`, leave at once if another worker is alive.
    """
    this = _Worker()
    if not _register(this, only_if_none=only_if_none):
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while not _is_idle(this, idle_s):
            try:
                _claim_all(this)
                for child in list(this.children):
                    _look_after(this, child)
            except StorageError as error:  # a full disk may be mended while jobs go on: wait, do not die
                sys.stderr.write(f"{error.message} {error.hint}\n")
                time.sleep(RETRY_S)
            time.sleep(POLL_S)
    finally:
        for child in this.children:
            child.process.kill()
            child.process.wait()
        with database.writing() as connection:
            for child in this.children:
                _quietly_put_back(connection, child.held)
            connection.execute(delete(worker).where(worker.c.id == this.id))
    return this.num_started


def run_queued_here() -> int:
    """Run all queued jobs in this process, one after another, and return how many; for scripts and tests."""
    num_run = 0
    while True:
        with database.writing() as connection:
            held = queue.claim(connection, "here", heavy_slots=1, lease_s=86_400)
        if held is None:
            return num_run
        run_claimed(held)
        num_run += 1


def _register(this: _Worker, *, only_if_none: bool) -> bool:
    with database.writing() as connection:
        alive = live_workers(connection)
        connection.execute(delete(worker).where(worker.c.id.not_in([other.id for other in alive])))
        if alive and only_if_none:
            return False
        started = psutil.Process().create_time()
        row = {"id": this.id, "pid": os.getpid(), "process_started": started, "heartbeat_at": database.now()}
        connection.execute(insert(worker).values(row))
    return True


def _is_idle(this: _Worker, idle_s: float) -> bool:
    """Whether it is time to leave; decided and unregistered in one transaction, so that no job is left behind."""
    if this.children or time.monotonic() - this.busy_at < idle_s:
        return False
    with database.writing() as connection:
        if queue.num_live(connection):
            return False
        connection.execute(delete(worker).where(worker.c.id == this.id))
    return True


def _claim_all(this: _Worker) -> None:
    slots = settings.current().heavy_jobs
    while True:
        with database.writing() as connection:
            held = queue.claim(connection, this.id, heavy_slots=slots)
        if held is None:
            return
        this.busy_at = time.monotonic()
        this.children.append(_start(held))
        this.num_started += 1


def _start(held: queue.Claim) -> _Child:
    folder = job_folder(held.job_id)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "finetune_core.jobs.child", json.dumps(asdict(held))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=MALLOC_TUNING | os.environ,
        )
    with database.writing() as connection:
        started = psutil.Process(process.pid).create_time()
        queue.update_own(connection, held, pid=process.pid, process_started=started)
    return _Child(held, process, renewed_at=time.monotonic())


def _look_after(this: _Worker, child: _Child) -> None:
    if child.process.poll() is not None:
        _bury(child)  # before it is forgotten: if the disk is full, this is tried again
        this.children.remove(child)
        this.busy_at = time.monotonic()
        return
    if time.monotonic() - child.renewed_at < queue.RENEW_S:
        return
    try:
        with database.writing() as connection:
            queue.renew(connection, child.held)
            request = queue.own_request(connection, child.held)
            connection.execute(update(worker).where(worker.c.id == this.id).values(heartbeat_at=database.now()))
    except LeaseLost:
        if child.process.poll() is None and _was_taken_over(child.held):
            child.process.kill()
        return
    child.renewed_at = time.monotonic()
    if request is Request.CANCEL:
        child.cancel_seen_at = child.cancel_seen_at or time.monotonic()
        if time.monotonic() - child.cancel_seen_at > CANCEL_GRACE_S:
            child.process.kill()


def _was_taken_over(held: queue.Claim) -> bool:
    with database.reading() as connection:
        return queue.get(connection, held.job_id).attempt != held.attempt


def _bury(child: _Child) -> None:
    """If the process ended without saying how, say it: cancelled, tried again, or failed after too many crashes."""
    held, code = child.held, child.process.returncode
    try:
        with database.writing() as connection:
            if queue.own_request(connection, held) is Request.CANCEL:
                queue.finish(connection, held, JobState.CANCELLED, message="Cancelled")
                return
            crashes = _count_crash(connection, held)
            if crashes < MAX_CRASHES:
                queue.put_back(connection, held)
                return
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            queue.finish(
                connection,
                held,
                JobState.FAILED,
                error=f"The process of this job died {crashes} times ({how}).",
                hint="SIGKILL usually means that memory ran out: choose a smaller batch or model. The log has its last words.",
            )
    except LeaseLost:
        return  # it had written its end, the usual case


def _count_crash(connection: Connection, held: queue.Claim) -> int:
    own = (job_fact.c.job_id == held.job_id) & (job_fact.c.key == queue.CRASHES)
    crashes = int(connection.execute(select(job_fact.c.value).where(own)).scalar() or 0) + 1
    connection.execute(delete(job_fact).where(own))
    connection.execute(insert(job_fact).values(job_id=held.job_id, key=queue.CRASHES, value=crashes))
    return crashes


def _quietly_put_back(connection: Connection, held: queue.Claim) -> None:
    try:
        queue.put_back(connection, held)
    except LeaseLost:
        return  # it ended or was taken over meanwhile
