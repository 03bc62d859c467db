"""Tuning an embedding model on questions and their passages, with sentence-transformers' trainer.

Everything that decides the outcome is fixed before the first step or kept in the checkpoint: the batches, the steps at
which the model is validated, the pool it is validated on, the mined negatives, and the best step so far. So a run that
was killed and started again ends where an undisturbed one does.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.errors import DatasetError
from finetune_core.providers.embedder import LocalEmbedder, own_prefixes
from finetune_core.providers.tokens import TokenCounter
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipe import Run
from finetune_core.records import QueryPassages, Split
from finetune_core.training import negatives
from finetune_core.training.batches import ROWS_PER_PASSAGE, TrainingRow, batch_texts, plan_batches, training_rows
from finetune_core.training.embedding_config import EmbeddingConfig, Loss
from finetune_core.training.embedding_learner import EmbeddingLearner
from finetune_core.training.session import VALIDATION_METRIC, Session
from finetune_core.training.validation import TRAINING_COST, VALIDATION_SHARE, ValidationPool, choose_pool, pool_ndcg


@dataclass(frozen=True)
class Trained:
    """The outcome: a folder with the model at its best step, and what is worth knowing about the run."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)


def prefixes(config: EmbeddingConfig) -> tuple[str, str]:
    """The (question, passage) prefixes in force: those chosen, else the base model's own."""
    query, passage = own_prefixes(config.base_model)
    return config.query_prefix or query, config.passage_prefix or passage


def base_embedder(config: EmbeddingConfig, cache: Path) -> CachedEmbedder:
    """The untuned model, with the prefixes and token limit of the run, behind the cache of vectors."""
    return CachedEmbedder(LocalEmbedder(config.base_model, *prefixes(config), config.max_tokens), cache)


def train_embedder(split: Split[QueryPassages], config: EmbeddingConfig, run: Run) -> Trained:
    """Tune on the training part, choose the step on the validation part, and leave the model in the run's folder.

    Continues from the last checkpoint in the run's folder. When a person asks to stop, the best so far is what is left.
    Raises DatasetError if there is nothing to learn from, TrainingError for settings that do not fit the data, and lets
    JobCancelled through.
    """
    rows = _rows(split, config, run)
    sharing = 1 if config.loss is Loss.CACHED else ROWS_PER_PASSAGE  # its cache of gradients knows rows only
    plan = plan_batches(rows, config.batch_size, config.epochs, run.seed, sharing)
    if not plan:
        raise DatasetError(
            f"{len(rows)} training pair(s) make no batch: a batch needs 2 questions with different passages.",
            hint="Add training pairs, or mine hard negatives.",
        )
    step_tokens = _step_tokens(rows, plan, config)
    pool, num_evaluations = _pool(split, config, sum(step_tokens), len(plan), run.seed)
    started = time.monotonic()
    base_value = _base_value(config, pool, run)
    base_seconds = time.monotonic() - started
    run.remember(total_steps=len(plan), base_validation=base_value, pool=pool.facts)
    due = {round(len(plan) * (number + 1) / num_evaluations) for number in range(num_evaluations)}
    learner = EmbeddingLearner(config, prefixes(config), rows, pool)
    session = Session(run, config, learner, frozenset(due), step_tokens)
    session.train(plan)
    session.save_best(run.workdir / "model")
    facts: dict[str, Any] = {"base_validation": base_value, "base_seconds": base_seconds, "num_rows": len(rows)}
    facts |= {"pool": pool.facts, **session.facts}
    run.remember(**session.facts)
    return Trained(run.workdir / "model", facts)


def _rows(split: Split[QueryPassages], config: EmbeddingConfig, run: Run) -> list[TrainingRow]:
    mined = None
    if config.hard_negatives:
        mined = negatives.chosen_once(
            split.train, lambda: base_embedder(config, run.cache), config.hard_negatives, config.margin, run
        )
    rows = training_rows(split.train, *prefixes(config), mined)
    if len(rows) < 2:
        raise DatasetError(
            f"The dataset has {len(rows)} training pair(s) whose passage is in the corpus; at least 2 are needed.",
            hint="Accept more pairs on the Review page, then freeze a new version.",
        )
    return rows


def token_counter(config: EmbeddingConfig) -> Callable[[Sequence[str]], list[int]]:
    """Counts the tokens of each text as a model with these settings reads it: cut at their limit, or the model's own."""

    def count(texts: Sequence[str]) -> list[int]:
        counter = TokenCounter.for_model(config.base_model)  # read once for each process
        limit = min(config.max_tokens, counter.max_tokens)
        return [min(number, limit) for number in counter.count_many(texts)]

    return count


def _step_tokens(rows: list[TrainingRow], plan: list[list[int]], config: EmbeddingConfig) -> list[int]:
    count = token_counter(config)
    texts = sorted({text for row in rows for text in (row.query, row.positive, *row.negatives)})
    tokens = dict(zip(texts, count(texts), strict=True))
    return [sum(tokens[text] for column in batch_texts(rows, batch) for text in column) for batch in plan]


def _pool(
    split: Split[QueryPassages], config: EmbeddingConfig, total_tokens: int, num_steps: int, seed: int
) -> tuple[ValidationPool, int]:
    budget = VALIDATION_SHARE * TRAINING_COST * total_tokens
    return choose_pool(split.validation, token_counter(config), budget, min(config.evaluations, num_steps), seed)


def _base_value(config: EmbeddingConfig, pool: ValidationPool, run: Run) -> float | None:
    if not pool.queries:
        return None
    run.progress(0.0, "Measuring the base model")
    embedder = base_embedder(config, run.cache)
    queries_QD = embedder.encode_queries(pool.queries, run.checkpoint)
    value = pool_ndcg(queries_QD, embedder.encode_passages(pool.passages, run.checkpoint), pool)
    run.log(0, **{VALIDATION_METRIC: value})
    return value
