"""Samples grow without throwing anything away and are spread over documents."""

from collections import Counter

from finetune_core.records import Passage
from finetune_core.synthesis.sampling import spread_order, spread_sample

PASSAGES = [
    Passage(f"{document}-{part}", "text", document)
    for document, num in (("a", 8), ("b", 2), ("c", 5))
    for part in range(num)
]


def test_the_order_is_van_der_corputs() -> None:
    assert spread_order(8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert sorted(spread_order(5)) == [0, 1, 2, 3, 4]
    assert spread_order(0) == []


def test_documents_take_turns() -> None:
    assert Counter(passage.document for passage in spread_sample(PASSAGES, 6)) == {"a": 2, "b": 2, "c": 2}
    assert Counter(passage.document for passage in spread_sample(PASSAGES, 9)) == {"a": 4, "b": 2, "c": 3}


def test_a_larger_sample_starts_with_the_smaller() -> None:
    whole = spread_sample(PASSAGES, 0)
    assert len(whole) == len(set(whole)) == 15
    for num in range(1, 15):
        assert spread_sample(PASSAGES, num) == whole[:num]


def test_the_order_depends_on_the_seed_alone() -> None:
    assert spread_sample(PASSAGES, 0, seed=1) == spread_sample(PASSAGES, 0, seed=1)
    assert any(spread_sample(PASSAGES, 0, seed) != spread_sample(PASSAGES, 0) for seed in range(1, 6))
