"""Tuning a chat model at a service that speaks OpenAI's fine-tuning API: files, job, curves, and the model that comes out.

Each step is remembered, so a process that is killed anywhere creates nothing twice: the API takes no idempotency key, so
files are found again by their name and jobs by a mark in their metadata.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetune_core.errors import JobCancelled, ProviderError, StopRequested, TrainingError
from finetune_core.providers.openai_client import OpenAIClient
from finetune_core.recipe import Run
from finetune_core.training.chat_config import ChatTuningConfig, TuningMethod
from finetune_core.training.conversations import Conversation
from finetune_core.training.created_once import created_once, finished, unique_name
from finetune_core.training.openai_ending import shutdown_date
from finetune_core.training.openai_files import MIN_EXAMPLES, training_file

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

PURPOSE = "fine-tune"
MARK = "ayar_run"
FAILED = frozenset({"failed", "cancelled"})
VALIDATION_LOSS = "validation_loss"
CURVES = {"train_loss": "loss", "valid_loss": VALIDATION_LOSS, "full_valid_loss": VALIDATION_LOSS}
"""What the vendor's curves are called here; others keep their names."""


@dataclass(frozen=True)
class Finetuned:
    """A model that the service keeps under `model_id`, and what is known of how it came about."""

    model_id: str
    facts: dict[str, Any] = field(default_factory=dict)


def finetune(
    train: Sequence[Conversation],
    validation: Sequence[Conversation],
    config: ChatTuningConfig,
    client: OpenAIClient,
    run: Run,
) -> Finetuned:
    """The tuned model once the service says it is ready.

    Raises DatasetError for examples the service would refuse, TrainingError if the job fails, ProviderError in the vendor's
    words. A stop pauses the job and keeps its newest checkpoint, if it has one; a resumed run goes on with the job. A cancel
    cancels it.
    """
    _refuse_ended(client, config.base_model, run)
    parts = {"training": train} | ({"validation": validation} if len(validation) >= MIN_EXAMPLES else {})
    is_preference = config.method is TuningMethod.DPO
    contents = {part: training_file(each, part, is_preference=is_preference) for part, each in parts.items()}
    try:
        files = {f"{part}_file": _uploaded(client, run, part, contents[part], config.poll_s) for part in parts}
        job_id = created_once(
            run,
            "vendor_job_id",
            lambda: _find_job(client, run),
            lambda: _create_job(client, unique_name(run), files, config),
            config.poll_s,
        )
        _resume(client, job_id, run)
        job = finished(run, lambda: _look(client, job_id, config, run), config.poll_s)
    except StopRequested:
        return _stopped(client, config, run)
    except JobCancelled:
        _cancel(client, config, run)
        raise
    return Finetuned(str(job.fine_tuned_model), _facts(job, run, is_stopped=False))


def _refuse_ended(client: OpenAIClient, model: str, run: Run) -> None:
    ends = shutdown_date(client, model, run.checkpoint)
    if ends is None:
        return
    if ends <= datetime.datetime.now(datetime.UTC).date():
        raise TrainingError(
            f"The service shut {model} down on {ends:%d %B %Y}.",
            hint="Choose another base model, or tune on this machine.",
        )
    run.remember(shutdown_date=ends.isoformat())


def _uploaded(client: OpenAIClient, run: Run, part: str, data: bytes, poll_s: float) -> str:
    """The id of the file that holds one part."""
    name = f"{unique_name(run)}-{part}.jsonl"

    def find() -> str | None:
        listed = client.ask(lambda api: list(api.files.list(purpose=PURPOSE, limit=10_000)), run.checkpoint)
        return next((file.id for file in listed if file.filename == name), None)

    def create() -> str:
        run.progress(0.05, f"Uploading the {part} file of {len(data):,} bytes")
        return client.ask_once(lambda api: api.files.create(file=(name, data), purpose="fine-tune")).id

    return created_once(run, f"vendor_{part}_file_id", find, create, poll_s)


def _create_job(client: OpenAIClient, name: str, files: dict[str, str], config: ChatTuningConfig) -> str:
    chosen: dict[str, Any] = {"n_epochs": config.epochs, "batch_size": config.batch_size}
    if config.method is TuningMethod.DPO:
        chosen["beta"] = config.dpo_beta
    kind = config.method.value
    wanted: dict[str, Any] = {
        "model": config.base_model,
        "method": {"type": kind, kind: {"hyperparameters": chosen}},
        "seed": config.seed,
        "suffix": name[-18:],
        "metadata": {MARK: name},
        **files,
    }
    extra = json.loads(config.extra_fields) if config.extra_fields else None
    return str(client.ask_once(lambda api: api.fine_tuning.jobs.create(**wanted, extra_body=extra)).id)


def _find_job(client: OpenAIClient, run: Run) -> str | None:
    name = unique_name(run)
    listed = client.ask(lambda api: list(api.fine_tuning.jobs.list(limit=100)), run.checkpoint)
    # A service that keeps no metadata still has the file, whose id nobody else's job names.
    file_id = run.recall("vendor_training_file_id")
    return next(
        (job.id for job in listed if (job.metadata or {}).get(MARK) == name or job.training_file == file_id), None
    )


