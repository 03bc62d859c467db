"""Tuning at a service that speaks OpenAI's API: what is sent, that it is made once whatever dies when, how failures are told."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_core.errors import DatasetError, FinetuneError, JobCancelled, ProviderError, StopRequested, TrainingError
from finetune_core.providers import retries
from finetune_core.providers.openai_client import OpenAIClient
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.conversations import Conversation
from finetune_core.training.openai_finetuning import Finetuned, finetune
from tests.cohere_fixtures import KeptRun
from tests.training_fixtures import RecordedRun
from tests.vendors.openai_finetuning import BASE, Account, serving_finetuning
from tests.vendors.server import KEY, Fault, Vendor
from tests.warm_python import WarmPython

POINTS = (
    "vendor_name", "vendor_training_file_id_sent", "vendor_training_file_id", "vendor_validation_file_id_sent",
    "vendor_validation_file_id", "vendor_job_id_sent", "vendor_job_id", "events_seen",
)  # fmt: skip
TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}


def conversations(num: int = 12, *, with_rejected: bool = False) -> list[Conversation]:
    return [
        Conversation(
            f"c{number}",
            ({"role": "user", "content": f"Question {number}?"},),
            {"role": "assistant", "content": f"Answer {number}."},
            rejected={"role": "assistant", "content": "No."} if with_rejected else None,
        )
        for number in range(num)
    ]


def config(**settings: Any) -> ChatTuningConfig:
    return ChatTuningConfig(**{"base_model": BASE, "tuner": "openai", "service": "loopback", "poll_s": 0.01} | settings)


def tuned(vendor: Vendor, run: Any, train: Any = None, **settings: Any) -> Finetuned:
    client = OpenAIClient(vendor.url, BASE, KEY, max_attempts=3, timeout_s=0.5)
    return finetune(train or conversations(), conversations(10), config(**settings), client, run)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)


@pytest.fixture
def served() -> Iterator[tuple[Vendor, Account]]:
    with serving_finetuning() as running:
        yield running


def created(vendor: Vendor) -> list[str]:
    posted = [seen.path for seen in vendor.requests if seen.method == "POST" and "/chat/" not in seen.path]
    return [path for path in posted if path in ("/files", "/fine_tuning/jobs")]


def test_files_go_up_a_job_is_made_and_its_curves_are_kept(served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, account = served
    run = RecordedRun(tmp_path)
    model = tuned(vendor, run, extra_fields='{"priority": "low"}', epochs=4, batch_size=2)
    assert model.model_id == f"ft:{BASE}:ftjob-1"
    assert created(vendor) == ["/files", "/files", "/fine_tuning/jobs"]
    body = next(seen.body for seen in vendor.requests if seen.path == "/fine_tuning/jobs" and seen.method == "POST")
    assert body["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4, "batch_size": 2}}}
    assert body["priority"] == "low"
    assert body["metadata"] == {"ayar_run": run.facts["vendor_name"]}
    assert account.lines["file-1"][3] == {
        "messages": [{"role": "user", "content": "Question 3?"}, {"role": "assistant", "content": "Answer 3."}]
    }
    assert run.metrics["loss"] == [(step, 1 / step) for step in range(1, len(run.metrics["loss"]) + 1)]
    assert run.metrics["validation_loss"][0] == (1, 2.0)
    assert model.facts["trained_tokens"] == 1000
    assert not model.facts["stopped"]


def test_tuning_by_preference_sends_both_answers(served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, account = served
    client = OpenAIClient(vendor.url, BASE, KEY)
    both = conversations(with_rejected=True)
    finetune(both, [], config(method="dpo", dpo_beta=0.2), client, RecordedRun(tmp_path))
    line = account.lines["file-1"][0]
    assert line["preferred_output"] == [{"role": "assistant", "content": "Answer 0."}]
    assert line["non_preferred_output"] == [{"role": "assistant", "content": "No."}]
    body = next(seen.body for seen in vendor.requests if seen.path == "/fine_tuning/jobs" and seen.method == "POST")
    assert body["method"]["dpo"]["hyperparameters"]["beta"] == 0.2
    assert "validation_file" not in body


class Died(BaseException):
    """What a process that is killed leaves behind, without the wait for another one."""


class DyingRun(KeptRun):
    """Dies before or after it remembers a fact; what it remembered until then survives."""

    def remember(self, **facts: Any) -> None:
        if self.kill_before in facts:
            raise Died
        after, self.kill_after = self.kill_after, ""
        super().remember(**facts)
        self.kill_after = after
        if after in facts:
            raise Died


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_dies_at_every_step_creates_nothing_twice(
    when: str, served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    for point in POINTS:
        points = (point, "-") if when == "before" else ("-", point)
        with pytest.raises(Died):
            tuned(vendor, DyingRun(tmp_path, vendor.url, *points))
    model = tuned(vendor, KeptRun(tmp_path, vendor.url, "-", "-"))
    assert model.model_id == f"ft:{BASE}:ftjob-1"
    assert len(account.files) == 2
    assert len(account.jobs) == 1


_CHILD = """
import sys
from pathlib import Path
from tests.cohere_fixtures import KeptRun
from tests.unit.training.test_openai_finetuning import tuned
class At:
    url = sys.argv[2]
