"""Multinomial logistic regression, fitted with a heartbeat so that a person can stop it.

Shape suffixes: N rows, D features, C classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_ITERATIONS = 1000
USUAL_ITERATIONS = 20
OVERHEAD = 10.0  # times the float32 matrix products alone: these are in float64 (measured: 8 to 17)
EXPONENTIAL_S = 3e-8  # for each row and class
_TOLERANCE = 1e-4  # of the largest slope, as scikit-learn's default


@dataclass(frozen=True)
class Fitted:
    """A classifier: logits are `weights` (C, D) times features plus `biases` (C,). `loss` is the mean cross-entropy."""

    weights: Floats
    biases: Floats
    loss: float


def fit_logistic(
    features_ND: NDArray[np.floating], classes_N: NDArray[np.int64], num_classes: int, strength: float,
    checkpoint: Callable[[], None],
) -> Fitted:  # fmt: skip
    """The classifier with the least mean cross-entropy plus |weights|² / (2 · strength · N); biases are free.

    That is what scikit-learn's `LogisticRegression(C=strength)` minimises, with the same method (L-BFGS, Liu and Nocedal,
    1989) and tolerance; this one calls `checkpoint` in every iteration, and lets through what it raises. Deterministic.
    Raises ValueError for no rows.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    if not len(features_ND):
        raise ValueError("there are no rows to fit")
    features_ND = np.asarray(features_ND, dtype=np.float64)
    num_rows, num_features = features_ND.shape
    rows = np.arange(num_rows)
    penalty = 1 / (strength * num_rows)

    def objective(flat: Floats) -> tuple[float, Floats]:
        checkpoint()
        weights_CD, biases_C = _unpacked(flat, num_classes, num_features)
        logits_NC = features_ND @ weights_CD.T + biases_C
        normaliser_N = logsumexp(logits_NC, axis=1)
        loss = float((normaliser_N - logits_NC[rows, classes_N]).mean())
        slopes_NC = np.exp(logits_NC - normaliser_N[:, None])
        slopes_NC[rows, classes_N] -= 1
        slopes_NC /= num_rows
        gradient = np.concatenate([(slopes_NC.T @ features_ND + penalty * weights_CD).ravel(), slopes_NC.sum(axis=0)])
        return loss + 0.5 * penalty * float((weights_CD**2).sum()), gradient

    found = minimize(
        objective,
        np.zeros(num_classes * (num_features + 1)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MAX_ITERATIONS, "maxls": 50, "gtol": _TOLERANCE, "ftol": 64 * np.finfo(float).eps},
    )
    weights_CD, biases_C = _unpacked(found.x, num_classes, num_features)
    loss = float(found.fun) - 0.5 * penalty * float((weights_CD**2).sum())
    return Fitted(weights_CD.copy(), biases_C.copy(), loss)


def fit_seconds(num_rows: int, num_classes: int, num_features: int, machine_flops: float) -> float:
    """About how long `fit_logistic` takes on a machine of that speed."""
    products = 4.0 * num_rows * num_classes * num_features / machine_flops
    return USUAL_ITERATIONS * (OVERHEAD * products + EXPONENTIAL_S * num_rows * num_classes)


def _unpacked(flat: Floats, num_classes: int, num_features: int) -> tuple[Floats, Floats]:
    size = num_classes * num_features
    return flat[:size].reshape(num_classes, num_features), flat[size:]
