"""Parts that share no document; with few documents, sections of them with a gap between."""

from collections import Counter
from itertools import pairwise

import pytest

from finetune_core.errors import DatasetError
from finetune_core.evaluation.splitting import MAX_VALIDATION, cut
from finetune_core.records import Corpus, Passage, QueryPassages, SplitName

TRAIN, VALIDATION, TEST = SplitName
SHARES = {TRAIN: 0.7, VALIDATION: 0.1, TEST: 0.2}


def made(num_documents: int, num_passages: int, *, per_passage: int = 1) -> tuple[list[QueryPassages], Corpus]:
    """Documents d0, d1, … of passages d0-0, d0-1, …, each with questions."""
    passages = [
        Passage(f"d{document}-{place}", "text", f"d{document}")
        for document in range(num_documents)
        for place in range(num_passages)
    ]
    examples = [
        QueryPassages(f"{one.id}?{number}", "q", {one.id: 1}, one.document, reviewed=True)
        for one in passages
        for number in range(per_passage)
    ]
    return examples, Corpus(tuple(passages))


def test_no_document_is_in_two_parts_and_the_shares_are_kept() -> None:
    examples, corpus = made(40, 5)
    done = cut(examples, corpus, SHARES)
    groups = {name: {one.group for one in part} for name, part in done.parts.items()}
    assert not groups[TRAIN] & groups[TEST]
    assert not groups[TRAIN] & groups[VALIDATION]
    assert not groups[VALIDATION] & groups[TEST]
    assert {name: len(part) for name, part in done.parts.items()} == {TRAIN: 140, VALIDATION: 20, TEST: 40}
    assert done.num_groups == {TRAIN: 28, VALIDATION: 4, TEST: 8}
    assert (done.rule, done.left_out) == ("document", ())


def test_the_seed_decides_and_order_does_not() -> None:
    examples, corpus = made(40, 5)
    first, same, other = (cut(examples, corpus, SHARES, seed) for seed in (0, 0, 1))
    assert first == same
    assert {one.id for one in first.parts[TEST]} != {one.id for one in other.parts[TEST]}
    backwards = cut(examples[::-1], corpus, SHARES)
    assert {one.id for one in backwards.parts[TEST]} == {one.id for one in first.parts[TEST]}


def test_one_huge_document_trains_and_does_not_swallow_the_test() -> None:
    examples, corpus = made(11, 2)
    big = [QueryPassages(f"big{number}", "q", {"d0-0": 1}, "d0", reviewed=True) for number in range(200)]
    done = cut([*examples, *big], corpus, SHARES)
    assert all(one.group != "d0" for one in done.parts[TEST] + done.parts[VALIDATION])
    assert done.num_groups == {TRAIN: 3, VALIDATION: 3, TEST: 5}


def test_test_prefers_reviewed_pairs() -> None:
    examples, corpus = made(20, 2)
    mixed = [
        QueryPassages(one.id, one.query, one.relevant, one.group, reviewed=int(one.group[1:]) >= 14) for one in examples
    ]
    assert all(one.reviewed for one in cut(mixed, corpus, SHARES).parts[TEST])


def test_validation_takes_no_more_than_it_needs() -> None:
    examples, corpus = made(50, 2, per_passage=100)
    done = cut(examples, corpus, {TRAIN: 0.9, VALIDATION: 0.1})
    assert MAX_VALIDATION <= len(done.parts[VALIDATION]) <= MAX_VALIDATION * 1.25
    assert TEST not in done.parts


@pytest.mark.parametrize("seed", range(4))
def test_few_documents_become_sections_a_passage_apart(seed: int) -> None:
    examples, corpus = made(3, 20)
    done = cut(examples, corpus, SHARES, seed)
    assert done.rule == "section"
    place = {one.id: int(next(iter(one.relevant)).split("-")[1]) for one in examples}
    for document in ("d0", "d1", "d2"):
        of = {name: sorted(place[one.id] for one in part if one.group == document) for name, part in done.parts.items()}
        assert all(places == list(range(places[0], places[-1] + 1)) for places in of.values())  # contiguous
        ranges = sorted((places[0], places[-1]) for places in of.values())
        assert all(later[0] - earlier[1] == 2 for earlier, later in pairwise(ranges))
        assert len(of[TRAIN]) > len(of[TEST]) > len(of[VALIDATION]) > 0
    # Two gaps of one passage in each of three documents.
    assert len(done.left_out) == 6
    assert Counter(len(part) for part in done.parts.values()).total() == 3
    assert sum(len(part) for part in done.parts.values()) + 6 == 60


def test_sections_hold_however_unevenly_the_pairs_lie() -> None:
    _, corpus = made(1, 8)
    crowded = [QueryPassages(f"q{number}", "q", {"d0-0": 1}, "d0") for number in range(90)]
    thin = [QueryPassages(f"p{place}", "q", {f"d0-{place}": 1}, "d0") for place in range(1, 8)]
    done = cut([*crowded, *thin], corpus, SHARES)
    assert all(done.parts.values())


def test_few_documents_too_short_for_sections_are_dealt_out_whole() -> None:
    examples, corpus = made(6, 2, per_passage=2)
    done = cut(examples, corpus, SHARES)
    assert (done.rule, done.left_out) == ("document", ())
    assert done.num_groups == {TRAIN: 4, VALIDATION: 1, TEST: 1}


def test_too_little_is_said() -> None:
    examples, corpus = made(2, 2)
    with pytest.raises(DatasetError, match="4 pairs over 2 documents: too few to leave one for validation") as caught:
        cut(examples, corpus, SHARES)
    assert "10 documents" in caught.value.hint
