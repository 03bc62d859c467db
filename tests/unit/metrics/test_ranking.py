"""Hand-checked numbers, and scikit-learn as a second implementation."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from finetune_core.metrics import ranking

RELEVANT = [{"a": 1}, {"b": 3, "c": 1}, {"z": 1}, {}]
RANKED = [["x", "a", "y"], ["c", "y", "b"], ["a", "b", "c"], ["a"]]


@pytest.fixture
def gains() -> tuple[np.ndarray, np.ndarray]:
    return ranking.gains_of(RANKED, RELEVANT, 3), ranking.ideal_of(RELEVANT)


def test_gains_and_ideal(gains):
    gains_QK, ideal_QR = gains
    assert gains_QK.tolist() == [[0, 1, 0], [1, 0, 3], [0, 0, 0], [0, 0, 0]]
    assert ideal_QR.tolist() == [[1, 0], [3, 1], [1, 0], [0, 0]]


def test_hit(gains):
    np.testing.assert_array_equal(ranking.hit(*gains, 1), [0, 1, 0, np.nan])
    np.testing.assert_array_equal(ranking.hit(*gains, 2), [1, 1, 0, np.nan])


def test_recall(gains):
    np.testing.assert_array_equal(ranking.recall(*gains, 2), [1, 0.5, 0, np.nan])
    np.testing.assert_array_equal(ranking.recall(*gains, 3), [1, 1, 0, np.nan])


def test_reciprocal_rank(gains):
    np.testing.assert_array_equal(ranking.reciprocal_rank(*gains, 10), [0.5, 1, 0, np.nan])
    np.testing.assert_array_equal(ranking.reciprocal_rank(*gains, 1), [0, 1, 0, np.nan])


def test_first_relevant_rank(gains):
    np.testing.assert_array_equal(ranking.first_relevant_rank(gains[0]), [2, 1, np.nan, np.nan])
    assert np.isnan(ranking.first_relevant_rank(np.zeros((2, 0)))).all()


def test_average_precision(gains):
    np.testing.assert_allclose(ranking.average_precision(*gains, 100), [0.5, (1 + 2 / 3) / 2, 0, np.nan])
    np.testing.assert_allclose(ranking.average_precision(*gains, 1), [0, 0.5, 0, np.nan])


def test_ndcg_by_hand(gains):
    ideal = 3 + 1 / math.log2(3)
    np.testing.assert_allclose(
        ranking.ndcg(*gains, 10), [1 / math.log2(3), (1 + 3 / math.log2(4)) / ideal, 0, np.nan], rtol=1e-12
    )
    np.testing.assert_allclose(ranking.ndcg(*gains, 1), [0, 1 / 3, 0, np.nan], rtol=1e-12)


def test_against_scikit_learn():
    random = np.random.default_rng(3)
    grades_QP = random.choice([0, 0, 0, 1, 2, 3], size=(40, 30))
    grades_QP[:, 0] = 1
    scores_QP = random.permuted(np.tile(np.arange(30.0), (40, 1)), axis=1)
    order_QP = np.argsort(-scores_QP, axis=1)
    gains_QK = np.take_along_axis(grades_QP, order_QP, axis=1).astype(float)
    ideal_QR = grades_QP.astype(float)
    for k in (1, 5, 10, 30):
        expected = [ndcg_score(grades_QP[[q]], scores_QP[[q]], k=k) for q in range(40)]
        np.testing.assert_allclose(ranking.ndcg(gains_QK, ideal_QR, k), expected, rtol=1e-12)
    expected = [average_precision_score(grades_QP[q] > 0, scores_QP[q]) for q in range(40)]
    np.testing.assert_allclose(ranking.average_precision(gains_QK, ideal_QR, 100), expected, rtol=1e-12)


@pytest.mark.parametrize("function", [ranking.hit, ranking.recall, ranking.reciprocal_rank, ranking.ndcg])
def test_no_questions_and_a_k_of_zero(function):
    assert function(np.zeros((0, 5)), np.zeros((0, 1)), 3).shape == (0,)
    with pytest.raises(ValueError, match="k is 0"):
        function(np.zeros((1, 5)), np.ones((1, 1)), 0)


def test_mean_leaves_out_what_could_not_be_scored():
    mean = ranking.Mean("x")
    assert mean({"x": np.array([1.0, np.nan, 0.0])}) == 0.5
    assert math.isnan(mean({"x": np.array([np.nan])}))
    assert math.isnan(mean({"x": np.array([])}))
