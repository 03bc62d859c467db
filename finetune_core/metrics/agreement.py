"""How well a judge agrees with another: errors, correlations and kappas, each a function of the columns of two judges.

Shape suffixes: N rows (judged answers), C classes, B resamples, S sums.

The columns `true` and `predicted` (N,) hold the scores of the judge to agree with and of the one that is measured; a row
that could not be judged holds NaN and is left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune_core.recipe import Columns

Floats = NDArray[np.float64]
_PAIR = ("true", "predicted")


@dataclass(frozen=True, slots=True)
class MeanError:
    """The mean of predicted minus true (the bias), or with `is_absolute` of its size (the mean absolute error)."""

    is_absolute: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return _PAIR

    def statistics(self, columns: Columns) -> Floats:
        """The error, and 1 (N, 2)."""
        error_N = columns["predicted"] - columns["true"]
        return np.stack([np.abs(error_N) if self.is_absolute else error_N, np.ones(len(error_N))], axis=1)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The mean (B,) from sums of `statistics`; NaN for no rows."""
        return _share(sums_BS[:, 0], sums_BS[:, 1])

    def __call__(self, columns: Columns) -> float:
        """The mean over the rows without NaN."""
        return _of_sums(self, columns)


@dataclass(frozen=True, slots=True)
class Pearson:
    """The correlation of the two columns in [-1, 1]; NaN where either is constant or there are fewer than 2 rows.

    It is computed from sums, so that resampling groups takes sums of groups only. Pearson, Note on Regression and
    Inheritance in the Case of Two Parents, 1895.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return _PAIR

    def statistics(self, columns: Columns) -> Floats:
        """1, both values, their squares and their product (N, 6)."""
        x_N, y_N = columns["true"], columns["predicted"]
        return np.stack([np.ones(len(x_N)), x_N, y_N, x_N * x_N, y_N * y_N, x_N * y_N], axis=1)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The correlation (B,) from sums of `statistics`."""
        n_B, x_B, y_B, xx_B, yy_B, xy_B = sums_BS.T
        spread_B = (n_B * xx_B - x_B**2) * (n_B * yy_B - y_B**2)
        is_defined_B = spread_B > 1e-9 * np.maximum(1.0, n_B**2)
        found_B = (n_B * xy_B - x_B * y_B) / np.sqrt(np.where(is_defined_B, spread_B, 1.0))
        return np.where(is_defined_B, np.clip(found_B, -1.0, 1.0), np.nan)

    def __call__(self, columns: Columns) -> float:
        """The correlation over the rows without NaN."""
        return _of_sums(self, columns)


@dataclass(frozen=True, slots=True)
class Spearman:
    """The correlation of the ranks, ties sharing their mean rank; NaN as for `Pearson`.

    Spearman, The Proof and Measurement of Association between Two Things, 1904. Ranks depend on all rows at once, so it is
    resampled row by row.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return _PAIR

    def __call__(self, columns: Columns) -> float:
        """The rank correlation over the rows without NaN."""
        from scipy.stats import rankdata

        kept = _scored(columns)
        return Pearson()({name: rankdata(values) for name, values in kept.items()})


@dataclass(frozen=True, slots=True)
class WeightedKappa:
    """Agreement of scores beyond chance, disagreement counting by its square, in [-1, 1]; NaN where both are one constant.

    On whole scores it is Cohen's quadratically weighted kappa (Weighted Kappa, 1968), on any it is the concordance
    correlation of Lin (A Concordance Correlation Coefficient to Evaluate Reproducibility, 1989): they are one formula, which
    needs no classes, so a mean of raters between two scores need not be rounded.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return _PAIR

    def statistics(self, columns: Columns) -> Floats:
        """As for `Pearson` (N, 6)."""
        return Pearson().statistics(columns)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """Kappa (B,) from sums of `statistics`."""
        n_B, x_B, y_B, xx_B, yy_B, xy_B = sums_BS.T
        by_chance_B = n_B * (xx_B + yy_B) - 2 * x_B * y_B
        is_defined_B = by_chance_B > 1e-9 * np.maximum(1.0, n_B**2)
        observed_B = n_B * (xx_B + yy_B - 2 * xy_B)
        return np.where(is_defined_B, 1.0 - observed_B / np.where(is_defined_B, by_chance_B, 1.0), np.nan)

    def __call__(self, columns: Columns) -> float:
        """Kappa over the rows without NaN."""
        return _of_sums(self, columns)


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement beyond chance on the classes 0 to `num_classes` - 1, in [-1, 1]; NaN where both always say one class.

    Cohen, A Coefficient of Agreement for Nominal Scales, 1960.
    """

    num_classes: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return _PAIR

    def statistics(self, columns: Columns) -> Floats:
        """One cell of the confusion table for each row (N, C * C)."""
        true_N, predicted_N = (np.asarray(columns[name]).astype(np.int64) for name in _PAIR)
        cells_NS = np.zeros((len(true_N), self.num_classes**2))
        cells_NS[np.arange(len(true_N)), true_N * self.num_classes + predicted_N] = 1.0
        return cells_NS

    def of_sums(self, sums_BS: Floats) -> Floats:
        """Kappa (B,) from confusion tables (B, C * C)."""
        table_BCC = sums_BS.reshape(-1, self.num_classes, self.num_classes)
        total_B = table_BCC.sum(axis=(1, 2))
        agreed_B = np.trace(table_BCC, axis1=1, axis2=2) * total_B
        by_chance_B = (table_BCC.sum(axis=2) * table_BCC.sum(axis=1)).sum(axis=1)
        rest_B = total_B**2 - by_chance_B
        return np.where(rest_B > 0, (agreed_B - by_chance_B) / np.where(rest_B > 0, rest_B, 1.0), np.nan)

    def __call__(self, columns: Columns) -> float:
        """Kappa over the rows without NaN."""
        return _of_sums(self, columns)


def _share(part_B: Floats, whole_B: Floats) -> Floats:
    return np.where(whole_B > 0, part_B / np.where(whole_B > 0, whole_B, 1.0), np.nan)


def _scored(columns: Columns) -> dict[str, Floats]:
    read = {name: np.asarray(columns[name], dtype=np.float64) for name in _PAIR}
    rows_N = ~np.isnan(np.stack(list(read.values()))).any(axis=0)
    return {name: values[rows_N] for name, values in read.items()}


def _of_sums(metric: MeanError | Pearson | WeightedKappa | Kappa, columns: Columns) -> float:
    return float(metric.of_sums(metric.statistics(_scored(columns)).sum(axis=0, keepdims=True))[0])
