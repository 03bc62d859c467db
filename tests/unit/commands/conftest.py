"""Commands run what they wait for themselves: no worker is started."""

import pytest

from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import jobs


@pytest.fixture(autouse=True)
def run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a job runs it."""
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    real = jobs.wait

    def wait(job_id: str, **options: object) -> jobs.JobView:
        run_queued_here()
        return real(job_id, **options)

    monkeypatch.setattr(jobs, "wait", wait)
