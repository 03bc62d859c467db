"""What a gain costs: quality against time per question and size, and the system that the evidence speaks for.

The test questions say how good every system is; which of several runs of a recipe stands for it is chosen by the validation
questions where they were asked, so that the best of many lucky runs is not taken for the best model. The decision builds on
the verdicts: nothing is recommended for being tuned that its verdict does not call better.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_core.evaluation.verdict import Outcome
from finetune_core.metrics.bootstrap import Interval, paired_interval
from finetune_core.recipe import Metric, Report
from finetune_core.wording import counted, signed

MARGIN = 0.01
"""Differences on the headline that are shown to be smaller than this are not worth a cost."""

NOTICEABLE_MS = 10.0
"""Times per question that fall into the same step of this length count as equal; the size decides then."""

NOTICEABLE_BYTES = 10_000_000
"""Sizes that fall into the same step of this many bytes count as equal; the value decides then."""


@dataclass(frozen=True)
class Point:
    """One system: its quality on the headline (None where it could not be scored), and what it costs.

    `latency_ms` is the time per question as its report says it, None where it was not measured; `size_bytes` the size of
    all that has to be deployed. `outcome` is the verdict on a tuned system, None for an untuned one. `is_further_use` marks
    other uses of a model than the one it was tuned for: they are drawn, and never recommended.
    """

    key: str
    name: str
    report: Report
    value: float | None
    outcome: Outcome | None = None
    size_bytes: int = 0
    recipe: str = ""
    validation: float | None = None
    is_further_use: bool = False

    @property
    def is_tuned(self) -> bool:
        """Whether it needs a training."""
        return self.outcome is not None or self.is_further_use

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds per question; None where they were not measured."""
        value = self.report.facts.get("latency_ms")
        return None if value is None else float(value)


@dataclass(frozen=True)
class Recommendation:
    """The system to take, the one with the highest value, and the interval of the first minus the highest.

    `best` and `choice` are keys. `sentence` says it in words. `is_settled` is False where nothing is worth tuning so far,
    but these questions could not rule out that a tuned system is `MARGIN` or more better.
    """

    best: str
    choice: str
    interval: Interval
    is_tuning_worth_it: bool
    is_settled: bool
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


def recommend(
    points: Sequence[Point], start: str, metric: Metric, title: str, margin: float = MARGIN
) -> Recommendation | None:
    """Which system to take; None if the untuned system with the key `start` could not be scored.

    Whoever wants a change has to show it. The choice begins with `start`. In order of cost, a dearer candidate takes its
    place if the 95 % paired interval shows it to be better and does not show the gain to be smaller than `margin`; a tuned
    one also needs the verdict "better". In the end the cheapest candidate takes the place of the choice that is shown to be
    less than `margin` behind it. Cost: untuned before tuned, then the time per question in steps of `NOTICEABLE_MS`, then
    the size in steps of `NOTICEABLE_BYTES`. So few questions change nothing, and what is taken for being tuned has a
    verdict that says the same.
    """
    scored = [point for point in candidates(points) if point.value is not None]
    choice = first = next((point for point in scored if point.key == start), None)
    if choice is None or first is None:
        return None
    entitled = [point for point in scored if point.outcome in (None, Outcome.BETTER)]
    for point in sorted(entitled, key=_order):
        gain = _difference(choice, point, metric)
        if _cost(point) >= _cost(choice) and gain.low > 0 and gain.high >= margin:
            choice = point
    enough = [
        point for point in entitled if _cost(point) < _cost(choice) and _difference(choice, point, metric).low > -margin
    ]
    choice = min(enough, key=_order, default=choice)
    best = max(scored, key=lambda point: (point.value or 0.0, point is choice))
    if choice.is_tuned:
        said, is_settled = _taken(choice, first, best, metric, title), True
    else:
        tuned = [point for point in scored if point.is_tuned]
        said, is_settled = _declined(choice, tuned, metric, margin)
    interval = _difference(best, choice, metric)
    return Recommendation(best.key, choice.key, interval, choice.is_tuned, is_settled, said)


def _difference(before: Point, after: Point, metric: Metric) -> Interval:
    return paired_interval(before.report.columns, after.report.columns, before.report.groups, metric)


def _cost(point: Point) -> tuple[bool, float, int]:
    time = float("inf") if point.latency_ms is None else point.latency_ms // NOTICEABLE_MS
    return point.is_tuned, time, point.size_bytes // NOTICEABLE_BYTES


def _order(point: Point) -> tuple[tuple[bool, float, int], float]:
    return _cost(point), -(point.value or 0.0)


def _taken(choice: Point, start: Point, best: Point, metric: Metric, title: str) -> str:
    gain = _difference(start, choice, metric)
    said = f"Take {choice.name}: {title} {choice.value:.3f}."
    if gain.low > 0:
        said += f" {counted(gain.num_rows, 'question')} show it to be better than {start.name} ({start.value:.3f})."
    if best is choice:
        return f"{said} Nothing cheaper is shown to be as good."
    return (
        f"{said} {best.name} scores {best.value:.3f}, but these questions do not show that it is worth taking instead."
    )


def _declined(choice: Point, tuned: Sequence[Point], metric: Metric, margin: float) -> tuple[str, bool]:
    """Why nothing tuned is taken, and whether more questions could change that."""
    gains = [(point, _difference(choice, point, metric)) for point in tuned]
    enough = f"Do not tune: {choice.name} is enough."
    better = [(point, gain) for point, gain in gains if point.outcome is Outcome.BETTER]
    if better:
        point, gain = max(better, key=lambda item: item[1].difference)
        learned = f"{point.name} is better than the model it started from"
        if gain.high < margin:
            place = f"worse than {choice.name}" if gain.high < 0 else f"less than {margin:g} ahead of {choice.name}"
            return f"{enough} {learned}, but shown to be {place}.", True
        questions = counted(gain.num_rows, "question")
        return f"{enough} {learned}, but {questions} do not show it to be better than {choice.name}.", False
    if not gains:
        return enough, True
    point, gain = max(gains, key=lambda item: item[1].high)
    questions = counted(gain.num_rows, "question")
    if gain.num_groups < 2:
        return f"Do not tune yet: all {questions} belong to one document, which cannot show a gain on others.", False
    if gain.high < margin:
        return f"{enough} {questions} show that no tuned model is {margin:g} or more better.", True
    return (
        f"Do not tune yet: {questions} do not show that tuning helps. {point.name} may be up to {signed(gain.high)} better than "
        f"{choice.name}, so more test questions could.",
        False,
    )
