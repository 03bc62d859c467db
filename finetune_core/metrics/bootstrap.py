"""How sure a number is: intervals from resampling whole groups, and what a test set can show at all.

Shape suffixes: N rows (test examples), G groups, B resamples, S sums.

Questions over one document are not independent, so groups are drawn with replacement, never single rows (Field and
Welsh, Bootstrapping clustered data, 2007), and both systems are measured on the same draw (Sakai, Evaluating
evaluation metrics based on the bootstrap, 2006).

The interval is the percentile interval, widened for few groups as in Hesterberg, What Teachers Should Know About the
Bootstrap, 2015, section 3.3: the plain one is too narrow by sqrt((G - 1) / G) and uses normal instead of t quantiles,
so its tails are taken at Phi(-t_{G-1} * sqrt(G / (G - 1))). It holds for every function of columns, needs no
jackknife, and unlike BCa it is defined where the resampled differences are all equal or lie on one side, which short
lists produce.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from finetune_core.recipe import Columns, Metric

Floats = NDArray[np.float64]
NUM_RESAMPLES = 2000
CONFIDENCE = 0.95
ASSUMED_SPREAD = 0.5
"""How much the differences of a tuned model spread, as a share of the base's own scores, where no comparison tells.

Measured with MiniLM: 0.24 for a gain in nDCG@10 of 0.003 (193 questions on 20 reference topics), 0.34 for a gain of 0.026
(150 questions of feedbackqa on 50 pages). It grows with the gain, and is 1 where the scores of the two correlate by 0.5.
"""

_BLOCK_BYTES = 64_000_000


@runtime_checkable
class OfSums(Protocol):
    """A metric that depends on its rows only through sums over them, as means and F1 do.

    It is resampled from one sum for each group instead of from rows, which takes seconds where rows take minutes.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""

    def statistics(self, columns: Columns) -> Floats:
        """What is summed, for each row (N, S)."""

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The metric (B,) of each of B sums (B, S); NaN where it is not defined."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number or a difference with its interval.

    `difference` is the value itself; `low` <= `high` bound it with `confidence`; `p_value` in (0, 1] is the smallest
    1 - confidence at which the interval would leave out zero. `num_rows` and `num_groups` count what was resampled,
    after rows that could not be scored were left out. With fewer than 2 groups nothing can be resampled: low is -inf,
    high inf, p_value 1. With no rows `difference` is NaN as well.
    """

    difference: float
    low: float
    high: float
    p_value: float
    num_rows: int
    num_groups: int
    confidence: float = CONFIDENCE

    @property
    def crosses_zero(self) -> bool:
        """Whether zero is among the values the data allow."""
        return not (self.low > 0 or self.high < 0)


def paired_interval(
    a: Columns,
    b: Columns,
    groups: Sequence[str],
    metric: Metric,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of `metric(b) - metric(a)`, rows paired, resampled by group.

    `a` and `b` hold the same N examples in the same order, `groups` their N groups. Rows with NaN, in either, in a
    column that the metric reads are left out of both (all columns where the metric does not say which it reads).
    Raises ValueError if lengths differ.
    """
    rows_N = _scored_rows(metric, (a, b), len(groups))
    labels = _labels(groups, rows_N)
    first, second = _take(a, rows_N), _take(b, rows_N)
    if isinstance(metric, OfSums):
        both = (metric.statistics(first), metric.statistics(second))
        width = both[0].shape[1]

        def difference_of_sums(sums_BS: Floats) -> Floats:
            return metric.of_sums(sums_BS[:, width:]) - metric.of_sums(sums_BS[:, :width])

        statistics_NS = np.concatenate(both, axis=1)
        return _interval_by_sums(difference_of_sums, statistics_NS, labels, num_resamples, seed, confidence)

    def difference(rows: NDArray[np.int64]) -> float:
        return metric(_take(second, rows)) - metric(_take(first, rows))

    return _interval_by_rows(difference, labels, num_resamples, seed, confidence)


