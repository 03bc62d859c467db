"""The states of a job, and what a person may see of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """QUEUED -> RUNNING -> one of the other four; a stopped, failed or cancelled job may be queued again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    FAILED = "failed"


LIVE = (JobState.QUEUED, JobState.RUNNING)


class Request(StrEnum):
    """What a person asked of a live job."""

    NONE = ""
    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it was when it was read. `progress` is 0 to 1; times are seconds since the epoch, None if not reached."""

    id: str
    project_id: str
    kind: str
    title: str
    params: dict[str, Any]
    state: JobState
    request: Request
    progress: float
    message: str
    error: str
    hint: str
    result: dict[str, Any]
    attempt: int
    created_at: float
    started_at: float | None
    finished_at: float | None

    @property
    def is_live(self) -> bool:
        """Whether it is queued or running."""
        return self.state in LIVE
