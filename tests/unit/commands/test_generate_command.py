"""`generate` on the command line."""

import json

import pytest
from typer.testing import CliRunner

from finetune_core import commands
from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import jobs
from tests.generation_fixtures import corpus


@pytest.fixture(autouse=True)
def run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is started: what waits for a job runs it."""
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    real = jobs.wait

    def wait(job_id: str, **options: object) -> jobs.JobView:
        run_queued_here()
        return real(job_id, **options)

    monkeypatch.setattr(jobs, "wait", wait)


def call(*arguments: str) -> object:
    done = CliRunner().invoke(commands.build(), ["generate", "--project", "Lanterns", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout[done.stdout.index("{") :])  # the job ran here, so its log came first


def test_estimates_then_writes_then_has_nothing_left() -> None:
    corpus()
    assert call("--generator", "extractive", "--questions", "1", "--estimate")["num_questions"] == 12
    written = call("--generator", "extractive", "--questions", "1", "--filters", "form")
    assert (written["state"], written["num_written"], list(written["set_aside"])) == ("done", 12, ["form"])
    again = call("--generator", "extractive", "--questions", "1", "--filters", "")
    assert (again["num_written"], again["num_done_before"]) == (0, 12)
