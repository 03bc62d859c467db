"""The first passages in a new order, the others as they were."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from finetune_core.evaluation.reranking import RerankedRetriever
from finetune_core.evaluation.retrieval import Ranking
from finetune_core.records import Corpus, Passage
from tests.training_fixtures import RecordedRun

CORPUS = Corpus(tuple(Passage(name, f"text of {name}", name, "") for name in "abcd"))


class Retrieved:
    name = "found"

    def rank(self, queries: Sequence[str], corpus: Corpus, k: int, run: object) -> Ranking:
        return Ranking((tuple("abcd")[:k],) * len(queries), ((0.9, 0.8, 0.5, 0.4)[:k],) * len(queries), 0.5)


class Scored:
    """Likes passages late in the alphabet, and says that a pair takes a tenth of a second."""

    fingerprint = "scored"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, query: str, passages: Sequence[str], checkpoint: object = None) -> np.ndarray:
        self.asked += passages
        return np.array([ord(text[-1]) - ord("a") for text in passages], np.float32)

    def pair_seconds(self, query: str, passages: Sequence[str]) -> float:
        return 0.1


def test_only_the_first_are_reordered_and_the_time_of_both_stages_counts(tmp_path: Path) -> None:
    reranker = Scored()
    found = RerankedRetriever("tuned", Retrieved(), reranker, depth=3).rank(["q"], CORPUS, 4, RecordedRun(tmp_path))
    assert found.ids == (("c", "b", "a", "d"),)
    assert found.scores == ((2.0, 1.0, 0.0, -0.1),)  # d lies 0.1 below c before, and so below the last one now
    assert found.seconds == pytest.approx(0.5 + 3 * 0.1)
    assert reranker.asked == ["text of a", "text of b", "text of c"]


@pytest.mark.parametrize(("weight", "order"), [(0.0, "cba"), (9.0, "bac"), (100.0, "abc")])
def test_the_retrievers_score_is_mixed_in_by_its_weight(weight: float, order: str, tmp_path: Path) -> None:
    # With 9: a 0 + 8.1, b 1 + 7.2 = 8.2, c 2 + 4.5 = 6.5.
    system = RerankedRetriever("tuned", Retrieved(), Scored(), 3, weight)
    assert system.rank(["q"], CORPUS, 3, RecordedRun(tmp_path)).ids == (tuple(order),)
    assert system.fingerprint != RerankedRetriever("tuned", Retrieved(), Scored(), 3, weight + 1).fingerprint


def test_no_question_takes_no_time(tmp_path: Path) -> None:
    found = RerankedRetriever("tuned", Retrieved(), Scored(), 3).rank([], CORPUS, 3, RecordedRun(tmp_path))
    assert found.ids == ()
