"""Which system is worth its cost, on reports one can check by hand; and that the verdict never says otherwise."""

import numpy as np
import pytest

from finetune_core.evaluation.frontier import Point, Recommendation, candidates, recommend
from finetune_core.evaluation.side_by_side import Circumstances, Entry, Measures, compare
from finetune_core.evaluation.verdict import Outcome
from finetune_core.metrics.ranking import Mean
from finetune_core.recipe import Report

NUM = 20


def report(name: str, values: np.ndarray, num_groups: int, ms: float | None = 1.0) -> Report:
    ids = tuple(f"q{i}" for i in range(len(values)))
    groups = tuple(f"d{i % num_groups}" for i in range(len(values)))
    return Report(name, ids, groups, {"x": values}, (), {} if ms is None else {"latency_ms": ms})


def point(name: str, *levels: float, ms: float | None = 1.0, num_groups: int = NUM, **facts) -> Point:
    """A system whose questions score `levels` by turns."""
    x = np.array([levels[i % len(levels)] for i in range(NUM)])
    return Point(name, name, report(name, x, num_groups, ms), float(x.mean()), **facts)


def tuned(name: str, *levels: float, **facts) -> Point:
    return point(name, *levels, **{"outcome": Outcome.BETTER, "size_bytes": 1000, "recipe": "a", **facts})


def recommended(*points: Point, margin: float = 0.01) -> Recommendation:
    found = recommend(points, "base", Mean("x"), "X", margin)
    assert found is not None
    return found


def choice(*points: Point, margin: float = 0.01) -> str:
    return recommended(*points, margin=margin).choice


def test_a_gain_on_every_question_is_worth_tuning() -> None:
    found = recommended(point("base", 0.5), tuned("mine", 0.6))
    assert (found.best, found.choice, found.is_tuning_worth_it, found.is_settled) == ("mine", "mine", True, True)
    assert found.sentence == (
        "Take mine: X 0.600. 20 questions show it to be better than base (0.500). Nothing cheaper is shown to be as good."
    )


def test_a_gain_shown_to_be_smaller_than_the_margin_is_not() -> None:
    # Every question gains 0.008, so the interval is that one number.
    found = recommended(point("base", 0.5), tuned("mine", 0.508))
    assert (found.best, found.choice, found.is_tuning_worth_it, found.is_settled) == ("mine", "base", False, True)
    assert found.interval.difference == pytest.approx(-0.008)
    assert found.sentence == (
        "Do not tune: base is enough. mine is better than the model it started from, but shown to be less than 0.01 ahead "
        "of base."
    )
    assert choice(point("base", 0.5), tuned("mine", 0.508), margin=0.005) == "mine"


def test_a_gain_that_may_be_small_or_large_but_is_one_is_worth_tuning() -> None:
    # Half of the questions gain nothing: the interval reaches from a little above zero to beyond the margin.
    assert choice(point("base", 0.5), tuned("mine", 0.5, 0.515)) == "mine"


def test_a_gain_that_these_questions_cannot_show_is_left_open() -> None:
    # On average 0.05 more, yet half of the questions lose 0.3: twenty of them cannot tell.
    found = recommended(point("base", 0.5), tuned("mine", 0.9, 0.2, outcome=Outcome.NO_DIFFERENCE))
    assert (found.choice, found.is_settled) == ("base", False)
    assert found.sentence.startswith(
        "Do not tune yet: 20 questions do not show that tuning helps. mine may be up to +0."
    )


def test_that_nothing_is_gained_can_be_shown() -> None:
    found = recommended(point("base", 0.5), tuned("mine", 0.5, outcome=Outcome.NO_DIFFERENCE))
    assert (found.choice, found.is_settled) == ("base", True)
    assert found.sentence == (
        "Do not tune: base is enough. 20 questions show that no tuned model is 0.01 or more better."
    )


def test_few_questions_recommend_no_change_at_all() -> None:
    # Word search scores higher, and is cheaper, but twenty questions do not show that it is no worse.
    assert choice(point("bm25", 0.9, 0.2, ms=0.1), point("base", 0.5)) == "base"
    assert choice(point("bm25", 0.495, ms=0.1), point("base", 0.5, ms=30.0)) == "bm25"
    assert choice(point("bm25", 0.495, ms=30.0), point("base", 0.5, ms=30.0)) == "base", "it saves nothing"


def test_hybrid_is_taken_before_anything_that_needs_training() -> None:
    systems = [point("bm25", 0.3), point("base", 0.5), point("hybrid", 0.6, ms=40.0), tuned("mine", 0.6)]
    found = recommended(*systems)
    assert found.choice == "hybrid"
    assert found.sentence.endswith("shown to be less than 0.01 ahead of hybrid.")
    noisy = recommended(*systems[:3], tuned("mine", 0.9, 0.4))
    assert noisy.choice == "hybrid"
    assert noisy.sentence.endswith("but 20 questions do not show it to be better than hybrid.")


