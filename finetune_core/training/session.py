"""One training from its first step, or from where a killed process left it, to the best weights on disk."""

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from finetune_core.errors import StopRequested
from finetune_core.recipe import Run
from finetune_core.training import checkpoints
from finetune_core.training.fields import Schedule
from finetune_core.training.selection import Selection
from finetune_core.training.validation import VALIDATION_SHARE

if TYPE_CHECKING:
    from finetune_core.models.resumable_trainer import ResumableTrainer
    from finetune_core.models.weights import LearnedWeights, WholeWeights

CHECKPOINT_S = 120.0  # between two checkpoints: what a killed run can lose at most
VALIDATION_METRIC = "validation_ndcg@10"
LOGGED = ("loss", "learning_rate", "grad_norm", "samples_per_s")


class Settings(Protocol):
    """The settings that every training of steps has."""

    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def warmup(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def patience(self) -> int: ...


class Learner(Protocol):
    """What differs from one kind of model to another: its trainer, how it is measured, and what is set before saving."""

    @property
    def metric(self) -> str:
        """The name of the value of `measure` that chooses the step."""

    @property
    def lower_is_better(self) -> bool:
        """Whether the step with the lowest value is kept, as for a loss; else the one with the highest."""

    @property
    def weights(self) -> "WholeWeights | LearnedWeights":
        """What of the model changes, and so what is kept of a step."""

    @property
    def heard(self) -> Sequence[Any]:
        """The modules before each of whose computations a stop or cancel is listened for."""

    def trainer(self, arguments: dict[str, Any]) -> "ResumableTrainer":
        """A trainer of `model` with the class's own arguments made of `arguments`."""

    def measure(self, checkpoint: Callable[[], None]) -> dict[str, float]:
        """Values on validation examples by name, `metric` among them; NaN without any."""

    def save(self, folder: Path) -> None:
        """Write the model to the empty `folder`, in its own format, once the best weights are in place again."""


class Session:
    """Trains, validates at the steps in `due`, keeps the best weights, and writes checkpoints to the run's folder.

    `step_tokens` holds the number of tokens each step reads; it drives the progress shown.
    """

    def __init__(
        self, run: Run, config: Settings, learner: Learner, due: frozenset[int], step_tokens: Sequence[int]
    ) -> None:
        self.run, self.config, self.learner, self.due = run, config, learner, due
        self.step_tokens = step_tokens
        self._tokens_after = [0, *accumulate(step_tokens)]  # tokens read once so many steps are done
        self.folder = run.workdir / "training"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.resumed_from = checkpoints.latest(self.folder, "checkpoint")
        self.selection = Selection.load(self.resumed_from) if self.resumed_from else Selection()
        self.is_stopped = False
        self._trainer: ResumableTrainer | None = None
        self._saved_at = self._marked_at = time.monotonic()

    @property
    def facts(self) -> dict[str, Any]:
        """What came out; JSON values. `best_validation` is the value of the headline metric; a loss goes by its own name."""
        chosen = self.selection
        return {
            "best_step": chosen.best_step,
            self._best_key: self._signed(chosen.best_value) if math.isfinite(chosen.best_value) else None,
            "last_step": chosen.last_step,
            "total_steps": len(self.step_tokens),
            "num_tokens": self._tokens_after[chosen.last_step],
            "train_seconds": chosen.train_seconds,
            "validation_seconds": chosen.validation_seconds,
            "stopped": self.is_stopped,
        }

    def train(self, plan: Sequence[Sequence[int]]) -> None:
        """Take all steps that are left; ends early when a person stops it or patience runs out.

        Raises StopRequested if stopped before the first step, when there is nothing to save yet.
        """
        if self.selection.is_finished:
            return
        self.run.progress(self._share(self.selection.last_step), "Training")
        self._trainer = self._make_trainer(plan)
        listeners = [module.register_forward_pre_hook(lambda *_: self.listen()) for module in self.learner.heard]
        try:
            self._saved_at = self._marked_at = time.monotonic()
            self._trainer.train(resume_from_checkpoint=str(self.resumed_from) if self.resumed_from else None)
        finally:
            for listener in listeners:
                listener.remove()

    def save_best(self, folder: Path) -> None:
        """Write the model at its best step to `folder`, whole or not at all."""
        self.learner.weights.read(self.folder / f"best-{self.selection.best_step}" / "model.safetensors")
        shutil.rmtree(folder, ignore_errors=True)
        checkpoints.write_whole(folder, self.learner.save)

    def listen(self) -> None:
        """Hear what a person asks of the run, as `Run.checkpoint` does; a stop is noted, not raised."""
        with self._heeding():
            self.run.checkpoint()

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        """Hear what a person asks of the run: a stop waits for the end of the step, a cancel is raised at once."""
        try:
            yield
        except StopRequested:
            self.is_stopped = True

    def _after_step(self, step: int, logs: dict[str, float]) -> bool:
        now = time.monotonic()
        self.selection.train_seconds += now - self._marked_at
        self._log(step, **{name: logs[name] for name in LOGGED if name in logs})
        self._show(step)
        is_last = step == len(self.step_tokens)
        is_due = step in self.due or self.is_stopped or is_last
        self.selection.last_step = step
        if is_due and self._validate(step):
            self._save_weights(step)
        patience = self.config.patience
        ran_out = bool(patience) and self.selection.num_since_best >= patience
        self.selection.is_finished = is_last or (ran_out and not self.is_stopped)
        if is_due or now - self._saved_at >= CHECKPOINT_S:
            self._save_checkpoint(step)
        self._marked_at = time.monotonic()
        return self.is_stopped or self.selection.is_finished

    def _log(self, step: int, **metrics: float) -> None:
        with self._heeding():
            self.run.log(step, **metrics)

    def _show(self, step: int) -> None:
        message = f"Step {step:,} of {len(self.step_tokens):,}, about {_duration(self._seconds_left(step))} left"
        with self._heeding():
            self.run.progress(self._share(step), message)

    def _seconds_left(self, step: int) -> float:
        """From the steps and validations so far; before the first validation, the share one may take at most."""
        read, total = self._tokens_after[step], self._tokens_after[-1]
        per_token = self.selection.train_seconds / max(1, read)
        training = per_token * (total - read)
        num_measured = sum(at < step for at in self.due)
        num_left = len(self.due) - num_measured
        if not num_measured:
            return training + per_token * total * VALIDATION_SHARE
        return training + num_left * self.selection.validation_seconds / num_measured

    def _share(self, step: int) -> float:
        return self._tokens_after[step] / max(1, self._tokens_after[-1])

    def _validate(self, step: int) -> bool:
        started = time.monotonic()
        values = self.learner.measure(self.listen)
        self._log(step, **values)
        self.selection.validation_seconds += time.monotonic() - started
        return self.selection.take(step, self._signed(values[self.learner.metric]))

    @property
    def _best_key(self) -> str:
        return f"best_{self.learner.metric}" if self.learner.lower_is_better else "best_validation"

    def _signed(self, value: float) -> float:
        return -value if self.learner.lower_is_better else value

    def _save_weights(self, step: int) -> None:
        checkpoints.write_whole(
            self.folder / f"best-{step}", lambda part: self.learner.weights.write(part / "model.safetensors")
        )

    def _save_checkpoint(self, step: int) -> None:
        assert self._trainer is not None
        trainer = self._trainer

        def write(part: Path) -> None:
            trainer.save_state(part)
            self.selection.save(part)

        checkpoints.write_whole(self.folder / f"checkpoint-{step}", write)
        # The older ones go only now: until this one was whole, they were what a restart would have used.
        checkpoints.keep_only(self.folder, {f"checkpoint-{step}", f"best-{self.selection.best_step}"})
        self._saved_at = time.monotonic()
        self.run.remember(**{key: self.facts[key] for key in ("best_step", self._best_key)})

    def _make_trainer(self, plan: Sequence[Sequence[int]]) -> "ResumableTrainer":
        from transformers import TrainerCallback
        from transformers.trainer_callback import DefaultFlowCallback

        from finetune_core.models.resumable_trainer import StepCallback

        trainer = self.learner.trainer(self._arguments(plan))
        callbacks: list[TrainerCallback] = list(trainer.callback_handler.callbacks)
        for callback in callbacks:  # printers and model cards: their work is done elsewhere
            if not isinstance(callback, DefaultFlowCallback):
                trainer.remove_callback(callback)
        trainer.add_callback(StepCallback(self._after_step))
        return trainer

    def _arguments(self, plan: Sequence[Sequence[int]]) -> dict[str, Any]:
        import torch

        from finetune_core.models.resumable_trainer import PlannedBatches

        config = self.config
        return {
            "output_dir": str(self.folder / "unused"),
            "num_train_epochs": 1,  # the plan holds all epochs
            "per_device_train_batch_size": config.batch_size,
            "learning_rate": config.learning_rate,
            "lr_scheduler_type": config.schedule.value,
            "warmup_steps": round(config.warmup * len(plan)),
            "weight_decay": config.weight_decay,
            "seed": self.run.seed,
            "batch_sampler": lambda dataset, batch_size, **_: PlannedBatches(plan, dataset, batch_size),
            "logging_strategy": "steps",
            "logging_steps": 1,
            "logging_nan_inf_filter": False,
            "save_strategy": "no",
            "eval_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": torch.cuda.is_available(),
        }


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
