"""Several systems on the same questions: values and differences with intervals, and the verdict, as plain JSON."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from finetune_core.evaluation.frontier import MARGIN, Point, Recommendation, recommend
from finetune_core.evaluation.verdict import Contrast, Outcome, caveats_of, judge
from finetune_core.metrics.bootstrap import Interval, closed_gap, paired_interval, spread_of_differences, value_interval
from finetune_core.metrics.ranking import Mean
from finetune_core.recipe import Metric, Report

TEACHER = "is_teacher"
"""The fact by which a report says that its system is one that the others should learn from."""
NO_SYSTEM = "is_no_system"
"""The fact by which a report says that nobody could deploy what it is about: people, or answers given before."""


@dataclass(frozen=True)
class Entry:
    """One system of a comparison.

    `role` is "floor" (a trivial baseline, or with a `model_id` another use of that model), "base" or "tuned". A tuned entry
    names the key of the base it started from in `against`, the keys of what its recipe puts `beside` it, its recipe, run
    and model, what its run reached on validation, and how many test questions leaked into what it learned. `over` is the key of
    what the last step of tuning was put on, "" for the base. `size_bytes` is the size of the files that tuning made, 0 for
    what is not tuned.
    """

    key: str
    name: str
    role: str
    report: Report
    against: str = ""
    run_id: str = ""
    model_id: str = ""
    validation: float | None = None
    num_leaking: int = 0
    recipe: str = ""
    beside: tuple[str, ...] = ()
    size_bytes: int = 0
    over: str = ""


@dataclass(frozen=True)
class Circumstances:
    """What the dataset version says of itself, for the caveats; `leaks` are its leakage report's sentences, if it leaks."""

    num_never_reviewed: int = 0
    num_pairs: int = 0
    is_split_by_section: bool = False
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measures:
    """Which metrics are compared: all by name, and the one the verdict is on; what is searched, "passages" or "choices", or
    "answers" where nothing is: examples are then won and lost by the scores in `Report.details`."""

    metrics: Mapping[str, Metric]
    headline: str
    titles: Mapping[str, str] = field(default_factory=dict)
    searched: str = "passages"
    lower_is_better: frozenset[str] = frozenset()
    without_side: frozenset[str] = frozenset()


def compare(entries: Sequence[Entry], measures: Measures, circumstances: Circumstances) -> dict[str, Any]:
    """The summary of a comparison: `systems`, `differences`, `verdict`, `frontier`, and the numbers it rests on.

    Every number that is not finite is null. Raises ValueError if no entry is tuned, or if reports are not of the same
    examples in the same order.
    """
    first = entries[0].report
    if any(entry.report.ids != first.ids for entry in entries):
        raise ValueError("the reports are not of the same examples")
    entries = _told_apart(entries)
    by_key = {entry.key: entry for entry in entries}
    tuned = [entry for entry in entries if entry.role == "tuned"]
    differences = [_differences(by_key[entry.against].report, entry.report, measures.metrics) for entry in tuned]
    is_comparable = len({entry.recipe for entry in tuned}) == 1
    contrasts = [
        _contrast(by_key[entry.against], entry, intervals[measures.headline], measures, is_comparable)
        for entry, intervals in zip(tuned, differences, strict=True)
    ]
    judgement = judge(contrasts, measures.titles.get(measures.headline, measures.headline))
    described = [_system(entry, measures.metrics) for entry in entries]
    outcomes = {entry.key: one.outcome for entry, one in zip(tuned, judgement.verdicts, strict=True)}
    found = _recommended(entries, described, measures, outcomes, tuned[judgement.candidate].against)
    # One decision for both sentences: what is recommended for being tuned is what the verdict is on.
    taken = (place for place, entry in enumerate(tuned) if found and entry.key == found.choice)
    position = next(taken, judgement.candidate)
    chosen, verdict = tuned[position], judgement.verdicts[position]
    interval = contrasts[position].interval
    caveats = _caveats(entries, chosen, interval, measures, circumstances, is_corrected=verdict.is_corrected)
    return {
        "headline": measures.headline,
        "metrics": list(measures.metrics),
        "titles": dict(measures.titles),
        "lower_is_better": sorted(measures.lower_is_better & measures.metrics.keys()),
        "without_side": sorted(measures.without_side & measures.metrics.keys()),
        "num_questions": len(first.ids),
        "num_groups": len(set(first.groups)),
        "num_searched": first.facts.get("num_searched"),
        "searched": measures.searched,
        "systems": described,
        "frontier": _frontier(found),
        "differences": [
            {
                "system": entry.key,
                "against": entry.against,
                **finite({"before": contrast.before, "after": contrast.after}),
                "spread": _spread(by_key[entry.against].report, entry.report, measures),
                "step": _step(by_key[entry.over or entry.against], entry, measures),
                "metrics": {name: finite(asdict(interval)) for name, interval in intervals.items()},
                "floors": {
                    floor.key: finite(asdict(_above(floor, entry, measures))) for floor in _floors(entries, entry)
                },
                "gap": _gap(entries, by_key[entry.against], entry, measures),
                "verdict": finite(asdict(verdict_of_one)),
            }
            for entry, intervals, contrast, verdict_of_one in zip(
                tuned, differences, contrasts, judgement.verdicts, strict=True
            )
        ],
        "verdict": {**finite(asdict(verdict)), "system": chosen.key, "caveats": [*circumstances.leaks, *caveats]},
    }