def test_of_equally_good_ones_the_faster_then_the_smaller() -> None:
    slow, fast = tuned("slow", 0.9, ms=80.0, size_bytes=1, recipe="b"), tuned("fast", 0.9, ms=12.0, size_bytes=10**8)
    assert choice(point("base", 0.1), slow, fast) == "fast"
    small = tuned("small", 0.9, ms=18.0, size_bytes=10, recipe="c")  # 12 and 18 ms are one step of 10 ms
    assert choice(point("base", 0.1), slow, fast, small) == "small"
    alike = tuned("alike", 0.93, ms=18.0, size_bytes=20, recipe="d")
    assert choice(point("base", 0.1), small, alike) == "alike", "a few bytes are no cost"
    unmeasured = tuned("unmeasured", 0.9, ms=None, size_bytes=0, recipe="d")
    assert choice(point("base", 0.1), slow, unmeasured) == "slow"


def test_a_dear_system_has_to_show_that_it_is_better_than_the_cheap_one() -> None:
    adapter = tuned("adapter", 0.7, ms=12.0)
    assert choice(point("base", 0.5), adapter, tuned("reranker", 0.9, 0.6, ms=900.0, recipe="b")) == "adapter"
    found = recommended(point("base", 0.5), adapter, tuned("reranker", 0.9, 0.6, ms=900.0, recipe="b"))
    assert found.sentence.endswith(
        "reranker scores 0.750, but these questions do not show that it is worth taking instead."
    )
    assert choice(point("base", 0.5), adapter, tuned("reranker", 0.8, ms=900.0, recipe="b")) == "reranker"


def test_of_a_recipes_runs_validation_picks_not_the_test() -> None:
    lucky, sound = tuned("lucky", 0.9, validation=0.4), tuned("sound", 0.7, validation=0.5)
    other = tuned("other", 0.6, recipe="b")
    assert [each.key for each in candidates([lucky, sound, other])] == ["sound", "other"]
    assert choice(point("base", 0.1), lucky, sound, other) == "sound"
    unknown = tuned("unknown", 0.3)
    assert [each.key for each in candidates([lucky, sound, unknown])] == ["lucky", "sound", "unknown"]


def test_a_further_use_of_a_model_is_never_recommended() -> None:
    further = point("top 5", 0.9, ms=0.1, is_further_use=True, recipe="a")
    assert choice(point("base", 0.1), tuned("mine", 0.8, validation=0.2), further) == "mine"


def test_one_document_shows_nothing() -> None:
    found = recommended(
        point("base", 0.5, num_groups=1), tuned("mine", 0.9, num_groups=1, outcome=Outcome.NO_DIFFERENCE)
    )
    assert (found.choice, found.is_settled) == ("base", False)
    assert found.sentence == (
        "Do not tune yet: all 20 questions belong to one document, which cannot show a gain on others."
    )


def test_nothing_scored_recommends_nothing() -> None:
    base = Point("base", "base", point("base", 0.5).report, None)
    assert recommend([base, tuned("mine", 0.5)], "base", Mean("x"), "X") is None


@pytest.mark.parametrize("seed", range(60))
def test_recommendation_and_verdict_never_contradict(seed: int) -> None:
    """Random comparisons of a few questions or many, of one recipe or several, with gains, losses and noise."""
    random = np.random.default_rng(seed)
    num, num_groups = int(random.choice([4, 12, 40, 200])), int(random.choice([1, 3, 12]))
    truth = random.uniform(0, 1, num)

    def scored(name: str, gain: float, ms: float) -> Report:
        values = np.clip(truth + gain + random.normal(0, random.choice([0.0, 0.02, 0.2]), num), 0, 1)
        return report(name, values, num_groups, ms)

    entries = [
        Entry("bm25", "BM25", "floor", scored("bm25", random.choice([-0.2, 0.0, 0.05]), 0.5)),
        Entry("hybrid", "hybrid", "floor", scored("hybrid", random.choice([-0.1, 0.0, 0.1]), 21.0)),
        Entry("base", "base", "base", scored("base", 0.0, 20.0)),
    ]
    is_one_recipe = bool(random.integers(2))
    for number in range(int(random.integers(1, 4))):
        name = f"run{number}"
        gain, ms = random.choice([-0.1, 0.0, 0.004, 0.03, 0.15]), random.choice([20.0, 20.0, 600.0])
        validation = float(random.uniform()) if random.integers(2) else None
        recipe = "a" if is_one_recipe else f"recipe{number}"
        entries.append(
            Entry(name, name, "tuned", scored(name, gain, ms), "base", name, name, validation, recipe=recipe)
        )
    found = compare(entries, Measures({"x": Mean("x")}, "x", {"x": "X"}), Circumstances())
    verdict, sentence = found["verdict"], found["frontier"]["sentence"]
    chosen = {system["key"]: system for system in found["systems"]}[found["frontier"]["choice"]]
    if chosen["role"] == "tuned":
        assert sentence.startswith(f"Take {chosen['name']}")
        assert (verdict["system"], verdict["outcome"]) == (chosen["key"], "better")
    else:
        assert sentence.startswith("Do not tune")
        if verdict["outcome"] == "better" and not verdict["is_exploratory"]:
            assert "better than the model it started from, but" in sentence
        if verdict["outcome"] == "no_difference" and "yet" not in sentence and "started from" not in sentence:
            assert "show that no tuned model is" in sentence
        if found["frontier"]["choice"] != "base":
            assert num_groups > 1, "one document changes nothing"
