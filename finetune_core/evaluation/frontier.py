"""What a gain costs: quality against time per question and size, and the cheapest system that is good enough.

The test questions say how good every system is; which of several runs of a recipe stands for it is chosen by the validation
questions where they were asked, so that the best of many lucky runs is not taken for the best model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_core.metrics.bootstrap import Interval, paired_interval
from finetune_core.recipe import Metric, Report
from finetune_core.wording import counted, signed

MARGIN = 0.01
"""A system is good enough unless the questions show it to be this far or farther behind the best, on the headline."""

NOTICEABLE_MS = 10.0
"""Times per question that fall into the same step of this length count as equal; the size decides then."""


@dataclass(frozen=True)
class Point:
    """One system: its quality on the headline (None where it could not be scored), and what it costs.

    `latency_ms` is the time per question as its report says it, None where it was not measured; `size_bytes` the size of
    the files that tuning made, 0 for an untuned system. `is_candidate` is False for runs that did worse on validation than
    another run of their recipe and for further uses of a model: they are drawn, and never recommended.
    """

    key: str
    name: str
    report: Report
    value: float | None
    is_tuned: bool
    size_bytes: int = 0
    recipe: str = ""
    validation: float | None = None
    is_further_use: bool = False

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds per question; None where they were not measured."""
        value = self.report.facts.get("latency_ms")
        return None if value is None else float(value)


@dataclass(frozen=True)
class Recommendation:
    """The cheapest system that is good enough, the best one, and the interval of the first minus the best.

    `best` and `choice` are keys. `sentence` says it in words.
    """

    best: str
    choice: str
    interval: Interval
    is_tuning_worth_it: bool
    sentence: str


def candidates(points: Sequence[Point]) -> list[Point]:
    """The systems that may be recommended, in order: all untuned ones, and of each recipe the run that validated best.

    Where a run of a recipe did not say what it reached on validation, all of that recipe's runs stay.
    """
    kept = []
    for point in points:
        if point.is_further_use:
            continue
        siblings = [
            other for other in points if other.is_tuned and other.recipe == point.recipe and not other.is_further_use
        ]
        values = [other.validation for other in siblings if other.validation is not None]
        is_all_known = point.is_tuned and len(values) == len(siblings)
        if not is_all_known or point is next(other for other in siblings if other.validation == max(values)):
            kept.append(point)
    return kept


def recommend(points: Sequence[Point], metric: Metric, title: str, margin: float = MARGIN) -> Recommendation | None:
    """Which system to take; None if no candidate could be scored.

    The best is the candidate with the highest value. Good enough is what the 95 % paired interval of its difference from
    the best does not show to be `margin` or more behind; an interval of fewer than two groups shows nothing. Of
    these the cheapest: untuned before tuned, then the shorter time per question in steps of `NOTICEABLE_MS`, then the
    smaller size, then the better value.
    """
    scored = [(point, point.value) for point in candidates(points) if point.value is not None]
    if not scored:
        return None
    best, best_value = max(scored, key=lambda item: item[1])
    compared = {
        point.key: paired_interval(best.report.columns, point.report.columns, best.report.groups, metric)
        for point, _ in scored
    }
    good = [(point, value) for point, value in scored if point is best or compared[point.key].high > -margin]
    choice, _ = min(good, key=lambda item: _cost(*item))
    interval = compared[choice.key]
    sentence = _sentence(choice, best, best_value, interval, title, margin)
    return Recommendation(best.key, choice.key, interval, choice.is_tuned, sentence)


def _cost(point: Point, value: float) -> tuple[bool, float, int, float]:
    time = float("inf") if point.latency_ms is None else point.latency_ms // NOTICEABLE_MS
    return point.is_tuned, time, point.size_bytes, -value


def _sentence(choice: Point, best: Point, value: float, interval: Interval, title: str, margin: float) -> str:
    start = f"Take {choice.name}." if choice.is_tuned else f"Do not tune: {choice.name} is enough."
    questions = counted(interval.num_rows, "question")
    if choice is best:
        cheaper = f"these {questions} show everything cheaper to be {margin:g} or more behind"
        reason = f"It is the best, {title} {value:.3f}"
        return f"{start} {reason}, and {cheaper}." if choice.is_tuned else f"{start} {reason}, and needs no training."
    if interval.num_groups < 2:
        return f"{start} All {questions} belong to one document, which cannot show that {best.name} is better."
    between = f"{signed(interval.low)} and {signed(interval.high)}"
    return (
        f"{start} {best.name} scores highest, {title} {value:.3f}, but {questions} do not show {choice.name} to be {margin:g} or "
        f"more behind: the true difference lies between {between} ({interval.confidence:.0%} interval)."
    )
