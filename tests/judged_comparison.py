"""A finished comparison of a tuned judge with its base, written without any model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from finetune_core.evaluation.said import answer_text, detail
from finetune_core.evaluation.side_by_side import Circumstances, Entry, Measures, compare
from finetune_core.metrics.ranking import Mean
from finetune_core.recipe import Columns, Metric, Report
from finetune_core.records import Judgement, Part, SplitName
from finetune_core.storage import artefacts, comparisons, database
from finetune_core.wording import metric_title

HOSTILE = "![x](http://198.51.100.7/beacon.png) <b>bold</b>"


def judged_part(num: int = 12) -> Part[Judgement]:
    """Answers to judge, scores 1 to 5 in turn."""
    examples = [
        Judgement(f"j{at}", f"Is {at} even? {HOSTILE}", f"Perhaps {at}.", float(at % 5 + 1), f"g{at}")
        for at in range(num)
    ]
    return Part(SplitName.TEST, tuple(examples))


def add_judged_comparison(
    project_id: str,
    identity: str = "judged",
    metrics: Mapping[str, Metric] | None = None,
    columns: Mapping[str, Columns] | None = None,
) -> str:
    """The base always says 3, the tuned one is right but for the last example; returns the comparison's id.

    With `metrics`, they and the `columns` of base and tuned stand in place of how close the scores are; the tuned one is then
    the model m-judge.
    """
    part = judged_part()
    said = {"base": [3.0] * len(part), "tuned": [*(one.score for one in part.examples[:-1]), 5.0]}
    entries = [
        Entry(
            key, key, key, replace(report, columns=(columns or {}).get(key, report.columns)),
            against="base" if key == "tuned" else "", model_id="m-judge" if metrics and key == "tuned" else "",
        )
        for key, report in ((key, _report(key, part, scores)) for key, scores in said.items())
    ]  # fmt: skip
    metrics = metrics or {"closeness": Mean("closeness")}
    titles = {name: metric_title(name) for name in metrics}
    summary = compare(entries, Measures(metrics, next(iter(metrics)), titles, searched="answers"), Circumstances())
    summary |= {"dataset": {"id": "d", "name": "v1"}, "recipes": ["judge_correctness"]}
    target = comparisons.folder(project_id, identity)
    with artefacts.publish(target, {"kind": "comparison", "summary": summary}) as folder:
        comparisons.write_questions(folder / comparisons.QUESTIONS_FILE, part)
        for entry in entries:
            comparisons.write_report(folder / f"{entry.key}.parquet", entry.report)
    row = comparisons.ComparisonRow(identity, project_id, "job", "d", "judge_correctness", summary, database.now() - 60)
    with database.writing() as connection:
        comparisons.add(connection, row)
    return identity


def _report(name: str, part: Part[Judgement], scores: list[float]) -> Report:
    closeness = [1 - abs(score - one.score) / 4 for score, one in zip(scores, part.examples, strict=True)]
    details: tuple[Any, ...] = tuple(
        detail(f"{score:g}", answer_text(one), close, "said twice" if one.id == "j0" else "")
        for score, one, close in zip(scores, part.examples, closeness, strict=True)
    )
    ids, groups = tuple(one.id for one in part.examples), tuple(one.group for one in part.examples)
    return Report(name, ids, groups, {"closeness": np.array(closeness)}, details)