def _caveats(
    entries: Sequence[Entry],
    chosen: Entry,
    interval: Interval,
    measures: Measures,
    circumstances: Circumstances,
    *,
    is_corrected: bool,
) -> tuple[str, ...]:
    base = next(entry.report for entry in entries if entry.key == chosen.against)
    return caveats_of(
        interval,
        num_never_reviewed=circumstances.num_never_reviewed,
        num_pairs=circumstances.num_pairs,
        is_split_by_section=circumstances.is_split_by_section,
        is_corrected=is_corrected,
        num_candidates=sum(entry.role == "tuned" for entry in entries),
        num_failed=len(chosen.report.ids) - interval.num_rows,
        num_leaking=chosen.num_leaking,
        num_missing=int(entries[0].report.facts.get("num_missing", 0)),
        floor=_floor(entries, chosen, measures),
        reranking_ms=_reranking_ms(base, chosen.report),
    )


def _differences(before: Report, after: Report, metrics: Mapping[str, Metric]) -> dict[str, Interval]:
    return {
        name: paired_interval(before.columns, after.columns, before.groups, metric) for name, metric in metrics.items()
    }


def _step(before: Entry, after: Entry, measures: Measures) -> dict[str, Any]:
    """What the last step of tuning bought: the headline's interval over what it was put on (its key in `over`)."""
    metric = measures.metrics[measures.headline]
    gain = paired_interval(before.report.columns, after.report.columns, before.report.groups, metric)
    return {"over": before.key, "gain": finite(asdict(gain))}


def _gap(entries: Sequence[Entry], base: Entry, tuned: Entry, measures: Measures) -> dict[str, Any] | None:
    """How much of the way to the best of its teachers a system went; None where there is none above the base."""
    metric = measures.metrics[measures.headline]
    taught = [one for one in entries if one.key in tuned.beside and one.report.facts.get(TEACHER)]
    if not taught:
        return None
    best = max(taught, key=lambda one: metric(one.report.columns))
    columns = (base.report.columns, tuned.report.columns, best.report.columns)
    share = closed_gap(*columns, tuned.report.groups, metric)
    return {"name": best.name, **finite(asdict(share))} if math.isfinite(share.difference) else None


def _spread(before: Report, after: Report, measures: Measures) -> float | None:
    """How much the headline's differences spread; later versions of the data are judged by it. None if it is no mean."""
    metric = measures.metrics[measures.headline]
    if not isinstance(metric, Mean):
        return None
    return spread_of_differences(before.columns[metric.column], after.columns[metric.column], before.groups)


