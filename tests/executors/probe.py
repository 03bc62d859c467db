"""A kind of job for tests: it counts, and dies, fails or writes as told."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from finetune_core.errors import DatasetError
from finetune_core.jobs.run import JobRun

HEAVY = False


class Params(BaseModel):
    steps: int = Field(3, ge=1)
    sleep_s: float = 0.0
    fail: str = ""
    trace: str = ""


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    for step in range(run.recall("done", 0), params.steps):
        if params.trace:
            with Path(params.trace).open("a") as stream:
                stream.write(f"{run.job_id} {run.attempt} {step}\n")
        if params.fail == "user" and step == 1:
            raise DatasetError("The set has 1 row; 2 are needed.", hint="Add a row.")
        if params.fail == "bug" and step == 1:
            raise RuntimeError("a surprise")
        if params.fail == "full" and step == 1:
            raise OSError(28, "No space left on device", "somewhere")
        if params.fail == "kill" and step == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if params.fail == "kill once" and step == 1 and run.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(params.sleep_s)
        run.log(step, loss=1.0 / (step + 1))
        run.remember(done=step + 1)
        run.progress((step + 1) / params.steps, f"step {step}")
    return {"steps": params.steps}
