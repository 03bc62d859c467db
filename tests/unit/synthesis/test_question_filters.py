"""Filters on hand-made questions whose verdict is plain."""

import numpy as np
import pytest

from finetune_core.corpus.near_duplicates import find_near_duplicates
from finetune_core.synthesis import question_filters
from finetune_core.synthesis.question_filters import FILTERS, Candidate

PASSAGE = "You must wash your hands for at least twenty seconds before you enter the kitchen of the school."


def candidate(question: str, evidence: str = "", group: str = "doc", passage: str = PASSAGE) -> Candidate:
    return Candidate(question, passage, evidence, group)


@pytest.mark.parametrize(
    "question",
    [
        "How long should I wash my hands?",
        "hand washing kitchen school",
        "Mutfağa girmeden önce ellerimi ne kadar yıkamalıyım?",
        "洗手需要多长时间?",
        "Is the C++ standard library allowed here?",
        "What should I do if I cannot get to work?",
    ],
)
def test_questions_and_searches_pass(question: str) -> None:
    (outcome,) = question_filters.form([candidate(question)])
    assert outcome.passed, outcome.detail


@pytest.mark.parametrize(
    ("question", "detail"),
    [
        ("Why?", "too short"),
        ("Sure, here is a question: how long?", "chatter"),
        ("What does the passage say about hands?", "chatter"),
        ("According to the text, how long do I wash?", "chatter"),
        ("Question 1: how long should I wash my hands?", "chatter"),
        ("How long {passage} should I wash?", "markup"),
        ("When to apply, and when to apply, and when to apply, and?", "again"),
        ("What should I do if I need to wash hands related to?", "cut off"),
        ("How? What? When? Where do I wash my hands?", "several"),
        ("what " * 60, "too long"),
        ("12 34 --- 56 78 ???", "letters"),
    ],
)
def test_what_is_no_question_is_named(question: str, detail: str) -> None:
    (outcome,) = question_filters.form([candidate(question)])
    assert not outcome.passed
    assert detail in outcome.detail


def test_evidence_has_to_stand_in_the_passage() -> None:
    outcomes = question_filters.evidence(
        [candidate("q", "at least twenty seconds"), candidate("q", "thirty seconds"), candidate("q")]
    )
    assert [outcome.passed for outcome in outcomes] == [True, False, False]


def test_the_share_of_copied_words_is_counted_in_one_run() -> None:
    copied, asked = question_filters.too_close(
        [
            candidate("Must you wash your hands for at least twenty seconds before?"),
            candidate("How long do children clean their hands before cooking?"),
        ]
    )
    # "wash your hands for at least twenty seconds before": 9 of 11 words in one run
    assert (copied.passed, copied.score) == (False, round(9 / 11, 3))
    assert asked.passed
    assert asked.score == pytest.approx(1 / 9, abs=1e-3)


def test_of_equal_and_nearly_equal_questions_the_first_stays() -> None:
    questions = [
        candidate("How long should I wash my hands?", group="a"),
        candidate("how long should I wash my hands", group="b"),
        candidate("How long should I wash my hands for?", group="a"),
        candidate("Who opens the kitchen of the school?", group="a"),
    ]
    outcomes = question_filters.duplicate(questions, find_near_duplicates)
    assert [outcome.passed for outcome in outcomes] == [True, False, False, True]
    assert "How long should I wash my hands?" in outcomes[2].detail
    assert question_filters.duplicate([], find_near_duplicates) == []


def unit(*rows: tuple[float, float]) -> np.ndarray:
    found = np.array(rows, dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_ranks_agree_with_a_plain_loop_and_leave_twins_out() -> None:
    generator = np.random.default_rng(0)
    query_QD = generator.normal(size=(700, 8)).astype(np.float32)
    passage_PD = generator.normal(size=(40, 8)).astype(np.float32)
    query_QD /= np.linalg.norm(query_QD, axis=1, keepdims=True)
    passage_PD /= np.linalg.norm(passage_PD, axis=1, keepdims=True)
    own = generator.integers(0, 40, 700)
    twins = np.arange(40)
    twins[7] = 3
    near = question_filters.neighbours(query_QD, passage_PD, own, twins, lambda: None)
    for query in range(700):
        scores = [float(query_QD[query] @ passage_PD[place]) for place in range(40)]
        others = [place for place in range(40) if twins[place] != twins[own[query]]]
        assert near.ranks[query] == 1 + sum(scores[place] > scores[own[query]] for place in others)
        assert abs(near.nums_as_near[query] - sum(scores[p] >= scores[own[query]] - 0.02 for p in others)) <= 1


def test_round_trip_asks_for_the_own_chunk_among_the_first() -> None:
    near = question_filters.neighbours(
        unit((1, 0), (0, 1)), unit((1, 0.1), (1, 0.2), (0, 1)), np.array([1, 2]), np.arange(3), lambda: None
    )
    assert list(near.ranks) == [2, 1]
    assert [outcome.passed for outcome in question_filters.round_trip(near, k=1)] == [False, True]
    assert [outcome.passed for outcome in question_filters.round_trip(near, k=2)] == [True, True]


def test_ambiguous_needs_a_near_chunk_that_holds_the_evidence_too() -> None:
    passages = [PASSAGE, "In school: " + PASSAGE, "The kitchen of the school is green."]
    vectors = unit((1, 0.0), (1, 0.01), (1, 0.02))
    near = question_filters.neighbours(unit((1, 0), (1, 0)), vectors, np.array([0, 2]), np.arange(3), lambda: None)
    evidence = "wash your hands for at least twenty seconds"
    first, second = question_filters.ambiguous(
        [
            candidate("How long to wash?", evidence),
            candidate("What colour is it there?", "kitchen school green painted"),
        ],
        near,
        passages,
    )
    assert not first.passed
    assert "1 other chunk" in first.detail
    assert second.passed, "near, but without the evidence"


def test_every_filter_says_what_it_does() -> None:
    assert list(FILTERS) == ["form", "evidence", "too_close", "duplicate", "ambiguous", "round_trip"]
    assert "hard questions" in FILTERS["round_trip"].note
    assert [name for name, info in FILTERS.items() if not info.is_default] == ["ambiguous", "round_trip"]
