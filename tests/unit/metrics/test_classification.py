"""Hand-checked values, scikit-learn as oracle, and resampling by sums against resampling by rows."""

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from finetune_core.metrics import bootstrap
from finetune_core.metrics.classification import (
    OUT_OF_SCOPE,
    Accuracy,
    InScopeAccuracy,
    MacroF1,
    Precision,
    Recall,
    confusion,
)

METRICS = [Accuracy(), InScopeAccuracy(), MacroF1(), Recall(OUT_OF_SCOPE), Precision(OUT_OF_SCOPE), Recall(2)]


def columns(true, predicted, top=None):
    found = {"true": true, "predicted": predicted, "top": predicted if top is None else top}
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}


def random_columns(seed, num_rows=200, num_choices=6):
    random = np.random.default_rng(seed)
    true = random.integers(-1, num_choices, num_rows)
    top = np.where(random.random(num_rows) < 0.6, np.maximum(true, 0), random.integers(0, num_choices, num_rows))
    predicted = np.where(random.random(num_rows) < 0.2, -1, top)
    return columns(true, predicted, top)


def test_a_hand_checked_example():
    found = columns([0, 0, 1, 1, -1, -1], [0, 1, 1, -1, -1, 0], [0, 1, 1, 1, 0, 0])
    assert Accuracy()(found) == 3 / 6
    assert InScopeAccuracy()(found) == 3 / 4
    assert Recall(0)(found) == 1 / 2
    assert Recall(OUT_OF_SCOPE)(found) == 1 / 2
    assert Precision(OUT_OF_SCOPE)(found) == 1 / 2
    assert MacroF1()(found) == pytest.approx((0.5 + 0.5 + 0.5) / 3)
    assert confusion(found, 2).tolist() == [[1, 1, 0], [0, 1, 1], [1, 0, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_as_scikit_learn(seed):
    found = random_columns(seed)
    true, predicted = found["true"], found["predicted"]
    assert Accuracy()(found) == pytest.approx(sklearn_metrics.accuracy_score(true, predicted))
    f1 = sklearn_metrics.f1_score(true, predicted, average="macro", labels=np.unique(true))
    assert MacroF1()(found) == pytest.approx(f1)
    each = {"labels": [-1], "average": None}
    assert Recall(-1)(found) == pytest.approx(sklearn_metrics.recall_score(true, predicted, **each)[0])
    assert Precision(-1)(found) == pytest.approx(sklearn_metrics.precision_score(true, predicted, **each)[0])
    theirs = sklearn_metrics.confusion_matrix(true, predicted, labels=[*range(6), -1])
    assert confusion(found, 6).tolist() == theirs.tolist()


def test_a_class_that_only_a_system_names_costs_the_right_one_but_is_not_averaged_over():
    found = columns([0, 0, 1], [0, 3, 1])
    assert MacroF1()(found) == pytest.approx((2 / 3 + 1) / 2)


def test_rows_not_scored_are_left_out_and_nothing_gives_nan():
    found = columns([0, 1, np.nan, 1], [0, np.nan, 0, 1])
    assert Accuracy()(found) == 1
    assert confusion(found, 2).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    empty = columns([], [])
    assert all(math.isnan(metric(empty)) for metric in METRICS)
    assert math.isnan(Precision(OUT_OF_SCOPE)(columns([0], [0])))
    assert confusion(empty, 1).tolist() == [[0, 0], [0, 0]]


def test_a_class_beyond_the_choices_is_refused():
    with pytest.raises(ValueError, match="2 to 2, with 2 choices"):
        confusion(columns([0], [2]), 2)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: repr(metric))
def test_sums_of_groups_give_the_intervals_that_rows_give(metric):
    a, b = random_columns(1), random_columns(2)
    b["true"] = a["true"]
    b["predicted"][3] = b["top"][3] = np.nan
    groups = [f"g{row % 40}" for row in range(200)]
    fast = bootstrap.paired_interval(a, b, groups, metric, 300)
    kept = [row for row in range(200) if row != 3]
    a, b = ({name: values[kept] for name, values in each.items()} for each in (a, b))
    slow = bootstrap.paired_interval(a, b, [groups[row] for row in kept], lambda columns: metric(columns), 300)
    assert (fast.difference, fast.low, fast.high) == pytest.approx((slow.difference, slow.low, slow.high))
    assert fast.p_value == pytest.approx(slow.p_value)
    assert fast.num_rows == slow.num_rows == 199
    alone = bootstrap.value_interval(b, [groups[row] for row in kept], metric, 50)
    assert alone.difference == pytest.approx(metric(b))
