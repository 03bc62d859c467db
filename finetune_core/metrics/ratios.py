"""Shares whose parts are counted row by row: precision, recall, F1, and rates over the rows they are about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune_core.recipe import Columns

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ratio:
    """`scale` times the sum of one column over the sum of others, over the rows that could be scored; NaN for 0 / 0.

    With the columns of right, said and expected items, `Ratio("right", ("said",))` is precision, `Ratio("right",
    ("expected",))` recall, and `Ratio("right", ("said", "expected"), 2.0)` the micro-averaged F1 (van Rijsbergen,
    Information Retrieval, 1979). With a column that is 1 on the rows a rate is about it is that rate. Being made of
    sums, it is resampled by sums of groups (see `metrics.bootstrap`).
    """

    part: str
    whole: tuple[str, ...]
    scale: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return (self.part, *self.whole)

    def statistics(self, columns: Columns) -> Floats:
        """The part, and the whole (N, 2)."""
        return np.stack([columns[self.part], sum((columns[name] for name in self.whole), np.float64(0))], axis=1)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """The ratio (B,) from sums of `statistics`."""
        part_B, whole_B = sums_BS.T
        return np.where(whole_B > 0, self.scale * part_B / np.where(whole_B > 0, whole_B, 1.0), np.nan)

    def __call__(self, columns: Columns) -> float:
        """The ratio over the rows without NaN."""
        read = {name: np.asarray(columns[name], dtype=np.float64) for name in self.columns}
        rows_N = ~np.isnan(np.stack(list(read.values()))).any(axis=0)
        statistics_NS = self.statistics({name: values[rows_N] for name, values in read.items()})
        return float(self.of_sums(statistics_NS.sum(axis=0, keepdims=True))[0])
