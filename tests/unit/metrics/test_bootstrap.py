"""The fast way equals brute force, intervals cover what they should, and hand-checked corrections."""

import math

import numpy as np
import pytest
from scipy import stats

from finetune_core.metrics import bootstrap
from finetune_core.metrics.agreement import WeightedKappa
from finetune_core.metrics.bootstrap import closed_gap
from finetune_core.metrics.ranking import Mean

VALUE = Mean("x")


def example(num_groups: int = 12, seed: int = 0):
    random = np.random.default_rng(seed)
    groups = [f"d{g}" for g in range(num_groups) for _ in range(1 + g % 4)]
    a = {"x": random.random(len(groups))}
    b = {"x": np.clip(a["x"] + random.normal(0.05, 0.2, len(groups)), 0, 1)}
    return a, b, groups


def brute_force(a, b, groups, metric, num_resamples, seed):
    names = sorted(set(groups))
    draws = np.random.default_rng(seed).integers(len(names), size=(num_resamples, len(names)))
    rows_of = [[i for i, g in enumerate(groups) if g == name] for name in names]
    differences = []
    for draw in draws:
        rows = [row for group in draw for row in rows_of[group]]
        differences.append(metric({"x": b["x"][rows]}) - metric({"x": a["x"][rows]}))
    n = len(names)
    tail = stats.norm.cdf(stats.t.ppf(0.025, n - 1) * math.sqrt(n / (n - 1)))
    return np.quantile(differences, [tail, 1 - tail])


def test_mean_equals_brute_force():
    a, b, groups = example()
    interval = bootstrap.paired_interval(a, b, groups, VALUE, 500, seed=4)
    np.testing.assert_allclose([interval.low, interval.high], brute_force(a, b, groups, VALUE, 500, 4), rtol=1e-12)
    assert interval.difference == pytest.approx((b["x"] - a["x"]).mean())
    assert (interval.num_rows, interval.num_groups) == (len(groups), 12)


def test_any_metric_equals_brute_force():
    a, b, groups = example()

    def median(columns):
        return float(np.median(columns["x"]))

    interval = bootstrap.paired_interval(a, b, groups, median, 300, seed=1)
    np.testing.assert_allclose([interval.low, interval.high], brute_force(a, b, groups, median, 300, 1), rtol=1e-12)


def test_by_rows_and_by_sums_are_the_same(monkeypatch):
    a, b, groups = example()
    fast = bootstrap.paired_interval(a, b, groups, VALUE, 300)
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 1)  # blocks of one draw give the same stream
    slow = bootstrap.paired_interval(a, b, groups, lambda columns: float(columns["x"].mean()), 300)
    assert slow.low == pytest.approx(fast.low, rel=1e-12)
    assert slow.p_value == fast.p_value


def test_rows_not_scored_in_either_are_left_out_of_both():
    a = {"x": np.array([0.0, np.nan, 1.0, 0.5]), "other": np.full(4, np.nan)}
    b = {"x": np.array([1.0, 1.0, np.nan, 0.5]), "other": np.full(4, np.nan)}
    interval = bootstrap.paired_interval(a, b, ["p", "q", "r", "s"], VALUE)
    assert interval.difference == 0.5
    assert interval.num_rows == 2


def test_identical_systems_differ_by_exactly_zero():
    a, _, groups = example()
    interval = bootstrap.paired_interval(a, a, groups, VALUE)
    assert (interval.low, interval.high, interval.p_value) == (0, 0, 1)
    assert interval.crosses_zero


def test_one_group_or_no_row_shows_nothing():
    a, b, groups = example()
    alone = bootstrap.paired_interval(a, b, ["d"] * len(groups), VALUE)
    assert (alone.low, alone.high, alone.p_value, alone.crosses_zero) == (-math.inf, math.inf, 1, True)
    empty = {"x": np.array([])}
    assert math.isnan(bootstrap.paired_interval(empty, empty, [], VALUE).difference)
    assert bootstrap.paired_interval(empty, empty, [], lambda columns: 1.0).num_rows == 0


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 rows, not 2"):
        bootstrap.paired_interval({"x": np.zeros(3)}, {"x": np.zeros(3)}, ["a", "b"], VALUE)