def _resume(client: OpenAIClient, job_id: str, run: Run) -> None:
    """Let a job go on that an earlier stop of this run paused."""
    if run.recall("is_paused"):
        client.ask_once(lambda api: api.fine_tuning.jobs.resume(job_id))
        run.remember(is_paused=False)


def _look(client: OpenAIClient, job_id: str, config: ChatTuningConfig, run: Run) -> "FineTuningJob | None":
    """The job once its model is there. What is new on its curves is logged first."""
    job = client.ask(lambda api: api.fine_tuning.jobs.retrieve(job_id), run.checkpoint)
    _log_events(client, job_id, run)
    _book(job, config, run)
    if job.status in FAILED:
        words = job.error.message if job.error and job.error.message else "the service gives no reason"
        raise TrainingError(
            f"The service ended the job {job_id} as {job.status}: {words}",
            hint="Mend what it names, then start a new run; its page at the service may say more.",
        )
    if job.status == "succeeded" and job.fine_tuned_model:
        return job
    share = 0.9 if job.status == "succeeded" else 0.15  # nobody says how far a job is
    run.progress(share, f"The service says: {job.status}")  # a status that is not known counts as not finished
    return None


def _book(job: "FineTuningJob", config: ChatTuningConfig, run: Run) -> None:
    """Put on record what the service says it trained on, and so charges for; what is on record already is not added again."""
    booked = int(run.recall("trained_tokens") or 0)
    if (trained := int(job.trained_tokens or 0)) > booked:
        run.spend_training(config.service, config.base_model, trained - booked)
        run.remember(trained_tokens=trained)


def _log_events(client: OpenAIClient, job_id: str, run: Run) -> None:
    """Keep what the service said since the last look. Curves are for the eye: without them the run goes on."""
    with suppress(ProviderError):
        listed = client.ask(lambda api: api.fine_tuning.jobs.list_events(job_id, limit=100).data, run.checkpoint)
        known, last = set(run.recall("events_seen") or []), int(run.recall("last_step") or 0)
        fresh = [event for event in reversed(listed) if event.id not in known]
        for event in fresh:
            values: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
            step = int(values.get("step") or 0)
            if step > 0 and (numbers := _numbers(values)):
                run.log(step, **numbers)
                last = max(last, step)
                if VALIDATION_LOSS in numbers:  # the service keeps its last step
                    run.remember(best_validation_loss=numbers[VALIDATION_LOSS], best_step=step)
        if fresh:
            said = [{"message": event.message, "at": event.created_at} for event in reversed(listed)]
            run.remember(events_seen=[event.id for event in listed], events=said, last_step=last)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The points of curves in an event's data, by the names they have here."""
    numbers = {name: value for name, value in values.items() if name not in ("step", "total_steps")}
    return {CURVES.get(name, name): float(v) for name, v in numbers.items() if isinstance(v, int | float)}


def _stopped(client: OpenAIClient, config: ChatTuningConfig, run: Run) -> Finetuned:
    """Pause the job and take its newest checkpoint. Raises StopRequested again where there is none to take."""
    job_id = run.recall("vendor_job_id")
    if not job_id:
        raise StopRequested
    with suppress(ProviderError):  # it may have just ended, or the service knows no pause
        client.ask_once(lambda api: api.fine_tuning.jobs.pause(job_id))
        run.remember(is_paused=True)
    found = client.ask(lambda api: api.fine_tuning.jobs.checkpoints.list(job_id, limit=100).data)
    if not found:
        raise StopRequested
    newest = max(found, key=lambda checkpoint: checkpoint.step_number)
    job = client.ask(lambda api: api.fine_tuning.jobs.retrieve(job_id))
    _book(job, config, run)
    facts = _facts(job, run, is_stopped=True) | {"best_step": newest.step_number}
    return Finetuned(newest.fine_tuned_model_checkpoint, facts)


def _cancel(client: OpenAIClient, config: ChatTuningConfig, run: Run) -> None:
    """Cancel what this run created at the service, as far as the service lets it, and delete its files."""
    if job_id := run.recall("vendor_job_id"):
        with suppress(ProviderError):
            _book(client.ask_once(lambda api: api.fine_tuning.jobs.cancel(job_id)), config, run)
    for part in ("training", "validation"):
        if file_id := run.recall(f"vendor_{part}_file_id"):
            with suppress(ProviderError):
                client.ask_once(lambda api, file_id=file_id: api.files.delete(file_id))  # type: ignore[misc]


def _facts(job: "FineTuningJob", run: Run, *, is_stopped: bool) -> dict[str, Any]:
    last_step = int(run.recall("last_step") or 0)
    return {
        "vendor_job_id": job.id,
        "trained_tokens": job.trained_tokens,
        "events": run.recall("events") or [],
        "best_validation_loss": run.recall("best_validation_loss"),
        "best_step": last_step,
        "last_step": last_step,
        "total_steps": last_step,
        "shutdown_date": run.recall("shutdown_date"),
        "stopped": is_stopped,
    }
