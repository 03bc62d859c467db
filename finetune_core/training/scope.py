"""From which score on a query is in scope: the threshold of a router, chosen on queries it has not learned from.

Shape suffixes: Q queries, K candidates, S sums.
"""

import numpy as np
from numpy.typing import NDArray

from finetune_core.evaluation.routing import NEVER, Routes
from finetune_core.metrics.classification import OUT_OF_SCOPE, MacroF1

Floats = NDArray[np.float64]


def choose_threshold(routes: Routes, true_Q: Floats, kept_share: float) -> float:
    """The threshold for these scores, whatever threshold `routes` has; `NEVER` for no queries.

    `true_Q` are the classes of the queries, `OUT_OF_SCOPE` among them. If any is, the threshold is the one with the best
    macro-F1 over all of them, "out of scope" being one class; among equally good ones that which turns away fewest. If
    none is, nothing tells what is out of scope, and the threshold turns away at most 1 - `kept_share` of the queries,
    those with the lowest scores. It lies half-way between two scores that were met.
    """
    best_Q = routes.scores.max(axis=1, initial=NEVER)
    usable_Q = np.isfinite(best_Q) & ~np.isnan(true_Q)
    order = np.flatnonzero(usable_Q)[np.argsort(best_Q[usable_Q], kind="stable")]
    if not len(order):
        return NEVER
    ascending_Q = best_Q[order]
    if (true_Q[order] == OUT_OF_SCOPE).any():
        num_refused = _best_refused(true_Q[order], routes.tops[order], ascending_Q)
    else:
        num_refused = int(round((1 - kept_share) * len(order), 9))
        while num_refused and ascending_Q[num_refused - 1] == ascending_Q[num_refused]:
            num_refused -= 1
    return float(ascending_Q[num_refused - 1 : num_refused + 1].mean()) if num_refused else NEVER


def _best_refused(true_Q: Floats, top_Q: Floats, ascending_Q: Floats) -> int:
    """How many of the lowest scores to refuse for the best macro-F1; never all."""
    metric = MacroF1()
    both = {
        "true": np.concatenate([true_Q, true_Q]),
        "predicted": np.concatenate([top_Q, np.full(len(true_Q), float(OUT_OF_SCOPE))]),
    }
    kept_QS, refused_QS = np.split(metric.statistics(both), 2)
    sums_KS = kept_QS.sum(axis=0) + np.concatenate(
        [np.zeros((1, kept_QS.shape[1])), np.cumsum(refused_QS - kept_QS, axis=0)]
    )
    values_K = metric.of_sums(sums_KS)[:-1]
    values_K[1:][ascending_Q[1:] == ascending_Q[:-1]] = -np.inf  # equal scores are refused together or not at all
    return int(values_K.round(9).argmax())