@pytest.mark.parametrize(("num_groups", "rows", "lowest"), [(8, 5, 0.91), (40, 3, 0.92)])
def test_coverage_with_correlated_rows(num_groups, rows, lowest):
    """Of 400 seeded repetitions, about 95 % of the intervals hold the true difference; resampling rows would not."""
    covered = covered_by_rows = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        of_group = np.repeat(random.normal(0, 1, num_groups), rows)
        difference = 0.3 + of_group + random.normal(0, 0.5, num_groups * rows)
        groups = [f"g{i // rows}" for i in range(num_groups * rows)]
        a, b = {"x": np.zeros(len(difference))}, {"x": difference}
        interval = bootstrap.paired_interval(a, b, groups, VALUE, 400, seed)
        covered += interval.low <= 0.3 <= interval.high
        naive = bootstrap.paired_interval(a, b, [str(i) for i in range(len(groups))], VALUE, 400, seed)
        covered_by_rows += naive.low <= 0.3 <= naive.high
    assert lowest < covered / 400 < 0.98
    assert covered_by_rows / 400 < 0.85


def test_p_value_agrees_with_the_interval():
    """The interval at confidence 1 - p just touches zero."""
    for seed in range(30):
        a, b, groups = example(seed=seed)
        p_value = bootstrap.paired_interval(a, b, groups, VALUE, 20_000).p_value
        if not 0.01 < p_value < 0.6:
            continue
        inside = bootstrap.paired_interval(a, b, groups, VALUE, 20_000, confidence=1 - p_value * 0.9)
        outside = bootstrap.paired_interval(a, b, groups, VALUE, 20_000, confidence=1 - p_value * 1.1)
        assert inside.crosses_zero
        assert not outside.crosses_zero


def test_value_interval_holds_the_value():
    a, _, groups = example()
    interval = bootstrap.value_interval(a, groups, VALUE)
    assert interval.difference == pytest.approx(a["x"].mean())
    assert interval.low < interval.difference < interval.high
    by_rows = bootstrap.value_interval(a, groups, lambda columns: float(columns["x"].mean()))
    assert by_rows.low == pytest.approx(interval.low)


def test_holm_by_hand():
    assert bootstrap.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert bootstrap.holm([0.9, 0.8]) == [1.0, 1.0]
    assert bootstrap.holm([]) == []


def test_smallest_detectable_gain_by_hand():
    values = [0.0, 1.0] * 50
    gain = bootstrap.smallest_detectable_gain(values, [str(i) for i in range(100)], spread=1.0)
    standard_error = np.std(values, ddof=1) / 10
    assert gain == pytest.approx((stats.t.ppf(0.975, 99) + stats.t.ppf(0.8, 99)) * standard_error)


def test_the_spread_of_differences_scales_the_detectable_gain():
    groups = [str(i) for i in range(100)]
    before = np.tile([0.0, 1.0], 50)
    after = before + np.tile([0.25, 0.25, -0.25, -0.25], 25) + 0.1  # half as far from their mean as the scores
    assert bootstrap.spread_of_differences(before, after, groups) == pytest.approx(0.5)
    assert bootstrap.spread_of_differences(before, before + 0.1, groups) == pytest.approx(0.0, abs=1e-9)
    one, half = (bootstrap.smallest_detectable_gain(before, groups, spread=spread) for spread in (1.0, 0.5))
    assert half == pytest.approx(one / 2)
    with_nan = np.concatenate([[np.nan], after[1:]])
    assert bootstrap.spread_of_differences(before, with_nan, groups) == pytest.approx(0.5, rel=0.02)
    assert bootstrap.spread_of_differences(before, after, ["one"] * 100) is None
    assert bootstrap.spread_of_differences(np.ones(100), after, groups) is None


