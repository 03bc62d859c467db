"""The summary of a comparison as JSON, from reports one can check by hand."""

import json

import numpy as np
import pytest

from finetune_core.evaluation.side_by_side import Circumstances, Entry, Measures, compare
from finetune_core.metrics.bootstrap import paired_interval
from finetune_core.metrics.ranking import Mean
from finetune_core.recipe import Report

MEASURES = Measures({"x": Mean("x"), "y": Mean("y")}, headline="x", titles={"x": "X", "y": "Y"})
NUM = 40


def report(name: str, level: float, *, missing: int = 0) -> Report:
    random = np.random.default_rng(0)
    x = np.clip(level + random.normal(0, 0.1, NUM), 0, 1)
    x[:missing] = np.nan
    ids = tuple(f"q{i}" for i in range(NUM))
    groups = tuple(f"d{i // 2}" for i in range(NUM))
    facts = {"num_searched": 99, "num_missing": 0, "latency_ms": 1.5}
    return Report(name, ids, groups, {"x": x, "y": np.full(NUM, np.nan)}, (), facts)


def entries(tuned_level: float, *, missing: int = 0, validation: float | None = None) -> list[Entry]:
    return [
        Entry("bm25", "BM25", "floor", report("BM25", 0.9)),
        Entry("base", "base", "base", report("base", 0.5)),
        Entry(
            "t",
            "mine",
            "tuned",
            report("tuned", tuned_level, missing=missing),
            "base",
            "run",
            "model",
            validation,
            beside=("bm25",),
        ),
    ]


def test_values_differences_and_verdict() -> None:
    found = compare(entries(0.6), MEASURES, Circumstances(num_never_reviewed=3, num_pairs=50))
    json.dumps(found, allow_nan=False)
    assert found["frontier"]["best"] == "bm25"
    assert found["frontier"]["sentence"].startswith("Do not tune: BM25 is enough.")
    assert (found["num_questions"], found["num_groups"], found["num_searched"]) == (40, 20, 99)
    difference = found["differences"][0]
    assert difference["metrics"]["x"]["difference"] == pytest.approx(0.1, abs=0.01)
    assert difference["after"] - difference["before"] == pytest.approx(difference["metrics"]["x"]["difference"])
    above = entries(0.6)[0].report
    expected = paired_interval(above.columns, report("tuned", 0.6).columns, above.groups, MEASURES.metrics["x"])
    assert difference["floors"]["bm25"]["low"] == expected.low
    assert difference["floors"]["bm25"]["difference"] == pytest.approx(expected.difference)
    assert found["verdict"]["outcome"] == "better"
    assert found["verdict"]["system"] == "t"
    assert found["verdict"]["caveats"] == [
        "BM25, which needs no tuning, scores higher still.",
        "3 of 50 question/passage pairs in this dataset were never reviewed by a person.",
    ]


def test_a_metric_that_failed_everywhere_is_null_not_zero() -> None:
    found = compare(entries(0.6), MEASURES, Circumstances())
    assert found["systems"][0]["metrics"]["y"] == {"value": None, "low": None, "high": None, "num_failed": NUM}
    assert found["differences"][0]["metrics"]["y"]["num_rows"] == 0


def test_before_and_after_are_over_the_rows_scored_in_both() -> None:
    found = compare(entries(0.6, missing=5), MEASURES, Circumstances())
    difference = found["differences"][0]
    assert difference["before"] == pytest.approx(np.mean(report("base", 0.5).columns["x"][5:]))
    assert difference["metrics"]["x"]["num_rows"] == 35
    assert "5 questions could not be scored and were left out." in found["verdict"]["caveats"]


def test_the_candidate_is_the_one_that_validated_best() -> None:
    second = Entry("u", "other", "tuned", report("tuned", 0.9), "base", "run2", "model2", 0.3)
    found = compare([*entries(0.6, validation=0.4), second], MEASURES, Circumstances())
    assert found["verdict"]["system"] == "t"
    assert found["differences"][1]["verdict"]["is_exploratory"]


def test_reports_must_be_of_the_same_examples() -> None:
    wrong = entries(0.6)
    other = Report("x", ("z",) * NUM, wrong[1].report.groups, wrong[1].report.columns)
    with pytest.raises(ValueError, match="same examples"):
        compare([wrong[0], Entry("base", "base", "base", other), wrong[2]], MEASURES, Circumstances())