def closed_gap(
    base: Columns,
    tuned: Columns,
    teacher: Columns,
    groups: Sequence[str],
    metric: Metric,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The share of the gap between `base` and `teacher` that `tuned` closes, with its interval; rows as in `paired_interval`.

    1 is as good as the teacher, 0 no better than the base. Draws in which the teacher is not above the base have no share
    and are left out; NaN without bounds where it is not above it at all.
    """
    systems = (base, tuned, teacher)
    rows_N = _scored_rows(metric, systems, len(groups))
    labels = _labels(groups, rows_N)
    kept = [_take(system, rows_N) for system in systems]

    def share(rows: NDArray[np.int64]) -> float:
        low, value, high = (metric(_take(system, rows)) for system in kept)
        return (value - low) / (high - low) if high > low else float("nan")

    found = _interval_by_rows(share, labels, num_resamples, seed, CONFIDENCE)
    return found if np.isfinite(found.difference) else _unknown(float("nan"), labels, CONFIDENCE)


def value_interval(
    columns: Columns,
    groups: Sequence[str],
    metric: Metric,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of `metric(columns)` itself, resampled by group; `difference` holds the value. Never compare two of
    these by eye: two systems on the same questions differ by `paired_interval`.
    """
    rows_N = _scored_rows(metric, (columns,), len(groups))
    labels = _labels(groups, rows_N)
    kept = _take(columns, rows_N)
    if isinstance(metric, OfSums):
        return _interval_by_sums(metric.of_sums, metric.statistics(kept), labels, num_resamples, seed, confidence)
    return _interval_by_rows(lambda pick: metric(_take(kept, pick)), labels, num_resamples, seed, confidence)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being several, in the order given, each at most 1; empty for none.

    Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979: the i-th smallest of m is multiplied by m - i
    + 1, and never falls below the one before it.
    """
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for i, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - i) * p_values[index]))
        corrected[index] = largest
    return corrected


def smallest_detectable_gain(
    values: Sequence[float] | Floats,
    groups: Sequence[str],
    *,
    spread: float = ASSUMED_SPREAD,
    power: float = 0.8,
    confidence: float = CONFIDENCE,
) -> float:
    """The smallest true gain in the mean of `values` that a comparison on these examples would show, `power` of the
    time.

    `values` (N,) are the base system's scores in [0, 1], NaN where one could not be scored. How much the tuned system
    will differ from question to question is not known before it exists; assumed is that the mean of the differences has
    `spread` (> 0) times the standard error of the base's mean: what `spread_of_differences` found in earlier comparisons.
    The gain is then (t_{1 - alpha/2} + t_{power}) standard errors, G - 1 degrees of freedom (Bloom, Minimum
    Detectable Effects, 1995), the standard error taken between groups (Cameron and Miller, A Practitioner's Guide to
    Cluster-Robust Inference, 2015). Never below 1 / N (one question from wrong to right) and never above 1, which is
    also the answer with fewer than 2 groups.
    """
    values_N = np.asarray(values, dtype=np.float64)
    rows_N = ~np.isnan(values_N)
    labels = _labels(groups, rows_N)
    if labels.num_groups < 2:
        return 1.0
    error = spread * _standard_error(values_N[rows_N], labels)
    return _detectable(error, labels, int(rows_N.sum()), power, confidence)


def smallest_detectable_gain_of(
    metric: Metric,
    columns: Columns,
    groups: Sequence[str],
    *,
    spread: float = ASSUMED_SPREAD,
    power: float = 0.8,
    confidence: float = CONFIDENCE,
) -> float | None:
    """As `smallest_detectable_gain` for any metric of the base's `columns`, such as a kappa: its standard error comes from
    resampling groups. None where resampling does not move it, as for a judge that gives every answer the same score.
    """
    from scipy.special import ndtri

    found = value_interval(columns, groups, metric, confidence=confidence)
    if found.num_groups < 2:
        return 1.0
    error = spread * (found.high - found.low) / (2 * float(ndtri(1 - (1 - confidence) / 2)))
    if not np.isfinite(error) or error <= 0:
        return None
    labels = _labels(groups, _scored_rows(metric, (columns,), len(groups)))
    return _detectable(error, labels, found.num_rows, power, confidence)


def _detectable(error: float, labels: "_Labels", num_rows: int, power: float, confidence: float) -> float:
    """So many standard errors, but at least one row from wrong to right and at most 1."""
    from scipy.special import stdtrit

    degrees = labels.num_groups - 1
    quantiles = stdtrit(degrees, 1 - (1 - confidence) / 2) + stdtrit(degrees, power)
    return float(np.clip(quantiles * error, 1 / num_rows, 1.0))


def spread_of_differences(
    before: Sequence[float] | Floats, after: Sequence[float] | Floats, groups: Sequence[str]
) -> float | None:
    """The standard error of the mean difference, as a share of that of `before`'s mean; both (N,), taken between groups.

    Rows with NaN in either are left out. None with fewer than 2 groups, or where the scores before are all alike.
    """
    before_N, after_N = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    rows_N = ~(np.isnan(before_N) | np.isnan(after_N))
    labels = _labels(groups, rows_N)
    if labels.num_groups < 2:
        return None
    error = _standard_error(before_N[rows_N], labels)
    return _standard_error((after_N - before_N)[rows_N], labels) / error if error > 0 else None


def _standard_error(values_N: Floats, labels: "_Labels") -> float:
    """Of the mean, from the sums of at least 2 groups."""
    sums_G = np.bincount(labels.of_row, values_N - values_N.mean(), labels.num_groups)
    factor = labels.num_groups / (labels.num_groups - 1)
    return float(np.sqrt(factor * (sums_G**2).sum()) / len(values_N))


@dataclass(frozen=True, slots=True)
class _Labels:
    """Group of each row as a number (N,), and how many groups there are."""

    of_row: NDArray[np.int64]
    num_groups: int


def _labels(groups: Sequence[str], rows_N: NDArray[np.bool_]) -> _Labels:
    if len(groups) != len(rows_N):
        raise ValueError(f"{len(groups)} groups for {len(rows_N)} rows")
    names, of_row = np.unique(np.asarray(groups, dtype=object)[rows_N].astype(str), return_inverse=True)
    return _Labels(of_row.astype(np.int64), len(names))


def _scored_rows(metric: Metric, systems: Sequence[Columns], num_rows: int) -> NDArray[np.bool_]:
    rows_N = np.ones(num_rows, dtype=bool)
    for columns in systems:
        for name in getattr(metric, "columns", None) or columns:
            values = np.asarray(columns[name])
            if len(values) != num_rows:
                raise ValueError(f"column {name} has {len(values)} rows, not {num_rows}")
            rows_N &= ~np.isnan(values.reshape(num_rows, int(np.prod(values.shape[1:])))).any(axis=1)
    return rows_N


def _take(columns: Columns, rows: NDArray[Any]) -> dict[str, Floats]:
    return {name: values[rows] for name, values in columns.items()}


def _interval_by_sums(
    statistic: Callable[[Floats], Floats],
    statistics_NS: Floats,
    labels: _Labels,
    num_resamples: int,
    seed: int,
    confidence: float,
) -> Interval:
    """Exactly what resampling rows would give, from each group's sums alone."""
    value = float(statistic(statistics_NS.sum(axis=0, keepdims=True))[0])
    if labels.num_groups < 2:
        return _unknown(value, labels, confidence)
    sums_GS = np.zeros((labels.num_groups, statistics_NS.shape[1]))
    np.add.at(sums_GS, labels.of_row, statistics_NS)
    resampled_B = np.concatenate(
        [statistic(_times_drawn(draws_BG) @ sums_GS) for draws_BG in _draws(labels, num_resamples, seed)]
    )
    return _interval(value, resampled_B[~np.isnan(resampled_B)], labels, confidence)


def _times_drawn(draws_BG: NDArray[np.int64]) -> Floats:
    """How often each group was drawn in each resample (B, G)."""
    num_draws, num_groups = draws_BG.shape
    cells = draws_BG + num_groups * np.arange(num_draws)[:, None]
    return np.bincount(cells.ravel(), minlength=draws_BG.size).reshape(draws_BG.shape).astype(np.float64)


def _interval_by_rows(
    statistic: Callable[[NDArray[np.int64]], float], labels: _Labels, num_resamples: int, seed: int, confidence: float
) -> Interval:
    """For any metric: the statistic of the rows of the drawn groups, each drawn group in full."""
    value = float(statistic(np.arange(len(labels.of_row)))) if len(labels.of_row) else float("nan")
    if labels.num_groups < 2:
        return _unknown(value, labels, confidence)
    by_group = np.argsort(labels.of_row, kind="stable")
    rows_of = np.split(by_group, np.cumsum(np.bincount(labels.of_row, minlength=labels.num_groups))[:-1])
    resampled_B = np.array(
        [
            statistic(np.concatenate([rows_of[group] for group in draw_G]))
            for draws_BG in _draws(labels, num_resamples, seed)
            for draw_G in draws_BG
        ]
    )
    return _interval(value, resampled_B[~np.isnan(resampled_B)], labels, confidence)


def _draws(labels: _Labels, num_resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Group numbers (B, G) drawn with replacement, in blocks of bounded memory."""
    random = np.random.default_rng(seed)
    rows = max(1, _BLOCK_BYTES // (8 * labels.num_groups))
    for start in range(0, num_resamples, rows):
        yield random.integers(labels.num_groups, size=(min(rows, num_resamples - start), labels.num_groups))


def _interval(value: float, resampled_B: Floats, labels: _Labels, confidence: float) -> Interval:
    """Percentile interval with tails for few groups, and the p-value that agrees with it."""
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    if not len(resampled_B):
        return _unknown(value, labels, confidence)
    widen = np.sqrt(labels.num_groups / (labels.num_groups - 1))
    tail = float(ndtr(stdtrit(labels.num_groups - 1, (1 - confidence) / 2) * widen))
    low, high = np.quantile(resampled_B, [tail, 1 - tail])
    # One is added above and below: with B resamples no p-value under 1 / (B + 1) can be claimed.
    smaller = min((resampled_B <= 0).sum(), (resampled_B >= 0).sum())
    share = min(0.5, (smaller + 1) / (len(resampled_B) + 1))
    p_value = float(min(1.0, 2 * stdtr(labels.num_groups - 1, ndtri(share) / widen)))
    return Interval(value, float(low), float(high), p_value, len(labels.of_row), labels.num_groups, confidence)


def _unknown(value: float, labels: _Labels, confidence: float) -> Interval:
    return Interval(value, -np.inf, np.inf, 1.0, len(labels.of_row), labels.num_groups, confidence)
