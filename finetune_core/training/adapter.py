"""Tuning an adapter over frozen vectors: encode once, find the learning rate, learn, keep the best step.

A run that was killed goes on from its last checkpoint and ends where an undisturbed one does: batches depend on the seed
and the step, and what the sweep found is kept.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.errors import StopRequested
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Run
from finetune_core.records import QueryPassages, Split
from finetune_core.training import checkpoints, session
from finetune_core.training.adapter_config import AdapterConfig, Kind
from finetune_core.training.adapter_data import (
    TrainingVectors,
    ValidationVectors,
    training_vectors,
    validation_vectors,
)
from finetune_core.training.adapter_learner import Learner, steps_per_epoch
from finetune_core.training.nudge import nudge
from finetune_core.training.selection import Selection
from finetune_core.training.validation import pool_ndcg

SWEEP_SHARE = 0.25  # of the steps, for each learning rate


@dataclass(frozen=True)
class TrainedAdapter:
    """The outcome: a folder with `adapter.safetensors` at its best step, and what is worth knowing about the run."""

    folder: Path
    num_dimensions: int
    facts: dict[str, Any] = field(default_factory=dict)


def train_adapter(split: Split[QueryPassages], config: AdapterConfig, run: Run, embedder: Embedder) -> TrainedAdapter:
    """Tune on the training part and choose the step on the validation part; step 0 is the base itself.

    When a person asks to stop, the best so far is what is left; StopRequested before the first step, and JobCancelled
    at any time, are let through. Raises DatasetError if there is nothing to learn from.
    """
    started = time.monotonic()
    vectors = training_vectors(split.train, embedder, run)
    validation = validation_vectors(split, embedder, run, run.seed)
    encode_seconds = time.monotonic() - started
    base_value = None
    if validation.pool.queries:
        base_value = pool_ndcg(validation.queries, validation.passages, validation.pool)
        run.log(0, **{session.VALIDATION_METRIC: base_value})
    run.remember(base_validation=base_value, pool=validation.pool.facts)
    folder = run.workdir / "training"
    folder.mkdir(parents=True, exist_ok=True)
    if config.kind is Kind.NUDGE:
        best, found = nudge(vectors, validation, config, run, folder)
    else:
        best, found = _learn(vectors, validation, config, run, folder)
    facts = {"base_validation": base_value, "pool": validation.pool.facts, "encode_seconds": encode_seconds}
    facts |= {"num_questions": len(vectors.right), "num_passages": len(vectors.passage_texts), **found}
    run.remember(best_step=facts["best_step"], best_validation=facts["best_validation"])
    return TrainedAdapter(best, vectors.queries.shape[1], facts)


def _learn(
    vectors: TrainingVectors, validation: ValidationVectors, config: AdapterConfig, run: Run, folder: Path
) -> tuple[Path, dict[str, Any]]:
    started = time.monotonic()
    num_steps = config.epochs * steps_per_epoch(config, vectors)
    run.remember(total_steps=num_steps)
    swept = _sweep(vectors, validation, config, run, num_steps)
    sweep_seconds = time.monotonic() - started
    rate = max(swept, key=lambda tried: tried[1])[0]
    learning = AdapterSession(run, config, Learner(config, vectors, rate, num_steps, run.seed), validation, folder)
    learning.train()
    found = {**learning.facts, "learning_rate": rate, "sweep": swept, "sweep_seconds": sweep_seconds}
    return learning.best, found


def _sweep(
    vectors: TrainingVectors, validation: ValidationVectors, config: AdapterConfig, run: Run, num_steps: int
) -> list[tuple[float, float]]:
    """Each learning rate with the best validation nDCG@10 of a short run; kept, so that a restart does not do it again."""
    rates = config.learning_rates
    if len(rates) == 1 or not validation.pool.queries:
        return [(rates[len(rates) // 2], 0.0)]
    path = run.workdir / "sweep.json"
    if path.is_file():
        return [(rate, value) for rate, value in json.loads(path.read_text(encoding="utf-8"))]
    found = []
    num_short = max(1, round(SWEEP_SHARE * num_steps))
    due = _due(num_short, max(1, config.evaluations // 4))
    for rate in rates:
        run.progress(0.0, f"Trying the learning rate {rate:g}")
        learner = Learner(config, vectors, rate, num_short, run.seed)
        best = -math.inf
        while learner.step < num_short:
            learner.take_step()
            run.checkpoint()
            if learner.step in due:
                best = max(best, learner.validate(validation))
        found.append((rate, best))
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.rename(path)
    return found


def _due(num_steps: int, num_evaluations: int) -> frozenset[int]:
    """The steps after which to validate, the last one among them."""
    return frozenset(math.ceil(num_steps * (number + 1) / num_evaluations) for number in range(num_evaluations))


class AdapterSession:
    """Trains, validates, keeps the best weights, and writes checkpoints to `folder`."""

    def __init__(
        self, run: Run, config: AdapterConfig, learner: Learner, validation: ValidationVectors, folder: Path
    ) -> None:
        self.run, self.config, self.learner, self.validation, self.folder = run, config, learner, validation, folder
        self.due = _due(learner.num_steps, config.evaluations)
        self.is_stopped = False
        resumed_from = checkpoints.latest(folder, "checkpoint")
        self.selection = Selection.load(resumed_from) if resumed_from else Selection()
        if resumed_from:
            learner.load(resumed_from, self.selection.last_step)
        self._saved_at = time.monotonic()

    @property
    def best(self) -> Path:
        """The folder with the best weights so far."""
        return self.folder / f"best-{self.selection.best_step}"

    @property
    def facts(self) -> dict[str, Any]:
        """What came out; JSON values. A best step of 0 says that no step beat the base."""
        chosen = self.selection
        return {
            "best_step": chosen.best_step,
            "best_validation": chosen.best_value if math.isfinite(chosen.best_value) else None,
            "last_step": chosen.last_step,
            "total_steps": self.learner.num_steps,
            "train_seconds": chosen.train_seconds,
            "validation_seconds": chosen.validation_seconds,
            "stopped": self.is_stopped,
        }

    def train(self) -> None:
        """Take all steps that are left; ends early when a person stops it or patience runs out."""
        if not self.best.is_dir():
            self._validate()
        while not (self.selection.is_finished or self.is_stopped):
            started = time.monotonic()
            metrics = self.learner.take_step()
            self.selection.train_seconds += time.monotonic() - started
            self._after_step(metrics)

    def _after_step(self, metrics: dict[str, float]) -> None:
        step, total = self.learner.step, self.learner.num_steps
        self._heed(lambda: self.run.log(step, **metrics))
        self._heed(lambda: self.run.progress(step / total, f"Step {step:,} of {total:,}"))
        self.selection.last_step = step
        is_due = step in self.due or self.is_stopped or step == total
        if is_due:
            self._validate()
        ran_out = bool(self.config.patience) and self.selection.num_since_best >= self.config.patience
        self.selection.is_finished = step == total or (ran_out and not self.is_stopped)
        last = self.selection.is_finished or self.is_stopped
        if last or time.monotonic() - self._saved_at >= session.CHECKPOINT_S:
            self._save_checkpoint()

    def _validate(self) -> None:
        started = time.monotonic()
        step = self.learner.step
        value = self.learner.validate(self.validation)
        self.selection.validation_seconds += time.monotonic() - started
        if step:
            self._heed(lambda: self.run.log(step, **{session.VALIDATION_METRIC: value}))
        if self.selection.take(step, value):
            checkpoints.write_whole(self.best, self.learner.save_weights)

    def _save_checkpoint(self) -> None:
        step = self.learner.step

        def write(part: Path) -> None:
            self.learner.save(part)
            self.selection.save(part)

        checkpoints.write_whole(self.folder / f"checkpoint-{step}", write)
        checkpoints.keep_only(self.folder, {f"checkpoint-{step}", self.best.name})
        self._saved_at = time.monotonic()
        self.run.remember(best_step=self.selection.best_step, best_validation=self.facts["best_validation"])

    def _heed(self, act: Callable[[], None]) -> None:
        """Hear what a person asks of the run: a stop waits for the end of the step, a cancel is raised at once."""
        try:
            act()
        except StopRequested:
            self.is_stopped = True
