"""Shares counted row by row, against scikit-learn, and resampled by group."""

import math

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from finetune_core.metrics.bootstrap import OfSums, value_interval
from finetune_core.metrics.ratios import Ratio

PRECISION, RECALL, F1 = (
    Ratio("right", ("said",)),
    Ratio("right", ("expected",)),
    Ratio("right", ("said", "expected"), 2),
)


def test_micro_averages_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    true, said = random.random((50, 7)) < 0.4, random.random((50, 7)) < 0.5
    columns = {
        "right": (true & said).sum(axis=1).astype(float),
        "said": said.sum(axis=1).astype(float),
        "expected": true.sum(axis=1).astype(float),
    }
    expected = precision_recall_fscore_support(true, said, average="micro")[:3]
    assert [PRECISION(columns), RECALL(columns), F1(columns)] == pytest.approx(list(expected))


def test_rows_that_could_not_be_scored_are_left_out_and_nothing_of_nothing_is_not_a_number() -> None:
    columns = {"right": np.array([1.0, np.nan, 0.0]), "said": np.array([2.0, 1.0, 2.0]), "expected": np.zeros(3)}
    assert PRECISION(columns) == 0.25
    assert math.isnan(RECALL({**columns, "right": np.zeros(3)}))
    assert math.isnan(PRECISION({name: np.zeros(0) for name in columns}))


def test_resampling_by_sums_gives_what_resampling_rows_would() -> None:
    random = np.random.default_rng(1)
    said = random.integers(1, 5, 40).astype(float)
    columns = {"right": np.floor(said * random.random(40)), "said": said}
    groups = [f"g{number // 4}" for number in range(40)]
    assert isinstance(PRECISION, OfSums)

    def by_rows(of: dict[str, np.ndarray]) -> float:
        return PRECISION(of)

    fast, slow = value_interval(columns, groups, PRECISION), value_interval(columns, groups, by_rows)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high))
