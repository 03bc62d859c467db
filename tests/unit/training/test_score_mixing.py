"""The weight of the retriever's score beside the reranker's."""

import numpy as np
import pytest

from finetune_core.training.score_mixing import MAX_SHARE, mixing_weight

RNG = np.random.default_rng(0)


def drawn(of_scores: float, of_given: float, num_questions: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of both, and right passages drawn by the softmax of their sum: the weight that made them is known."""
    scores_QK, given_QK = RNG.normal(0, 3, (num_questions, 8)), RNG.normal(0.5, 0.1, (num_questions, 8))
    noise_QK = RNG.gumbel(size=scores_QK.shape)  # the greatest with such noise is a draw from the softmax
    chosen_Q = np.argmax(of_scores * scores_QK + of_given * given_QK + noise_QK, axis=1)
    return scores_QK, given_QK, np.eye(8)[chosen_Q]


@pytest.mark.parametrize(("of_scores", "of_given"), [(1.0, 20.0), (0.5, 5.0), (0.2, 30.0)])
def test_it_is_the_weight_that_made_the_right_passages_right(of_scores: float, of_given: float) -> None:
    assert mixing_weight(*drawn(of_scores, of_given)) == pytest.approx(of_given / of_scores, rel=0.2)


def test_a_reranker_that_knows_nothing_leaves_the_retrievers_order() -> None:
    _, given_QK, gains_QK = drawn(0.0, 30.0)
    scores_QK = -3 * gains_QK + RNG.normal(0, 0.1, gains_QK.shape)  # worse than nothing: right passages score lower
    weight = mixing_weight(scores_QK, given_QK, gains_QK)
    assert weight * given_QK.std() / scores_QK.std() == pytest.approx(MAX_SHARE, rel=0.1)
    assert (np.argmax(scores_QK + weight * given_QK, axis=1) == np.argmax(given_QK, axis=1)).mean() > 0.99


def test_a_retriever_that_knows_nothing_is_left_out() -> None:
    scores_QK, given_QK, gains_QK = drawn(1.0, 0.0)
    assert mixing_weight(scores_QK, -gains_QK + 0 * given_QK, gains_QK) == 0.0


def test_what_was_not_found_plays_no_part() -> None:
    scores_QK, given_QK, gains_QK = drawn(1.0, 20.0, 50)
    padding = np.full((50, 2), np.nan)
    padded = (np.hstack([scores_QK, padding]), np.hstack([given_QK, padding]), np.hstack([gains_QK, 0 * padding]))
    assert mixing_weight(*padded) == pytest.approx(mixing_weight(scores_QK, given_QK, gains_QK), rel=1e-3)


@pytest.mark.parametrize("gains", [[[0.0, 0.0]], [[1.0, 1.0]], np.zeros((0, 2))])
def test_without_a_right_and_a_wrong_passage_nothing_is_mixed(gains: list[list[float]]) -> None:
    gains_QK = np.array(gains).reshape(-1, 2)
    assert mixing_weight(np.zeros_like(gains_QK), np.ones_like(gains_QK), gains_QK) == 0.0


def test_right_passages_that_stand_first_by_both_give_a_finite_weight() -> None:
    scores_QK = np.array([[2.0, 1.0], [3.0, 1.0]])
    assert 0 < mixing_weight(scores_QK, scores_QK / 10, np.array([[1.0, 0.0], [1.0, 0.0]])) < 100
