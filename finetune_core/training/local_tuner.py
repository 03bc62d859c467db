"""Tuning a chat model on this machine: a LoRA adapter, trained with transformers and peft.

What decides the outcome is fixed before the first step or kept in the checkpoint, so a run that was killed and started
again ends where an undisturbed one does.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune_core.errors import DatasetError
from finetune_core.models.shared_prompts import num_read
from finetune_core.providers.chat_model import engine
from finetune_core.recipe import Run
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_learner import VALIDATION_LOSS, ChatLearner, needs_rejected
from finetune_core.training.chat_rows import ChatRows, chat_rows, plan_chat_batches
from finetune_core.training.conversations import Conversation
from finetune_core.training.session import Session
from finetune_core.training.validation import TRAINING_COST, VALIDATION_SHARE

if TYPE_CHECKING:
    from finetune_core.models.chat_losses import AnswerRow


@dataclass(frozen=True)
class TrainedAdapter:
    """The outcome: a folder with the LoRA adapter at its best step, and what is worth knowing about the run."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)


def train_adapter(
    train: Sequence[Conversation], validation: Sequence[Conversation], config: ChatTuningConfig, run: Run
) -> TrainedAdapter:
    """Tune on `train`, keep the step with the lowest loss on `validation`.

    Continues from the last checkpoint in the run's folder; when a person asks to stop, the best so far is what is left.
    Raises DatasetError if there is nothing to learn from, ProviderError if the base model is not there, TrainingError for
    settings that do not fit this machine, and lets JobCancelled through.
    """
    run.progress(0.0, f"Loading {config.base_model}")
    learner = ChatLearner(config)
    found = _rows(train, learner)
    if not found.rows:
        raise DatasetError(
            f"None of the {len(train)} training examples fits into {config.max_tokens} tokens."
            if train
            else "There is no training example.",
            hint="Raise the longest example (tokens)." if train else "Accept more examples, then freeze a new version.",
        )
    lengths = [row.num_tokens for row in found.rows]
    plan = plan_chat_batches(found.rows, config.batch_size, config.epochs, run.seed)
    num_evaluations = min(config.evaluations, len(plan))
    checked = _rows(validation, learner)
    budget = VALIDATION_SHARE * TRAINING_COST * sum(lengths) * config.epochs / (num_evaluations + 1)
    learner.train, learner.validation = found.rows, _within(checked.rows, budget, run.seed)
    started = time.monotonic()
    base_loss = _base_loss(learner, run)
    pool = {"num_examples": len(learner.validation), "num_all_examples": len(validation)}
    run.remember(total_steps=len(plan), base_validation_loss=base_loss, pool=pool)
    due = {round(len(plan) * (number + 1) / num_evaluations) for number in range(num_evaluations)}
    session = Session(run, config, learner, frozenset(due), _step_tokens(found.rows, plan))
    base_seconds = time.monotonic() - started
    session.train(plan)
    session.save_best(run.workdir / "adapter")
    facts: dict[str, Any] = {"base_validation_loss": base_loss, "base_seconds": base_seconds, "pool": pool}
    facts |= {"num_rows": len(found.rows), "num_too_long": found.num_too_long}
    facts |= {"num_answer_tokens": found.num_answer_tokens, **session.facts}
    facts |= engine()
    run.remember(**session.facts)
    return TrainedAdapter(run.workdir / "adapter", facts)


def _step_tokens(rows: Sequence["AnswerRow"], plan: Sequence[Sequence[int]]) -> list[int]:
    """What each step reads, padding included; what all prompts of a batch begin with is read once."""
    whole = [(*row.prompt, *row.answer) for row in rows]
    times = [
        row.num_tokens / len(tokens) for row, tokens in zip(rows, whole, strict=True)
    ]  # more where a worse answer is read
    read = [num_read(whole, batch, len(batch)) for batch in plan]
    return [round(tokens * max(times[row] for row in batch)) for tokens, batch in zip(read, plan, strict=True)]


def _rows(conversations: Sequence[Conversation], learner: ChatLearner) -> ChatRows:
    return chat_rows(
        conversations,
        learner.tokenizer,
        learner.template,
        learner.config.max_tokens,
        needs_rejected=needs_rejected(learner.config),
    )


def _within(rows: Sequence["AnswerRow"], budget: float, seed: int) -> list["AnswerRow"]:
    """As many of `rows`, drawn at random and at least one, as have `budget` tokens together."""
    order = np.random.default_rng([seed, 4]).permutation(len(rows)).tolist()
    chosen: list[int] = []
    spent = 0
    for number in order:
        spent += rows[number].num_tokens
        if chosen and spent > budget:
            break
        chosen.append(number)
    return [rows[number] for number in sorted(chosen)]


def _base_loss(learner: ChatLearner, run: Run) -> float | None:
    """The loss before the first step, when the adapter adds nothing; measured once, None without validation examples."""
    known = run.recall("base_validation_loss")
    if known is not None:
        return float(known)
    run.progress(0.0, "Measuring the base model")
    value = learner.measure(run.checkpoint)[VALIDATION_LOSS]
    if not math.isfinite(value):
        return None
    run.log(0, **{VALIDATION_LOSS: value})
    return value
