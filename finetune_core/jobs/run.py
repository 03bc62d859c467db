"""What a job sees of the world while it runs."""

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert

from finetune_core.errors import JobCancelled, StopRequested
from finetune_core.jobs import queue
from finetune_core.jobs.project_resources import ProjectResources
from finetune_core.jobs.states import Request
from finetune_core.storage import database
from finetune_core.storage.generations import Spend
from finetune_core.storage.tables import job_fact

FLUSH_S = 0.5


def job_folder(job_id: str) -> Path:
    """The folder of a job: its `log.txt` and its `work` folder."""
    return database.home() / "jobs" / job_id


class JobRun(ProjectResources):
    """The `Run` of a claimed job: every write first checks that this attempt still owns the job."""

    on_text = None  # nobody watches single answers

    def __init__(self, held: queue.Claim) -> None:
        super().__init__(held.project_id, held.job_id)
        self.held = held
        self.job_id = held.job_id
        self.attempt = held.attempt
        self.seed = int(held.params.get("seed") or held.params.get("config", {}).get("seed") or 0)
        self.workdir = job_folder(held.job_id) / "work"
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.cache.mkdir(parents=True, exist_ok=True)
        self.was_stopped = False
        self._pending: list[tuple[int, str, float]] = []
        self._shown: dict[str, Any] = {}
        self._flushed_at = 0.0
        with database.reading() as connection:
            self._facts = queue.recall(connection, held.job_id)

    def spend_training(self, service: str, model: str, num_tokens: int) -> None:
        """Add what a service trained a model on, at the price that was entered for it, to what this job has cost."""
        cost_usd = self.service(service).prices.training_cost_usd(model, num_tokens)
        self._pay(service, Spend(input_tokens=num_tokens, cost_usd=cost_usd))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction that begins by checking the attempt. Raises LeaseLost if another one owns the job."""
        with database.writing() as connection:
            queue.own_request(connection, self.held)
            yield connection

    def log(self, step: int, **metrics: float) -> None:
        """Keep metrics for the charts (values that are not finite are left out), then `checkpoint()`."""
        self._pending += [(step, name, float(value)) for name, value in metrics.items() if math.isfinite(value)]
        self.checkpoint()

    def progress(self, fraction: float, message: str = "") -> None:
        """Show how far the work is (clipped to 0..1) and, if given, what it is doing."""
        self._shown["progress"] = min(max(fraction, 0.0), 1.0)
        if message:
            self._shown["message"] = message
        self.checkpoint()

    def checkpoint(self) -> None:
        """Write what is pending and see what was asked, at most twice a second. Raises StopRequested (once) or JobCancelled."""
        if time.monotonic() - self._flushed_at < FLUSH_S:
            return
        request = self._flush()
        if request is Request.CANCEL:
            raise JobCancelled
        if request is Request.STOP and not self.was_stopped:
            self.was_stopped = True  # what saves the best afterwards may itself call checkpoint()
            raise StopRequested

    def flush(self) -> None:
        """Write what is pending now."""
        self._flush()

    def _flush(self) -> Request:
        self._flushed_at = time.monotonic()
        if not self._pending and not self._shown:
            with database.reading() as connection:
                return queue.own_request(connection, self.held)
        with database.writing() as connection:
            request = queue.own_request(connection, self.held)
            queue.add_metrics(connection, self.held, self._pending)
            if self._shown:
                queue.update_own(connection, self.held, **self._shown)
        self._pending.clear()
        self._shown.clear()
        return request

    def remember(self, **facts: Any) -> None:
        """Keep JSON values that survive a restart of this job, at once."""
        with self.writing() as connection:
            self.remember_in(connection, **facts)

    def remember_in(self, connection: Connection, **facts: Any) -> None:
        """`remember` within a transaction of `writing()`: kept if what else it writes is, and else neither."""
        json.dumps(facts)  # a value that is not JSON is the caller's mistake: fail here, not in the driver
        known = job_fact.c.job_id == self.job_id
        connection.execute(delete(job_fact).where(known, job_fact.c.key.in_(facts)))
        rows = [{"job_id": self.job_id, "key": key, "value": value} for key, value in facts.items()]
        connection.execute(insert(job_fact), rows)
        self._facts.update(facts)

    def recall(self, key: str, default: Any = None) -> Any:
        """The value remembered under `key` by this or an earlier attempt, or `default`."""
        return self._facts.get(key, default)

    def say(self, text: str) -> None:
        """Write a line to the job's log; on a full disk it is left out, because no job fails for want of a line."""
        with suppress(OSError):
            sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
            sys.stdout.flush()