def test_detectable_gain_is_larger_for_few_groups_and_bounded():
    values = np.tile([0.0, 0.0, 1.0, 1.0], 25)
    alone = bootstrap.smallest_detectable_gain(values, [str(i) for i in range(100)])
    grouped = bootstrap.smallest_detectable_gain(values, [str(i // 2) for i in range(100)])
    assert grouped == pytest.approx(alone * math.sqrt(2), rel=0.03)
    assert bootstrap.smallest_detectable_gain(values, ["one"] * 100) == 1.0
    assert bootstrap.smallest_detectable_gain(np.ones(50), [str(i) for i in range(50)]) == 1 / 50
    assert bootstrap.smallest_detectable_gain([], []) == 1.0


def test_detectable_gain_is_detected_about_as_often_as_promised():
    """With differences that spread as assumed, a true gain of that size is shown in about 80 % of comparisons."""
    groups = [str(i) for i in range(60)]
    shown = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        base = random.normal(0.5, 0.2, 60)
        noise = random.normal(0, 0.2 * math.sqrt(1 - 0.5**2), 60)
        gain = bootstrap.smallest_detectable_gain(base, groups, spread=1.0)  # of a correlation of 0.5
        tuned = 0.5 + 0.5 * (base - 0.5) + noise + gain
        shown += not bootstrap.paired_interval({"x": base}, {"x": tuned}, groups, VALUE, 400, seed).crosses_zero
    assert 0.72 < shown / 200 < 0.88


def test_the_detectable_gain_of_any_metric_is_that_of_a_mean_where_it_is_one() -> None:
    random = np.random.default_rng(0)
    values, groups = random.normal(0.5, 0.2, 200), [str(i // 2) for i in range(200)]
    by_hand = bootstrap.smallest_detectable_gain(values, groups)
    assert bootstrap.smallest_detectable_gain_of(VALUE, {"x": values}, groups) == pytest.approx(by_hand, rel=0.1)
    true = random.integers(1, 6, 200).astype(float)
    columns = {"true": true, "predicted": np.clip(true + random.normal(0, 1.5, 200), 1, 5)}
    kappa = bootstrap.smallest_detectable_gain_of(WeightedKappa(), columns, groups)
    assert kappa is not None
    assert 0.02 < kappa < 0.15
    quarter = {name: one[:50] for name, one in columns.items()}
    fewer = bootstrap.smallest_detectable_gain_of(WeightedKappa(), quarter, groups[:50])
    assert fewer == pytest.approx(2 * kappa, rel=0.35), "a quarter of the answers, twice the error"
    constant = {"true": true, "predicted": np.full(200, 3.0)}
    assert bootstrap.smallest_detectable_gain_of(WeightedKappa(), constant, groups) is None
    assert bootstrap.smallest_detectable_gain_of(WeightedKappa(), columns, ["one"] * 200) == 1.0


def test_the_share_of_a_gap_is_measured_on_the_same_rows_and_bounded() -> None:
    random = np.random.default_rng(0)
    base = random.random(200) * 0.4
    teacher = base + 0.4
    tuned = base + 0.2 + random.normal(0, 0.05, 200)
    groups = [f"g{row // 4}" for row in range(200)]
    found = closed_gap({"x": base}, {"x": tuned}, {"x": teacher}, groups, Mean("x"), num_resamples=200)
    assert found.difference == pytest.approx((tuned - base).mean() / 0.4)
    assert found.low < found.difference < found.high
    assert 0.4 < found.low < found.high < 0.6
    none = closed_gap({"x": teacher}, {"x": tuned}, {"x": base}, groups, Mean("x"), num_resamples=20)
    assert np.isnan(none.difference)
