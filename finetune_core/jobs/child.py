"""The process of one job: `python -m finetune_core.jobs.child CLAIM`, started by a worker.

It runs the executor, writes how the job ended, and leaves at once when its worker is gone, so that an orphan never works
beside the attempt that takes its place.
"""

import errno
import json
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any

from finetune_core.errors import FinetuneError, JobCancelled, JobInterrupt, StopRequested
from finetune_core.jobs import executors, queue
from finetune_core.jobs.run import JobRun, job_folder
from finetune_core.jobs.states import JobState
from finetune_core.storage import database

DISK_ERRORS = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
DISK_WORDS = ("No space left on device", "File too large", "Disk quota exceeded", "StorageFull", "FileTooLarge")


def run_claimed(held: queue.Claim) -> None:
    """Run a claimed job to its end and write how it ended; the one place that catches everything."""
    try:
        try:
            run = JobRun(held)
        except (FinetuneError, OSError) as error:  # not even its folder can be made
            state, values = _failed(held, error)
        else:
            state, values = _outcome(run)
            run.flush()
        with database.writing() as connection:
            queue.finish(connection, held, state, **values)
    except JobInterrupt:
        return  # cancelled or taken over while finishing: the worker or the new attempt writes the end


def _outcome(run: JobRun) -> tuple[JobState, dict[str, Any]]:
    module = executors.executor(run.held.kind)
    try:
        result = module.execute(run, module.Params.model_validate(run.held.params))
    except StopRequested as stop:
        return JobState.STOPPED, {"result": stop.args[0] if stop.args else {}, "message": "Stopped"}
    except JobCancelled:
        return JobState.CANCELLED, {"message": "Cancelled"}
    except JobInterrupt:
        raise
    except Exception as error:
        return _failed(run.held, error)
    state = JobState.STOPPED if run.was_stopped else JobState.DONE
    shown = {"message": "Stopped and saved"} if run.was_stopped else {"message": "Done", "progress": 1.0}
    return state, {"result": result or {}, **shown}


def _failed(held: queue.Claim, error: Exception) -> tuple[JobState, dict[str, Any]]:
    if isinstance(error, FinetuneError):
        _print(f"Failed: {error.message} {error.hint}\n")
        return JobState.FAILED, {"error": error.message, "hint": error.hint}
    _print("".join(traceback.format_exception(error)))
    return JobState.FAILED, _full(error) or _bug(held, error)


def _full(error: BaseException) -> dict[str, str] | None:
    """What to say if a disk was full, whoever noticed it: libraries that write in Rust or C++ only say so in words."""
    where = getattr(error, "filename", None) or database.home()
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "errno", None) in DISK_ERRORS or any(words in str(cause) for words in DISK_WORDS):
            return {
                "error": f"The disk is full: {getattr(cause, 'strerror', None) or cause} ({where}).",
                "hint": "Free some space, then resume; nothing half-written was kept.",
            }
        cause = cause.__cause__ or cause.__context__
    return None


def _bug(held: queue.Claim, error: BaseException) -> dict[str, str]:
    return {
        "error": f"This is a bug: {type(error).__name__}: {error}",
        "hint": f"The traceback is in {job_folder(held.job_id) / 'log.txt'}; please report it.",
    }


def _print(text: str) -> None:
    with suppress(OSError):  # the log may lie on the very disk that is full
        sys.stderr.write(text)
        sys.stderr.flush()


def _leave_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="leave-with-parent", daemon=True).start()


if __name__ == "__main__":
    _leave_with_parent()
    run_claimed(queue.Claim(**json.loads(sys.argv[1])))
