"""Base against tuned on foreign questions, and when questions are foreign at all."""

import math

import numpy as np
import pytest

from finetune_core.evaluation.out_of_domain import ForeignSet, caveat_of, contrast, num_shared
from finetune_core.evaluation.verdict import Outcome
from finetune_core.metrics.bootstrap import paired_interval
from finetune_core.metrics.ranking import Mean
from finetune_core.recipe import Report
from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName

METRIC = Mean("ndcg@10")


def foreign(num: int) -> ForeignSet:
    examples = tuple(QueryPassages(f"q{i}", f"Question {i}?", {f"p{i}": 1}, f"d{i // 2}") for i in range(num))
    corpus = Corpus(tuple(Passage(f"p{i}", f"Passage {i}.", f"d{i // 2}") for i in range(num)))
    return ForeignSet("Far away", Part(SplitName.TEST, examples, corpus))


def report(values: list[float], ranks: list[int | None]) -> Report:
    ids = tuple(f"q{i}" for i in range(len(values)))
    details = tuple({"rank": rank} for rank in ranks)
    return Report("s", ids, tuple(f"d{i // 2}" for i in range(len(values))), {METRIC.column: np.array(values)}, details)


def test_a_loss_is_said_with_its_numbers_and_what_lost_most() -> None:
    before = report([1.0] * 40, [1] * 40)
    after = report([0.5, 0.75] * 20, [3, None] + [1] * 38)
    found = contrast(before, after, METRIC, "nDCG@10", foreign(40))
    interval = paired_interval(before.columns, after.columns, before.groups, METRIC)
    assert (found["outcome"], found["before"], found["after"]) == (Outcome.WORSE, 1.0, 0.625)
    assert found["interval"]["difference"] == interval.difference == -0.375
    # Every document lost 0.375 on average, so that no draw of documents can come out otherwise.
    assert (found["interval"]["low"], found["interval"]["high"]) == (-0.375, -0.375)
    assert found["sentence"] == (
        "On questions it was not tuned for (Far away, 40 questions): nDCG@10 1.000 → 0.625 (−0.375, 95% interval −0.375 to "
        "−0.375)."
    )
    assert found["lost"] == [
        {"query": "Question 1?", "before": 1, "after": None},
        {"query": "Question 0?", "before": 1, "after": 3},
    ]
    assert caveat_of(found, Outcome.BETTER) == f"It pays for the gain elsewhere. {found['sentence']}"
    assert caveat_of(found, Outcome.NO_DIFFERENCE).startswith("It lost elsewhere. On questions")


def test_no_loss_is_no_caveat_and_unscored_questions_are_left_out() -> None:
    before = report([0.5, math.nan, 0.2, 0.9, 0.4, 0.6], [2] * 6)
    after = report([0.6, 0.1, 0.1, 0.9, math.nan, 0.5], [2] * 6)
    found = contrast(before, after, METRIC, "nDCG@10", foreign(6))
    assert found["outcome"] == Outcome.NO_DIFFERENCE
    assert found["before"] == pytest.approx((0.5 + 0.2 + 0.9 + 0.6) / 4)
    assert found["after"] == pytest.approx((0.6 + 0.1 + 0.9 + 0.5) / 4)
    assert "4 questions" in found["sentence"]
    assert found["lost"] == []
    assert caveat_of(found, Outcome.BETTER) == ""
    assert caveat_of({"note": "Not scored."}, Outcome.BETTER) == ""


def test_one_document_or_nothing_scored_has_no_interval() -> None:
    two = report([0.5, 0.5], [2, 2])
    found = contrast(two, report([0.4, 0.4], [3, 3]), METRIC, "nDCG@10", foreign(2))
    assert found["outcome"] == Outcome.NO_DIFFERENCE
    assert found["interval"]["low"] is None
    assert "one document, so there is no interval" in found["sentence"]
    nothing = contrast(report([math.nan] * 2, [None] * 2), two, METRIC, "nDCG@10", foreign(2))
    assert (nothing["outcome"], nothing["before"]) == (Outcome.NOT_SCORED, None)
    assert "nothing can be said" in nothing["sentence"]


FIRST = "The pump is locked on Mondays, when the well is left to recover."
SECOND = "Hoses are allowed only before nine in the morning during a dry spell."
THIRD = "Rain barrels stand at the end of every second row of the garden."


def test_the_same_text_is_known_however_it_was_cut_and_named() -> None:
    whole = Part(SplitName.TEST, (), Corpus((Passage("a", f"{FIRST} {SECOND}", "x"), Passage("b", THIRD, "y"))))
    cut_anew = Corpus((Passage("0", f"of the row. {FIRST}", "0"), Passage("1", f"{SECOND.upper()}\nSee below.", "1")))
    assert num_shared(whole, [cut_anew]) == 1
    assert num_shared(whole, [whole.corpus]) == 2
    assert num_shared(whole, [Corpus((Passage("a", "See below.", "x"),))]) == 0, "equal ids are no equal texts"
    assert num_shared(whole, []) == 0
