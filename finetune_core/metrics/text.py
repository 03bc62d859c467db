"""How close a text is to another: BLEU from counts, so that it can be resampled, and how much of a gap was closed.

Shape suffixes: N rows (answers), B resamples, S sums.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune_core.recipe import Columns

Floats = NDArray[np.float64]
ORDERS = 4
"""The longest sequence of words that BLEU counts."""


@dataclass(frozen=True, slots=True)
class Bleu:
    """BLEU of all answers together, from 0 to 1; NaN for no rows.

    Papineni et al., BLEU: a Method for Automatic Evaluation of Machine Translation, 2002, over the whole set as there, not a
    mean over answers; the same as sacrebleu's `corpus_score` without smoothing. The column `bleu` (N, 10) holds for each
    answer the matching word sequences of lengths 1 to 4, all of them, the answer's length and the reference's.
    """

    column: str = "bleu"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the metric reads."""
        return (self.column,)

    def statistics(self, columns: Columns) -> Floats:
        """The counts (N, 10)."""
        return np.asarray(columns[self.column], dtype=np.float64).reshape(-1, 2 * ORDERS + 2)

    def of_sums(self, sums_BS: Floats) -> Floats:
        """BLEU (B,) from sums of `statistics`."""
        right_BO, all_BO = sums_BS[:, :ORDERS], sums_BS[:, ORDERS : 2 * ORDERS]
        said_B, wanted_B = sums_BS[:, -2], sums_BS[:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean_B = np.log(right_BO / all_BO).mean(axis=1)
            brevity_B = np.minimum(0.0, 1.0 - wanted_B / said_B)
            found_B = np.exp(mean_B + brevity_B)
        return np.where(wanted_B > 0, np.nan_to_num(found_B, nan=0.0, posinf=0.0), np.nan)

    def __call__(self, columns: Columns) -> float:
        """BLEU of the rows without NaN."""
        counts_NS = self.statistics(columns)
        scored_NS = counts_NS[~np.isnan(counts_NS).any(axis=1)]
        return float(self.of_sums(scored_NS.sum(axis=0, keepdims=True))[0])