def _told_apart(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Untuned systems that share a name are called after the runs they stand beside: "base of A, B"."""
    names = Counter(entry.name for entry in entries if not entry.model_id)
    return [
        replace(entry, name=f"{entry.name} of {_users(entry, entries)}")
        if not entry.model_id and names[entry.name] > 1
        else entry
        for entry in entries
    ]


def _users(untuned: Entry, entries: Sequence[Entry]) -> str:
    return ", ".join(entry.name for entry in entries if untuned.key in (entry.against, *entry.beside))


def _contrast(base: Entry, tuned: Entry, interval: Interval, measures: Measures, is_comparable: bool) -> Contrast:
    """`is_comparable`: runs of several recipes measure themselves on validation each in its own way."""
    before, after = values_in_both(base.report, tuned.report, measures.metrics[measures.headline])
    return Contrast(tuned.name, before, after, interval, tuned.validation if is_comparable else None)


def values_in_both(a: Report, b: Report, metric: Metric) -> tuple[float, float]:
    """The metric of each of two reports of the same examples, over the rows that could be scored in both."""
    both = np.ones(len(a.ids), dtype=bool)
    for name in getattr(metric, "columns", tuple(a.columns)):
        for report in (a, b):
            both &= ~np.isnan(report.columns[name].reshape(len(a.ids), -1)).any(axis=1)
    first, second = (metric({name: values[both] for name, values in report.columns.items()}) for report in (a, b))
    return first, second


def _reranking_ms(before: Report, after: Report) -> float | None:
    if not after.facts.get("num_reranked"):
        return None
    return float(after.facts["latency_ms"] - before.facts["latency_ms"])


def _floor(entries: Sequence[Entry], chosen: Entry, measures: Measures) -> tuple[str, Interval] | None:
    """The best of the trivial baselines beside the chosen system, and the interval of the system minus it."""
    metric = measures.metrics[measures.headline]
    values = {floor.key: metric(floor.report.columns) for floor in _floors(entries, chosen)}
    scored = {key: value for key, value in values.items() if math.isfinite(value)}
    if not scored:
        return None
    best = next(entry for entry in entries if entry.key == max(scored, key=scored.__getitem__))
    return best.name, _above(best, chosen, measures)


def _floors(entries: Sequence[Entry], tuned: Entry) -> list[Entry]:
    """What needs no tuning and stands beside the tuned system, besides its base."""
    return [entry for entry in entries if entry.role == "floor" and not entry.model_id and entry.key in tuned.beside]


def _above(floor: Entry, tuned: Entry, measures: Measures) -> Interval:
    """The interval of the tuned system minus the floor, on the headline metric."""
    columns = (floor.report.columns, tuned.report.columns)
    return paired_interval(*columns, tuned.report.groups, measures.metrics[measures.headline])


def _system(entry: Entry, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    report = entry.report
    values = {name: value_interval(report.columns, report.groups, metric) for name, metric in metrics.items()}
    return {
        "key": entry.key,
        "name": entry.name,
        "role": entry.role,
        "against": entry.against,
        "beside": list(entry.beside),
        "recipe": entry.recipe,
        "size_bytes": entry.size_bytes,
        "deployed_bytes": int(report.facts.get("deployed_bytes") or entry.size_bytes),
        "run_id": entry.run_id,
        "model_id": entry.model_id,
        "validation": entry.validation,
        "num_leaking": entry.num_leaking,
        "facts": finite(report.facts),
        "metrics": {
            name: finite(
                {
                    "value": interval.difference,
                    "low": interval.low,
                    "high": interval.high,
                    "num_failed": len(report.ids) - interval.num_rows,
                }
            )
            for name, interval in values.items()
        },
    }


def _recommended(
    entries: Sequence[Entry],
    described: Sequence[dict[str, Any]],
    measures: Measures,
    outcomes: Mapping[str, Outcome],
    start: str,
) -> Recommendation | None:
    points = [
        Point(
            key=entry.key,
            name=entry.name,
            report=entry.report,
            value=said["metrics"][measures.headline]["value"],
            outcome=outcomes.get(entry.key),
            size_bytes=said["deployed_bytes"],
            recipe=entry.recipe,
            validation=entry.validation,
            is_further_use=bool(entry.model_id) and entry.role != "tuned",
        )
        for entry, said in zip(entries, described, strict=True)
        if not entry.report.facts.get(NO_SYSTEM)
    ]
    title = measures.titles.get(measures.headline, measures.headline)
    return recommend(points, start, measures.metrics[measures.headline], title)


def _frontier(found: Recommendation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**asdict(found), "interval": finite(asdict(found.interval)), "margin": MARGIN}


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same for JSON: numbers that are not finite are null."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()
    }