tuned(At, KeptRun(Path(sys.argv[1]), At.url, "-", "vendor_job_id_sent"))
"""


def test_a_process_killed_between_upload_and_start_creates_no_second_job(
    served: tuple[Vendor, Account], warm_ayar: WarmPython, tmp_path: Path
) -> None:
    vendor, account = served
    assert warm_ayar.run(_CHILD, str(tmp_path), vendor.url, environment={"PATH": ""}).returncode == -9
    assert tuned(vendor, KeptRun(tmp_path, vendor.url, "-", "-")).model_id == f"ft:{BASE}:ftjob-1"
    assert (len(account.files), len(account.jobs)) == (2, 1)


HANGS = Fault(hang_s=0.6, status=500, body="{}")
"""Longer than `tuned` waits."""


@pytest.mark.parametrize(
    "fault", [Fault(429, "{}"), Fault(500, "{}"), Fault(cut=True), HANGS], ids=["429", "500", "cut", "time-out"]
)
def test_failures_that_pass_create_nothing_twice(fault: Fault, served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, account = served
    for position in range(2, 7):  # from the first upload to the first look
        vendor.faults.extend([None] * position + [fault])
        tuned(vendor, RecordedRun(tmp_path / str(position)))
        vendor.faults.clear()
        assert len(account.jobs) == position - 1
        assert len(account.files) == 2 * (position - 1)


def test_permanent_errors_end_the_run_in_the_vendors_words(served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, account = served
    vendor.faults.extend([None, Fault(403, '{"error": {"message": "Fine-tuning is closed to new organisations."}}')])
    with pytest.raises(ProviderError, match="closed to new organisations"):
        tuned(vendor, RecordedRun(tmp_path / "a"))
    account.statuses[:], account.error = ["running", "failed"], "Your file holds nothing to learn."
    with pytest.raises(TrainingError, match="Your file holds nothing to learn"):
        tuned(vendor, RecordedRun(tmp_path / "b"))
    client = OpenAIClient(vendor.url, BASE, "sk-wrong-key-4711")
    with pytest.raises(ProviderError) as caught:
        finetune(conversations(), [], config(), client, RecordedRun(tmp_path / "c"))
    assert "4711" not in caught.value.message


def test_a_key_that_is_taken_away_while_a_job_runs_ends_the_run_and_the_job_is_found_again(
    served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    run = RecordedRun(tmp_path)
    refusal = Fault(401, '{"error": {"message": "Incorrect API key provided."}}')
    vendor.faults.extend([None] * 6 + [refusal])  # the model, two files, the job, a look at it and its events
    with pytest.raises(ProviderError, match="Incorrect API key provided"):
        tuned(vendor, run)
    assert tuned(vendor, run).model_id == f"ft:{BASE}:ftjob-1"
    assert len(account.jobs) == 1


def test_what_was_trained_is_paid_once_however_the_job_ends(served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, account = served
    run = RecordedRun(tmp_path / "done")
    tuned(vendor, run)
    tuned(vendor, run)  # a process that died before it had told anyone starts again
    assert run.trained == [("loopback", BASE, 1000)]
    account.trained_tokens = 300
    stopped = RecordedRun(tmp_path / "stopped")
    stopped.stop_at = 2
    tuned(vendor, stopped)
    assert stopped.trained == [("loopback", BASE, 300)]
    tuned(vendor, stopped)
    assert stopped.trained[1:] == [("loopback", BASE, 700)], "the rest, once the job has gone on"
    failed = RecordedRun(tmp_path / "failed")
    account.statuses[:], account.error = ["running", "failed"], "Out of memory."
    with pytest.raises(TrainingError):
        tuned(vendor, failed)
    assert failed.trained == [("loopback", BASE, 300)]
    cancelled = RecordedRun(tmp_path / "cancelled")
    cancelled.cancel_at = 2
    with pytest.raises(JobCancelled):
        tuned(vendor, cancelled)
    assert cancelled.trained == [("loopback", BASE, 300)]


def test_a_status_that_is_not_known_counts_as_not_finished(served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, account = served
    account.statuses[:] = ["running", "running", "succeeded"]
    assert tuned(vendor, RecordedRun(tmp_path)).model_id


def test_a_stop_pauses_the_job_and_keeps_its_newest_checkpoint_and_going_on_resumes_it(
    served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    run = RecordedRun(tmp_path)
    run.stop_at = 2
    stopped = tuned(vendor, run)
    assert stopped.facts["stopped"]
    assert ":ckpt-" in stopped.model_id
    assert account.paused == {"ftjob-1"}
    run.stop_at = None
    assert tuned(vendor, run).model_id == f"ft:{BASE}:ftjob-1"
    assert len(account.jobs) == 1


def test_a_stop_without_anything_to_keep_says_so_and_a_cancel_cleans_up(
    served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    early = RecordedRun(tmp_path / "early")
    early.stop_at, account.has_checkpoints = 0, False
    with pytest.raises(StopRequested):
        tuned(vendor, early)
    run = RecordedRun(tmp_path / "cancelled")
    run.cancel_at = 2
    with pytest.raises(JobCancelled):
        tuned(vendor, run)
    assert account.jobs[run.facts["vendor_job_id"]]["status"] == "cancelled"
    assert len(account.deleted) == 2


def test_a_model_that_was_shut_down_is_refused_before_anything_is_sent(
    served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    account.shutdown_date = "2026-10-23"
    with pytest.raises(TrainingError, match="23 October 2026"):
        tuned(vendor, RecordedRun(tmp_path / "a"))
    assert not created(vendor)
    account.shutdown_date = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).date().isoformat()
    run = RecordedRun(tmp_path / "b")
    assert tuned(vendor, run).facts["shutdown_date"] == account.shutdown_date


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": ()}, "nothing is asked"),
        ({"messages": ({"role": "robot", "content": "x"},)}, "role 'robot'"),
        ({"messages": ({"role": "user", "content": ""},)}, "is empty"),
        ({"response": {"role": "assistant", "content": ""}}, "answer is empty"),
        ({"response": {"role": "user", "content": "x"}}, "not of the assistant"),
        (
            {"response": {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}},
            "no JSON object",
        ),
    ],
)  # fmt: skip
def test_what_the_service_would_refuse_is_never_sent(
    change: dict[str, Any], words: str, served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    import dataclasses

    vendor, _ = served
    train = conversations()
    train[3] = dataclasses.replace(train[3], **change)
    with pytest.raises(DatasetError, match="Line 4 of the training file, example 'c3'") as caught:
        tuned(vendor, RecordedRun(tmp_path), train)
    assert words in caught.value.message
    client = OpenAIClient(vendor.url, BASE, KEY)
    with pytest.raises(DatasetError, match="Line 4 of the validation file"):
        finetune(conversations(), train, config(), client, RecordedRun(tmp_path))
    assert not created(vendor)
    with pytest.raises(DatasetError, match="at least 10"):
        tuned(vendor, RecordedRun(tmp_path / "few"), conversations(9))


def test_further_fields_are_an_object() -> None:
    for text in ("{", "[1]"):
        with pytest.raises(ValueError, match="further fields"):
            config(extra_fields=text)
    assert json.loads(config(extra_fields='{"a": 1}').extra_fields) == {"a": 1}
    assert issubclass(TrainingError, FinetuneError)
