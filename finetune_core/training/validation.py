"""What is measured while a model learns: nDCG@10 on a fixed part of the validation questions, at a bounded cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune_core.metrics import ranking
from finetune_core.records import Part, QueryPassages

NUM_RANKS = 10
VALIDATION_SHARE = 0.13  # of the training time; the promise is 15 %, and an estimate can be off
TRAINING_COST = 2.5  # a training step costs about this many times the encoding of its texts (measured on two cores)


@dataclass(frozen=True)
class ValidationPool:
    """Questions and the passages they are searched against.

    `relevant` holds, for each question, passage position to grade. `num_all_questions` and `num_all_passages` say what
    the whole validation part has, so that a chart can say how much of it is measured.
    """

    queries: tuple[str, ...]
    passages: tuple[str, ...]
    relevant: tuple[dict[int, int], ...]
    num_all_questions: int
    num_all_passages: int

    @property
    def facts(self) -> dict[str, int]:
        """The four numbers that label the curve."""
        return {
            "num_questions": len(self.queries),
            "num_passages": len(self.passages),
            "num_all_questions": self.num_all_questions,
            "num_all_passages": self.num_all_passages,
        }


def choose_pool(
    part: Part[QueryPassages],
    count: Callable[[Sequence[str]], list[int]],
    budget_tokens: float,
    num_wanted: int,
    seed: int,
) -> tuple[ValidationPool, int]:
    """The pool, and how many times it can be measured: at most `num_wanted`, within `budget_tokens` in all.

    All questions and all their passages are in it if they fit the budget at least once (else a seeded sample of the
    questions), and as many distractors, seeded, as still fit. `count` gives the tokens of each text as the model reads
    them. Depends on the data alone, never on a clock, so that a restart measures the same.
    """
    rng = np.random.default_rng([seed, 1])
    positions = part.corpus.positions
    tokens = np.array(count([passage.full_text for passage in part.corpus]), dtype=np.float64)
    query_tokens = count([example.query for example in part.examples])
    chosen: list[int] = []
    positives: dict[int, None] = {}
    spent = 0.0
    for index in rng.permutation(len(part.examples)).tolist():
        own = [positions[passage] for passage in part.examples[index].relevant if passage in positions]
        cost = query_tokens[index] + sum(tokens[position] for position in own if position not in positives)
        if not own or (chosen and spent + cost > budget_tokens):
            continue
        chosen.append(index)
        positives.update(dict.fromkeys(own))
        spent += cost
    num_evaluations = int(min(num_wanted, max(1, budget_tokens // max(spent, 1))))
    pool = list(positives)
    for position in rng.permutation(len(tokens)).tolist():
        if position not in positives and spent + tokens[position] <= budget_tokens / num_evaluations:
            pool.append(position)
            spent += tokens[position]
    return _pool(part, sorted(chosen), sorted(pool)), num_evaluations


def _pool(part: Part[QueryPassages], chosen: list[int], pool: list[int]) -> ValidationPool:
    place = {part.corpus.passages[position].id: i for i, position in enumerate(pool)}
    examples = [part.examples[index] for index in chosen]
    return ValidationPool(
        queries=tuple(example.query for example in examples),
        passages=tuple(part.corpus.passages[position].full_text for position in pool),
        relevant=tuple({place[p]: grade for p, grade in e.relevant.items() if p in place} for e in examples),
        num_all_questions=len(part.examples),
        num_all_passages=len(part.corpus),
    )


def pool_ndcg(queries_QD: NDArray[np.float32], passages_PD: NDArray[np.float32], pool: ValidationPool) -> float:
    """Mean nDCG@10 of the pool's questions, searched exactly; ties go in pool order. NaN for an empty pool."""
    if not len(queries_QD):
        return float("nan")
    scores_QP = np.round(queries_QD @ passages_PD.T, 6)
    order_QK = np.argsort(-scores_QP, axis=1, kind="stable")[:, :NUM_RANKS]
    gains_QK = np.array([[pool.relevant[q].get(int(p), 0) for p in row] for q, row in enumerate(order_QK)], np.float64)
    ideal_QR = ranking.ideal_of([{str(p): grade for p, grade in grades.items()} for grades in pool.relevant])
    return float(np.nanmean(ranking.ndcg(gains_QK, ideal_QR, NUM_RANKS)))
