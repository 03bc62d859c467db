"""Agreement of judges, against scipy and scikit-learn."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from finetune_core.metrics.agreement import Kappa, MeanError, Pearson, Spearman, WeightedKappa
from finetune_core.metrics.bootstrap import OfSums, value_interval


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    true = random.integers(0, 4, 60).astype(float)
    return {"true": true, "predicted": np.clip(true + random.integers(-1, 2, 60), 0, 3)}


def test_they_are_what_scipy_and_scikit_learn_say(columns: dict[str, np.ndarray]) -> None:
    true, predicted = columns["true"], columns["predicted"]
    assert MeanError()(columns) == pytest.approx((predicted - true).mean())
    assert MeanError(is_absolute=True)(columns) == pytest.approx(np.abs(predicted - true).mean())
    assert Pearson()(columns) == pytest.approx(stats.pearsonr(true, predicted).statistic)
    assert Spearman()(columns) == pytest.approx(stats.spearmanr(true, predicted).statistic)
    assert Kappa(4)(columns) == pytest.approx(cohen_kappa_score(true, predicted))
    assert WeightedKappa()(columns) == pytest.approx(cohen_kappa_score(true, predicted, weights="quadratic"))


def test_scores_need_not_be_whole_and_the_scale_plays_no_part() -> None:
    true, predicted = np.array([1.0, 2.5, 5.0, 4.0]), np.array([1.0, 3.0, 5.0, 3.0])
    covariance = np.cov(true, predicted, bias=True)
    lin = 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + (true.mean() - predicted.mean()) ** 2)
    assert WeightedKappa()({"true": true, "predicted": predicted}) == pytest.approx(lin)
    assert WeightedKappa()({"true": (true - 1) / 4, "predicted": (predicted - 1) / 4}) == pytest.approx(lin)


def test_what_is_not_defined_is_not_a_number(columns: dict[str, np.ndarray]) -> None:
    constant = {"true": np.ones(5), "predicted": np.arange(5.0)}
    assert math.isnan(Pearson()(constant))
    assert math.isnan(Spearman()(constant))
    assert math.isnan(WeightedKappa()({name: np.ones(3) for name in constant}))
    assert math.isnan(Kappa(4)({"true": np.ones(3), "predicted": np.ones(3)}))
    assert math.isnan(MeanError()({"true": np.zeros(0), "predicted": np.zeros(0)}))
    gap = {name: np.append(values, np.nan if name == "predicted" else 3.0) for name, values in columns.items()}
    for metric in (MeanError(), Pearson(), Spearman(), WeightedKappa()):
        assert metric(gap) == metric(columns)


@pytest.mark.parametrize("metric", [MeanError(is_absolute=True), Pearson(), WeightedKappa(), Kappa(4)])
def test_resampling_by_sums_gives_what_resampling_rows_would(metric: OfSums, columns: dict[str, np.ndarray]) -> None:
    groups = [f"g{number // 3}" for number in range(60)]
    fast = value_interval(columns, groups, metric, num_resamples=200)
    slow = value_interval(columns, groups, lambda of: metric(of), num_resamples=200)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high))
