"""Plain sentences that say what the numbers allow, and no more."""

import math

import pytest

from finetune_core.evaluation.verdict import (
    Contrast,
    Outcome,
    caveats_of,
    judge,
    leakage_of,
    outcome_of,
    sentence_of,
    signed,
)
from finetune_core.metrics.bootstrap import Interval


def interval(low: float, high: float, p_value: float = 0.001, num_rows: int = 431, num_groups: int = 57) -> Interval:
    return Interval((low + high) / 2, low, high, p_value, num_rows, num_groups)


def contrast(low: float, high: float, p_value: float = 0.001, validation: float | None = None) -> Contrast:
    return Contrast("run", 0.5, 0.5 + (low + high) / 2, interval(low, high, p_value), validation)


@pytest.mark.parametrize(
    ("low", "high", "p_value", "outcome"),
    [
        (0.01, 0.05, 0.001, Outcome.BETTER),
        (-0.05, -0.01, 0.001, Outcome.WORSE),
        (-0.01, 0.05, 0.2, Outcome.NO_DIFFERENCE),
        (0.0, 0.05, 0.05, Outcome.NO_DIFFERENCE),
        (0.01, 0.05, 0.06, Outcome.NO_DIFFERENCE),  # Holm took it away
    ],
)
def test_outcome(low, high, p_value, outcome):
    assert outcome_of(interval(low, high, p_value), p_value) is outcome


def test_sentences():
    better = judge([contrast(0.12, 0.18)], "nDCG@10").verdicts[0]
    assert better.sentence == (
        "Tuning made it better: nDCG@10 went from 0.500 to 0.650 on 431 questions; "
        "the true change lies between +0.120 and +0.180 (95% interval)."
    )
    worse = judge([contrast(-0.18, -0.12)], "nDCG@10").verdicts[0]
    assert worse.outcome is Outcome.WORSE
    assert worse.sentence.endswith("(95% interval). Keep the model you started from.")
    level = judge([contrast(-0.02, 0.04, 0.4)], "nDCG@10").verdicts[0]
    assert level.sentence.startswith("No difference that 431 questions could show: nDCG@10 went from 0.500 to 0.510")
    assert "between −0.020 and +0.040" in level.sentence


def test_one_document_or_nothing_scored():
    alone = Contrast("run", 0.5, 0.9, Interval(0.4, -math.inf, math.inf, 1.0, 12, 1))
    assert "all of them belong to one document" in judge([alone], "nDCG@10").verdicts[0].sentence
    nothing = Contrast("run", math.nan, math.nan, Interval(math.nan, -math.inf, math.inf, 1.0, 0, 0))
    assert judge([nothing], "nDCG@10").verdicts[0].outcome is Outcome.NOT_SCORED
    with pytest.raises(ValueError, match="nothing to judge"):
        judge([], "nDCG@10")


def test_the_candidate_is_picked_on_validation_not_on_test():
    judgement = judge([contrast(0.2, 0.3, 0.001, validation=0.6), contrast(0.01, 0.05, 0.03, validation=0.7)], "m")
    assert judgement.candidate == 1
    assert [verdict.outcome for verdict in judgement.verdicts] == [Outcome.BETTER, Outcome.BETTER]
    assert [verdict.is_exploratory for verdict in judgement.verdicts] == [True, False]
    assert judgement.verdicts[1].p_value == 0.03


def test_without_validation_values_the_p_values_are_corrected():
    judgement = judge([contrast(0.01, 0.05, 0.03), contrast(0.01, 0.05, 0.04, validation=0.7)], "m")
    assert [verdict.p_value for verdict in judgement.verdicts] == [0.06, 0.06]
    assert {verdict.outcome for verdict in judgement.verdicts} == {Outcome.NO_DIFFERENCE}
    assert all(verdict.is_corrected and not verdict.is_exploratory for verdict in judgement.verdicts)


def test_caveats():
    assert caveats_of(interval(0.1, 0.2)) == ()
    said = caveats_of(
        interval(0.1, 0.2, num_groups=4),
        num_never_reviewed=116,
        num_pairs=800,
        num_candidates=2,
        is_corrected=True,
        num_failed=1,
        num_missing=2,
        floor=("BM25", interval(-0.3, -0.1)),
    )
    assert said == (
        "BM25, which needs no tuning, scores higher still.",
        "The questions come from only 4 groups that stand on their own, such as documents, so the interval is rough.",
        "116 of 800 question/passage pairs in this dataset were never reviewed by a person.",
        "2 right passages could not be found by anyone: not in the corpus searched.",
        "1 question could not be scored and was left out.",
        "2 runs compete; the evidence was corrected for that (Holm).",
    )
    assert "cut into sections" in caveats_of(interval(0.1, 0.2, num_groups=40), is_split_by_section=True)[0]
    assert "level with it" in caveats_of(interval(0.1, 0.2), floor=("BM25", interval(-0.3, 0.1)))[0]
    assert caveats_of(interval(0.1, 0.2), floor=("BM25", interval(0.1, 0.3))) == ()
    assert "Do not rely" in caveats_of(interval(0.1, 0.2), num_leaking=3)[0]


def test_leakage_counts_shared_questions_and_shared_documents():
    assert leakage_of([("q1", "d1"), ("q2", "d2"), ("q3", "d3")], {"q1": "d9", "q8": "d2"}) == 2
    assert leakage_of([("q1", "d1")], {}) == 0


def test_signed():
    assert [signed(value) for value in (0.0123, -0.0123, 0.0, -0.0001)] == ["+0.012", "−0.012", "0.000", "0.000"]


def test_sentence_of_is_total():
    for outcome in Outcome:
        assert sentence_of(contrast(0.1, 0.2), "m", outcome).endswith(".")


def test_a_reranker_that_does_not_win_is_advised_against():
    assert caveats_of(interval(-0.01, 0.03), reranking_ms=1234.4) == (
        "Do not use this reranker: it adds 1,234 ms to every question, and these questions do not show that its order is "
        "better than that of the retriever alone.",
    )
    assert caveats_of(interval(0.01, 0.03), reranking_ms=1234.4) == ()
    assert caveats_of(interval(-0.01, 0.03)) == ()
