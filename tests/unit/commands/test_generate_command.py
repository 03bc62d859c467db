"""`generate` on the command line."""

import json

import pytest
from typer.testing import CliRunner

from finetune_core import commands
from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import jobs, labelled
from tests.generation_fixtures import corpus, provider
from tests.vendors.openai_chat import query_answer, serving_chat


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


def test_queries_for_choices_are_written_by_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus()
    for name in ("lanterns", "winters"):
        labelled.save_choice(project_id, name, f"Everything about {name}")
    with serving_chat(query_answer) as vendor:
        provider(vendor, monkeypatch)
        service = ("--record", "Labelled", "--generator", "endpoint", "--provider", "Loopback", "--questions", "3")
        assert call(*service, "--estimate")["num_questions"] == 6
        written = call(*service, "--wordings", "2", "--out-of-scope", "2", "--choice", "lanterns")
        assert (written["state"], written["num_written"], written["num_queries"]) == ("done", 5, 10)
    counts = labelled.progress(project_id).counts
    assert counts["pending"] + counts["aside"] == 10
    result = CliRunner().invoke(commands.build(), ["generate", "--project", "Lanterns", "--record", "Poem"])
    assert (result.exit_code, "neither" in result.output) == (2, True)
