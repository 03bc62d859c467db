"""Metrics of ranked lists, one value per question.

Shape suffixes: Q questions, K ranks (best first), R relevant passages of a question (padded with 0), B resamples.

    gains_QK    the grade of the passage at each rank: 0 for a passage that is not relevant, and for ranks past the end
                of a shorter list
    ideal_QR    the grades of all relevant passages of each question, in any order, padded with 0

A question without any relevant passage cannot be scored: its value is NaN. With Q = 0 every function returns an empty
array. Every value lies in [0, 1]. `k` beyond K looks at the K ranks there are; `k` below 1 raises ValueError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_core.recipe import Columns

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mean:
    """The metric that is the mean of one column (N,) over the rows that could be scored; NaN if none could.

    Being a mean, it can be resampled by sums of groups instead of by rows (see `metrics.bootstrap`).
    """

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return (self.column,)

    def statistics(self, columns: Columns) -> Floats:
        """The value, and 1 (N, 2)."""
        return np.stack([columns[self.column], np.ones(len(columns[self.column]))], axis=1)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The mean (B,) from sums of `statistics`; NaN where nothing was summed."""
        return np.where(sums_BS[:, 1] > 0, sums_BS[:, 0] / np.maximum(sums_BS[:, 1], 1), np.nan)

    def __call__(self, columns: Columns) -> float:
        """The mean of the column's rows that are not NaN."""
        values = columns[self.column]
        scored = values[~np.isnan(values)]
        return float(scored.mean()) if len(scored) else float("nan")


def gains_of(ranked_ids: Sequence[Sequence[str]], relevant: Sequence[Mapping[str, int]], num_ranks: int) -> Floats:
    """The grades (Q, num_ranks) of ranked passages; `relevant` maps passage id to grade for each question."""
    gains_QK = np.zeros((len(ranked_ids), num_ranks))
    for row, (ids, grades) in enumerate(zip(ranked_ids, relevant, strict=True)):
        for rank, passage_id in enumerate(ids[:num_ranks]):
            gains_QK[row, rank] = grades.get(passage_id, 0)
    return gains_QK


def ideal_of(relevant: Sequence[Mapping[str, int]]) -> Floats:
    """The grades (Q, R) of all relevant passages of each question, padded with 0; R is at least 1."""
    ideal_QR = np.zeros((len(relevant), max([len(grades) for grades in relevant] + [1])))
    for row, grades in enumerate(relevant):
        ideal_QR[row, : len(grades)] = list(grades.values())
    return ideal_QR


def hit(gains_QK: Floats, ideal_QR: Floats, k: int) -> Floats:
    """1 where a relevant passage is among the first k, else 0 (Q,); "success@k" in trec_eval."""
    found_Q = (_top(gains_QK, k) > 0).any(axis=1)
    return _scored(np.asarray(found_Q), ideal_QR)


def recall(gains_QK: Floats, ideal_QR: Floats, k: int) -> Floats:
    """The share of a question's relevant passages found among the first k (Q,); "recall.k" in trec_eval."""
    found_Q = (_top(gains_QK, k) > 0).sum(axis=1)
    return _scored(found_Q / np.maximum(_num_relevant(ideal_QR), 1), ideal_QR)


def reciprocal_rank(gains_QK: Floats, ideal_QR: Floats, k: int) -> Floats:
    """1 / rank of the first relevant passage, 0 if it is not among the first k (Q,).

    Its mean is MRR@k (Voorhees, The TREC-8 Question Answering Track Report, 1999).
    """
    ranks_Q = first_relevant_rank(_top(gains_QK, k))
    return _scored(np.nan_to_num(np.asarray(1 / ranks_Q), nan=0.0), ideal_QR)


def average_precision(gains_QK: Floats, ideal_QR: Floats, k: int) -> Floats:
    """Precision at each relevant rank up to k, summed and divided by the number of relevant passages (Q,).

    Its mean is MAP@k as trec_eval's "map_cut" has it (Buckley and Voorhees, Retrieval System Evaluation, 2005): the
    divisor is the number of relevant passages, also where that exceeds k.
    """
    relevant_QK = _top(gains_QK, k) > 0
    precision_QK = np.cumsum(relevant_QK, axis=1) / np.arange(1, relevant_QK.shape[1] + 1)
    return _scored((precision_QK * relevant_QK).sum(axis=1) / np.maximum(_num_relevant(ideal_QR), 1), ideal_QR)


def ndcg(gains_QK: Floats, ideal_QR: Floats, k: int) -> Floats:
    """Normalised discounted cumulative gain at k, with the grades themselves as gains (Q,).

    Discount 1 / log2(rank + 1), ideal cut at k as well (Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR
    techniques, 2002); the same as trec_eval, BEIR and scikit-learn compute.
    """
    best_QR = -np.sort(-ideal_QR, axis=1)
    ideal_Q = _discounted(_top(best_QR, k))
    return _scored(_discounted(_top(gains_QK, k)) / np.where(ideal_Q > 0, ideal_Q, 1), ideal_QR)


def first_relevant_rank(gains_QK: Floats) -> Floats:
    """The rank (from 1) of the first relevant passage, NaN where none is among the K (Q,)."""
    relevant_QK = gains_QK > 0
    if not relevant_QK.shape[1]:
        return np.full(len(gains_QK), np.nan)
    return np.where(relevant_QK.any(axis=1), relevant_QK.argmax(axis=1) + 1.0, np.nan)


def _top(values_QK: Floats, k: int) -> Floats:
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    return values_QK[:, :k]


def _discounted(gains_QK: Floats) -> Floats:
    discount_K = 1 / np.log2(np.arange(gains_QK.shape[1]) + 2)
    total_Q: Floats = np.asarray(gains_QK @ discount_K, dtype=np.float64)
    return total_Q


def _num_relevant(ideal_QR: Floats) -> Floats:
    return np.asarray((ideal_QR > 0).sum(axis=1), dtype=np.float64)


def _scored(values_Q: NDArray[Any], ideal_QR: Floats) -> Floats:
    return np.asarray(np.where(_num_relevant(ideal_QR) > 0, values_Q, np.nan), dtype=np.float64)
