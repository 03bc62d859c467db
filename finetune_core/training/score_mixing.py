"""How much the retriever's score counts beside the reranker's.

Sources: Lin, Nogueira and Yates, Pretrained Transformers for Text Ranking, 2021 (interpolating both scores); McFadden,
Conditional Logit Analysis of Qualitative Choice Behavior, 1974 (the likelihood). A likelihood uses how far apart scores lie,
where a metric of ranks jumps: with the hundred questions there are, the best of a few weights by nDCG is mostly chance.
"""

import numpy as np
from numpy.typing import NDArray

MAX_SHARE = 1000.0
"""The retriever's score at most counts this many times as much as the reranker's, both in standard deviations."""
PENALTY = 1e-3
"""Keeps the fit finite where every right passage stands first already."""


def mixing_weight(
    scores_QK: NDArray[np.float64], given_QK: NDArray[np.float64], gains_QK: NDArray[np.float64]
) -> float:
    """The weight w >= 0 for which "reranker's score + w times the retriever's" explains best which passages are right.

    `scores_QK` are the reranker's for Q questions by the K passages found, `given_QK` the retriever's, both NaN where fewer
    were found; `gains_QK` are grades, above 0 for right. A question's right passages shall have a large share of the
    softmax over a times the one plus b times the other, a and b >= 0; w is b / a. 0.0 where no question has both a right
    and a wrong passage among those found.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    is_right_QK = (gains_QK > 0) & ~np.isnan(given_QK)
    is_told = is_right_QK.any(axis=1) & (~is_right_QK & ~np.isnan(given_QK)).any(axis=1)
    if not is_told.any():
        return 0.0
    # A constant for all passages of a question cancels out, so spreads are taken within questions.
    parts = [_centred(values[is_told]) for values in (scores_QK, given_QK)]
    spreads = [max(float(np.nanstd(part)), 1e-9) for part in parts]
    features_QKF = np.stack([part / spread for part, spread in zip(parts, spreads, strict=True)], axis=-1)
    is_right_QK = is_right_QK[is_told]

    def loss(factors_F: NDArray[np.float64]) -> float:
        logits_QK = np.nan_to_num(features_QKF @ factors_F, nan=-np.inf)
        right_Q = logsumexp(np.where(is_right_QK, logits_QK, -np.inf), axis=1)
        return float(np.mean(logsumexp(logits_QK, axis=1) - right_Q) + PENALTY * factors_F @ factors_F)

    found = minimize(loss, np.ones(2), bounds=[(0.0, None), (0.0, None)], method="L-BFGS-B")
    of_scores, of_given = found.x
    share = min(of_given / max(of_scores, of_given / MAX_SHARE, 1e-12), MAX_SHARE)
    return round(float(share * spreads[0] / spreads[1]), 4)


def _centred(values_QK: NDArray[np.float64]) -> NDArray[np.float64]:
    centred: NDArray[np.float64] = values_QK - np.nanmean(values_QK, axis=1, keepdims=True)
    return centred
