"""ragas' context metrics that need no model, over the passages a retriever put first, computed by ragas itself."""

import asyncio
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from finetune_core.metrics.ranking import Mean
from finetune_core.recipe import Columns, Metric, Report
from finetune_core.records import Part, QueryPassages

NUM_CONTEXTS = 5
"""How many passages ragas gets to see: about what an application puts into a prompt."""

_CLASSES = {
    "id_based_context_precision": "IDBasedContextPrecision",
    "id_based_context_recall": "IDBasedContextRecall",
    "non_llm_context_precision_with_reference": "NonLLMContextPrecisionWithReference",
    "non_llm_context_recall": "NonLLMContextRecall",
}

RAGAS_METRICS: dict[str, Metric] = {name: Mean(name) for name in _CLASSES}
"""ragas' own names, each the mean of its column. The text-based two count a passage as found when its text is similar
enough (Levenshtein, ragas' default thresholds), so a passage cut differently can still be right."""


def ragas_columns(report: Report, part: Part[QueryPassages], checkpoint: Callable[[], None]) -> Columns:
    """One column (N,) per entry of `RAGAS_METRICS` for the first 5 passages of each question in `report.details`.

    A question that ragas cannot score (nothing retrieved, no right passage in the corpus) holds NaN;
    `Report.num_failed` counts them. Calls `checkpoint` for each question.
    """
    texts = {passage.id: passage.full_text for passage in part.corpus}
    rows = [
        _row(detail["ids"][:NUM_CONTEXTS], list(example.relevant), texts)
        for detail, example in zip(report.details, part.examples, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ragas' imports warn of deprecations, and it leaves a file of its own open
        values = asyncio.run(_score(_metrics(), rows, checkpoint))
    return {name: np.array([value[name] for value in values], dtype=np.float64) for name in RAGAS_METRICS}


def _row(retrieved: Sequence[str], right: Sequence[str], texts: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        "retrieved_context_ids": list(retrieved),
        "reference_context_ids": list(right),
        "retrieved_contexts": [texts[passage] for passage in retrieved],
        "reference_contexts": [texts[passage] for passage in right if passage in texts],
    }


def _metrics() -> dict[str, Any]:
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # before the import, or it phones home
    import ragas.metrics

    return {name: getattr(ragas.metrics, class_name)() for name, class_name in _CLASSES.items()}


async def _score(
    metrics: Mapping[str, Any], rows: Sequence[dict[str, list[str]]], checkpoint: Callable[[], None]
) -> list[dict[str, float]]:
    from ragas import SingleTurnSample

    scored = []
    for row in rows:
        checkpoint()
        sample = SingleTurnSample(**row)
        scored.append({name: await _value(metric, sample) for name, metric in metrics.items()})
    return scored


async def _value(metric: Any, sample: Any) -> float:
    if not sample.retrieved_context_ids or not sample.reference_contexts:
        return math.nan  # ragas would answer NaN, raise or divide by nothing, depending on the metric
    return float(await metric.single_turn_ascore(sample))
