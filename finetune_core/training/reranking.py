"""Tuning a cross-encoder on questions, their passages, and passages that a retriever takes for theirs."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from finetune_core.errors import DatasetError
from finetune_core.evaluation.retrieval import DenseRetriever, Retriever
from finetune_core.metrics import ranking
from finetune_core.providers.embedder import Embedder
from finetune_core.providers.reranker import Reranker
from finetune_core.providers.tokens import TokenCounter
from finetune_core.recipe import Run
from finetune_core.records import Part, QueryPassages, Split
from finetune_core.training import negatives
from finetune_core.training.judged_passages import JudgedPassages, judged_passages, plan_questions, taught
from finetune_core.training.reranker_config import ONE_POSITIVE, RerankerConfig
from finetune_core.training.reranker_learner import RerankerLearner, RetrievedPool
from finetune_core.training.score_mixing import mixing_weight
from finetune_core.training.session import Session
from finetune_core.training.validation import TRAINING_COST, VALIDATION_SHARE

NUM_FITTED = 50


VALIDATION_TIME = 1.5 * VALIDATION_SHARE
"""Of the training time: all steps' validations take a third of it, fitting the retriever's weight takes the rest."""


@dataclass(frozen=True)
class TrainedReranker:
    """The outcome: a folder with the model at its best step, the weight of the retriever's score, and facts of the run."""

    folder: Path
    retriever_weight: float
    facts: dict[str, Any] = field(default_factory=dict)


def train_reranker(
    split: Split[QueryPassages],
    config: RerankerConfig,
    base: str,
    embedder: Embedder,
    run: Run,
    teacher: Reranker | None = None,
) -> TrainedReranker:
    """Tune on the training part, choose the step and the retriever's weight on the validation part.

    `base` is the folder or name to start from, `embedder` the retriever's; `teacher`, if given, is asked for the scores to
    learn instead of right and wrong. Continues from the last checkpoint in the run's
    folder; when a person asks to stop, the best so far is what is left. Raises DatasetError if there is nothing to learn
    from, TrainingError for settings that do not fit the data, and lets JobCancelled through.
    """
    rows = _rows(split, config, embedder, run)
    if teacher is not None:
        rows = taught(rows, teacher, run)
    plan = plan_questions(rows, config.batch_size, config.epochs, run.seed)
    step_tokens = _step_tokens(rows, plan, config, base)
    num_evaluations = min(config.evaluations, len(plan))
    num_pairs = sum(len(rows[index].passages) for batch in plan for index in batch)
    num_affordable = VALIDATION_SHARE * TRAINING_COST * num_pairs / config.depth
    # The mixture is settled once and decides more than the step does: it gets twice the questions of all steps together.
    num_for_step, num_for_mixture = (max(1, int(num_affordable / times)) for times in (2 * num_evaluations, 1))
    retriever = DenseRetriever("retriever", embedder)
    pool = retrieved_pool(split.validation, retriever, config.depth, num_for_step, run)
    started = time.monotonic()
    base_values = pool.measured(pool.given)
    run.log(0, **{name: value for name, value in base_values.items() if math.isfinite(value)})
    base_value = next(iter(base_values.values()))
    base_value_or_none = base_value if math.isfinite(base_value) else None
    run.remember(total_steps=len(plan), base_validation=base_value_or_none, pool=pool.facts)
    due = {round(len(plan) * (number + 1) / num_evaluations) for number in range(num_evaluations)}
    learner = RerankerLearner(config, base, rows, pool)
    session = Session(run, config, learner, frozenset(due), step_tokens)
    session.train(plan)
    session.save_best(run.workdir / "model")
    larger = retrieved_pool(split.validation, retriever, config.depth, num_for_mixture, run)
    weight = learner.weight_on(larger, session.listen)
    facts: dict[str, Any] = {"base_validation": base_value_or_none, "base_seconds": time.monotonic() - started}
    facts |= {"num_rows": len(rows), "num_pairs": num_pairs, "retriever_weight": weight, "pool": pool.facts}
    facts["num_for_mixture"] = len(larger.queries)
    run.remember(**session.facts)
    return TrainedReranker(run.workdir / "model", weight, facts | session.facts)


def retrieved_pool(
    part: Part[QueryPassages], retriever: Retriever, depth: int, num_wanted: int, run: Run
) -> RetrievedPool:
    """Up to `num_wanted` questions of the part, seeded, with the first `depth` passages that the retriever finds."""
    order = np.random.default_rng([run.seed, 2]).permutation(len(part))[:num_wanted]
    examples = [part.examples[index] for index in sorted(order.tolist())]
    few = replace(part, examples=tuple(examples))
    found = retriever.rank([e.query for e in examples], few.corpus, depth, run)
    relevant = [example.relevant for example in examples]
    width = max((len(ids) for ids in found.ids), default=0)
    given_QK = np.full((len(examples), width), np.nan)
    for row, scores in enumerate(found.scores):
        given_QK[row, : len(scores)] = scores
    return RetrievedPool(
        queries=tuple(example.query for example in examples),
        passages=tuple(tuple(part.corpus[passage].full_text for passage in ids) for ids in found.ids),
        given=given_QK,
        gains=ranking.gains_of(found.ids, relevant, width) if examples else np.zeros((0, 0)),
        ideal=ranking.ideal_of(relevant) if examples else np.zeros((0, 1)),
        num_all_questions=len(part),
        num_all_passages=len(part.corpus),
    )


def fitted_weight(retriever: Retriever, reranker: Reranker, part: Part[QueryPassages], depth: int, run: Run) -> float:
    """The weight that another retriever's scores get beside the reranker's, on its own scale: the best one for up to
    `NUM_FITTED` questions of `part`, 0 without questions.
    """
    pool = retrieved_pool(part, retriever, depth, NUM_FITTED, run)
    scores_QK = np.full_like(pool.given, np.nan)
    for row, (query, texts) in enumerate(zip(pool.queries, pool.passages, strict=True)):
        scores_QK[row, : len(texts)] = reranker.score(query, texts, run.checkpoint)
    return mixing_weight(scores_QK, pool.given, pool.gains) if pool.queries else 0.0


def _rows(split: Split[QueryPassages], config: RerankerConfig, embedder: Embedder, run: Run) -> list[JudgedPassages]:
    part = split.train
    mined = None
    if config.hard_negatives and len(part) > 1:
        mined = negatives.chosen_once(part, lambda: embedder, config.hard_negatives, config.margin, run)
    rows = judged_passages(part, mined, config.random_negatives, run.seed, one_right=config.loss in ONE_POSITIVE)
    rows = [row for row in rows if len(row.passages) > row.num_right]
    if len(rows) < 2:
        raise DatasetError(
            f"The dataset has {len(rows)} training question(s) with a right and a wrong passage; at least 2 are needed.",
            hint="Accept more pairs on the Review page, then freeze a new version.",
        )
    return rows


def _step_tokens(
    rows: Sequence[JudgedPassages], plan: Sequence[Sequence[int]], config: RerankerConfig, base: str
) -> list[int]:
    counter = TokenCounter.for_model(base)
    texts = sorted({text for row in rows for text in (row.query, *row.passages)})
    tokens = dict(zip(texts, counter.count_many(texts), strict=True))
    of_row = [sum(min(config.max_tokens, tokens[r.query] + tokens[text]) for text in r.passages) for r in rows]
    return [sum(of_row[index] for index in batch) for batch in plan]
