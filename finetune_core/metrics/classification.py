"""Metrics of single-label classification, each a function of the same few columns, so that each can be resampled.

Shape suffixes: N rows (test examples), C classes, B resamples, S sums.

A class is a whole number: the position of a choice, from 0, or `OUT_OF_SCOPE` for "none of them", which is a class like
any other. The columns `true` and `predicted` (N,) hold classes, `top` (N,) the choice scored first whatever was decided
about scope. A row that could not be scored holds NaN and is left out.

All metrics here are functions of sums over rows, so that resampling whole groups takes sums of groups only (see
`metrics.bootstrap`). Precision, recall and F1 are those of van Rijsbergen, Information Retrieval, 1979.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_core.recipe import Columns

Floats = NDArray[np.float64]

OUT_OF_SCOPE = -1
"""The class of what belongs to none of the choices."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of rows whose predicted class is the true one, "out of scope" among them; NaN for no rows."""

    predicted: str = "predicted"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return ("true", self.predicted)

    def statistics(self, columns: Columns) -> Floats:
        """Right or not, and 1 (N, 2)."""
        right_N = columns["true"] == columns[self.predicted]
        return np.stack([right_N, np.ones(len(right_N))], axis=1).astype(np.float64)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The metric (B,) from sums of `statistics`."""
        return _share(sums_BS[:, 0], sums_BS[:, 1])

    def __call__(self, columns: Columns) -> float:
        """The share over the rows without NaN."""
        return _of_rows(self, columns)


@dataclass(frozen=True, slots=True)
class InScopeAccuracy:
    """Of the rows that belong to a choice, the share whose right choice is scored first; NaN without such rows.

    What was decided about scope plays no part, so this is what a classifier that always chooses would reach.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return ("true", "top")

    def statistics(self, columns: Columns) -> Floats:
        """Right and in scope or not, in scope or not (N, 2)."""
        inside_N = columns["true"] != OUT_OF_SCOPE
        right_N = inside_N & (columns["true"] == columns["top"])
        return np.stack([right_N, inside_N], axis=1).astype(np.float64)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The metric (B,) from sums of `statistics`."""
        return _share(sums_BS[:, 0], sums_BS[:, 1])

    def __call__(self, columns: Columns) -> float:
        """The share over the rows without NaN."""
        return _of_rows(self, columns)


@dataclass(frozen=True, slots=True)
class Recall:
    """Of the rows that are of the class `of`, the share predicted as it; NaN without such rows."""

    of: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return ("true", "predicted")

    def statistics(self, columns: Columns) -> Floats:
        """Rightly of the class or not, truly of it or not (N, 2)."""
        true_N = columns["true"] == self.of
        return np.stack([true_N & (columns["predicted"] == self.of), true_N], axis=1).astype(np.float64)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The metric (B,) from sums of `statistics`."""
        return _share(sums_BS[:, 0], sums_BS[:, 1])

    def __call__(self, columns: Columns) -> float:
        """The share over the rows without NaN."""
        return _of_rows(self, columns)


@dataclass(frozen=True, slots=True)
class Precision:
    """Of the rows predicted as the class `of`, the share that is of it; NaN without such rows."""

    of: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return ("true", "predicted")

    def statistics(self, columns: Columns) -> Floats:
        """Rightly of the class or not, predicted as it or not (N, 2)."""
        predicted_N = columns["predicted"] == self.of
        return np.stack([predicted_N & (columns["true"] == self.of), predicted_N], axis=1).astype(np.float64)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The metric (B,) from sums of `statistics`."""
        return _share(sums_BS[:, 0], sums_BS[:, 1])

    def __call__(self, columns: Columns) -> float:
        """The share over the rows without NaN."""
        return _of_rows(self, columns)


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean of each class's F1 over the classes that are true in at least one row; NaN for no rows.

    Every class counts alike, however rare (Opitz and Burst, Macro F1 and Macro F1, 2019, the "averaged F1" there), and "out
    of scope" is one of them. Which classes count depends on the rows alone, never on what a system predicts, so that two
    systems are averaged over the same ones. The same as scikit-learn's `f1_score(average="macro", labels=unique(true))`.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return ("true", "predicted")

    def statistics(self, columns: Columns) -> Floats:
        """For each class that is true somewhere: rightly predicted or not, true or not, predicted or not (N, 3 C)."""
        true_N, predicted_N = columns["true"], columns["predicted"]
        classes_C = np.unique(true_N)
        true_NC, predicted_NC = true_N[:, None] == classes_C, predicted_N[:, None] == classes_C
        return np.concatenate([true_NC & predicted_NC, true_NC, predicted_NC], axis=1).astype(np.float64)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The metric (B,) from sums of `statistics`."""
        right_BC, true_BC, predicted_BC = np.split(sums_BS, 3, axis=1)
        f1_BC = 2 * right_BC / np.maximum(true_BC + predicted_BC, 1)  # 0 for a class that is not true in these rows
        return _share(f1_BC.sum(axis=1), (true_BC > 0).sum(axis=1))

    def __call__(self, columns: Columns) -> float:
        """The metric over the rows without NaN."""
        return _of_rows(self, columns)


def confusion(columns: Columns, num_choices: int) -> NDArray[np.int64]:
    """How often each true class (row) was predicted as each class (column), "out of scope" last (C, C).

    C is `num_choices` + 1. Rows with NaN are left out. Raises ValueError for a class that there is none of.
    """
    kept = _scored(columns, ("true", "predicted"))
    true_N, predicted_N = kept["true"].astype(np.int64), kept["predicted"].astype(np.int64)
    for classes_N in (true_N, predicted_N):
        if len(classes_N) and not OUT_OF_SCOPE <= classes_N.min() <= classes_N.max() < num_choices:
            raise ValueError(f"classes run from {classes_N.min()} to {classes_N.max()}, with {num_choices} choices")
    size = num_choices + 1
    cells_N = (true_N % size) * size + predicted_N % size  # -1 becomes the last row and column
    return np.bincount(cells_N, minlength=size * size).reshape(size, size)


def _share(part_B: NDArray[Any], whole_B: NDArray[Any]) -> Floats:
    """Part of whole, NaN where the whole is nothing (B,)."""
    return np.where(whole_B > 0, part_B / np.maximum(whole_B, 1), np.nan)


def _scored(columns: Columns, names: tuple[str, ...]) -> dict[str, Floats]:
    rows_N = ~np.isnan(np.stack([columns[name] for name in names])).any(axis=0)
    return {name: columns[name][rows_N] for name in names}


def _of_rows(metric: Any, columns: Columns) -> float:
    statistics_NS = metric.statistics(_scored(columns, metric.columns))
    return float(metric.of_sums(statistics_NS.sum(axis=0, keepdims=True))[0])
