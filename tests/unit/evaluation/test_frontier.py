"""Which system is worth its cost, on reports one can check by hand."""

import numpy as np
import pytest

from finetune_core.evaluation.frontier import Point, candidates, recommend
from finetune_core.metrics.ranking import Mean
from finetune_core.recipe import Report

NUM = 20


def point(name: str, *levels: float, ms: float | None = 1.0, num_groups: int = NUM, **facts) -> Point:
    """A system whose questions score `levels` by turns."""
    x = np.array([levels[i % len(levels)] for i in range(NUM)])
    ids = tuple(f"q{i}" for i in range(NUM))
    groups = tuple(f"d{i % num_groups}" for i in range(NUM))
    said = {} if ms is None else {"latency_ms": ms}
    report = Report(name, ids, groups, {"x": x}, (), said)
    return Point(name, name, report, float(x.mean()), **{"is_tuned": False, **facts})


def tuned(name: str, *levels: float, **facts) -> Point:
    return point(name, *levels, **{"is_tuned": True, "size_bytes": 1000, "recipe": "a", **facts})


def choice(*points: Point, margin: float = 0.01) -> str:
    found = recommend(points, Mean("x"), "X", margin)
    assert found is not None
    return found.choice


def test_a_gain_on_every_question_is_worth_tuning() -> None:
    found = recommend([point("base", 0.5), tuned("mine", 0.6)], Mean("x"), "X")
    assert found is not None
    assert (found.best, found.choice, found.is_tuning_worth_it) == ("mine", "mine", True)
    assert found.sentence == (
        "Take mine. It is the best, X 0.600, and these 20 questions show everything cheaper to be 0.01 or more behind."
    )


def test_a_gain_smaller_than_the_margin_is_not() -> None:
    # Every question gains 0.008, so the interval is that one number: 0.008 behind is less than 0.01.
    found = recommend([point("base", 0.5), tuned("mine", 0.508)], Mean("x"), "X")
    assert found is not None
    assert (found.best, found.choice, found.is_tuning_worth_it) == ("mine", "base", False)
    assert found.interval.difference == pytest.approx(-0.008)
    assert found.sentence.startswith(
        "Do not tune: base is enough. mine scores highest, X 0.508, but 20 questions do not"
    )
    assert choice(point("base", 0.5), tuned("mine", 0.508), margin=0.005) == "mine"


def test_a_gain_that_these_questions_cannot_show_is_not() -> None:
    # On average 0.05 more, yet half of the questions lose 0.3: twenty of them cannot tell.
    assert choice(point("base", 0.5), tuned("mine", 0.9, 0.2)) == "base"


def test_hybrid_is_taken_before_anything_that_needs_training() -> None:
    systems = [point("bm25", 0.3), point("base", 0.5), point("hybrid", 0.6, ms=40.0), tuned("mine", 0.6)]
    assert choice(*systems) == "hybrid"


def test_of_equally_good_ones_the_faster_then_the_smaller() -> None:
    slow, fast = tuned("slow", 0.9, ms=80.0, size_bytes=1, recipe="b"), tuned("fast", 0.9, ms=12.0)
    assert choice(point("base", 0.1), slow, fast) == "fast"
    small = tuned("small", 0.9, ms=18.0, size_bytes=10, recipe="c")  # 12 and 18 ms are one step of 10 ms
    assert choice(point("base", 0.1), slow, fast, small) == "small"
    unmeasured = tuned("unmeasured", 0.9, ms=None, size_bytes=0, recipe="d")
    assert choice(point("base", 0.1), slow, unmeasured) == "slow"


def test_of_a_recipes_runs_validation_picks_not_the_test() -> None:
    lucky, sound = tuned("lucky", 0.9, validation=0.4), tuned("sound", 0.7, validation=0.5)
    other = tuned("other", 0.6, recipe="b")
    assert [each.key for each in candidates([lucky, sound, other])] == ["sound", "other"]
    assert choice(point("base", 0.1), lucky, sound, other) == "sound"
    unknown = tuned("unknown", 0.3)
    assert [each.key for each in candidates([lucky, sound, unknown])] == ["lucky", "sound", "unknown"]


def test_a_further_use_of_a_model_is_never_recommended() -> None:
    further = tuned("top 5", 0.9, ms=0.1, is_further_use=True)
    assert choice(point("base", 0.1), tuned("mine", 0.8, validation=0.2), further) == "mine"


def test_one_document_shows_nothing() -> None:
    found = recommend([point("base", 0.5, num_groups=1), tuned("mine", 0.9, num_groups=1)], Mean("x"), "X")
    assert found is not None
    assert found.choice == "base"
    assert "belong to one document" in found.sentence


def test_nothing_scored_recommends_nothing() -> None:
    assert recommend([Point("base", "base", point("base", 0.5).report, None, False)], Mean("x"), "X") is None
