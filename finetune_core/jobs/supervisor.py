"""Sees to it that a worker is alive, and knows which processes are."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Connection, select

from finetune_core.storage import database
from finetune_core.storage.tables import worker

# A helper that exits at once makes the worker a child of init: no zombie, and no signal meant for the dashboard reaches it.
_DETACH = """
import json, subprocess, sys
subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.DEVNULL, stdout=open(sys.argv[2], "ab"),
                 stderr=subprocess.STDOUT, start_new_session=True, close_fds=True)
"""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker that is alive: its process id and when it last gave a sign (seconds since the epoch)."""

    id: str
    pid: int
    heartbeat_at: float


def is_process_alive(pid: int, started: float) -> bool:
    """Whether the very process that had `pid` and began at `started` still runs (a zombie does not)."""
    try:
        process = psutil.Process(pid)
        return bool(abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def live_workers(connection: Connection) -> list[WorkerView]:
    """The registered workers whose processes are alive."""
    rows = connection.execute(select(worker.c.id, worker.c.pid, worker.c.heartbeat_at, worker.c.process_started))
    return [
        WorkerView(row.id, row.pid, row.heartbeat_at) for row in rows if is_process_alive(row.pid, row.process_started)
    ]


def ensure_worker() -> None:
    """Start a detached worker if none is alive. Two starts at once are harmless: the later worker leaves."""
    with database.reading() as connection:
        if live_workers(connection):
            return
    start_detached([sys.executable, "-m", "finetune_core", "worker", "--only-if-none"], database.home() / "worker.log")


def start_detached(command: list[str], log: Path) -> None:
    """Start a process that outlives this one, its output appended to `log`."""
    subprocess.run([sys.executable, "-I", "-S", "-c", _DETACH, json.dumps(command), str(log)], check=True, timeout=20)


def stop_workers() -> int:
    """Ask all workers to leave; what they ran is queued again and goes on when a worker is started. Returns how many."""
    with database.reading() as connection:
        alive = live_workers(connection)
    for view in alive:
        psutil.Process(view.pid).terminate()
    return len(alive)
