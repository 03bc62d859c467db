"""The columns equal what ragas' own `evaluate` says, and rows it cannot score are counted."""

import warnings

import numpy as np
import pytest

from finetune_core.evaluation.ragas_retrieval import RAGAS_METRICS, ragas_columns
from finetune_core.recipe import Report
from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName

TEXTS = {
    "p1": "Lists may be sorted in place with the sort method of the list.",
    "p2": "Lists may be sorted in place with the sort method of a list!",
    "p3": "A dictionary maps keys to values; keys must be hashable.",
    "p4": "Generators yield values one at a time and keep their state.",
}
CORPUS = Corpus(tuple(Passage(id_, text, id_) for id_, text in TEXTS.items()))
RIGHT = [{"p1": 1}, {"p3": 1, "p4": 1}, {"p2": 1}, {"gone": 1}]
FOUND = [["p2", "p3"], ["p4", "p1", "p2"], [], ["p1"]]


@pytest.fixture(scope="module")
def columns():
    examples = tuple(QueryPassages(f"q{i}", "?", right, "g") for i, right in enumerate(RIGHT))
    details = tuple({"ids": ids, "scores": [1.0] * len(ids), "rank": None} for ids in FOUND)
    part = Part(SplitName.TEST, examples, CORPUS)
    report = Report("x", tuple(e.id for e in examples), ("g",) * 4, {}, details)
    return ragas_columns(report, part, lambda: None)


def test_by_hand(columns):
    """p2 is nearly the text of p1: the ids say wrong, the texts say right."""
    np.testing.assert_allclose(columns["id_based_context_precision"], [0, 1 / 3, np.nan, np.nan])
    np.testing.assert_allclose(columns["id_based_context_recall"], [0, 0.5, np.nan, np.nan])
    np.testing.assert_allclose(columns["non_llm_context_precision_with_reference"], [1, 1, np.nan, np.nan], atol=1e-9)
    np.testing.assert_allclose(columns["non_llm_context_recall"], [1, 0.5, np.nan, np.nan])


def test_rows_not_scored_are_counted(columns):
    report = Report("x", ("a", "b", "c", "d"), ("g",) * 4, columns)
    assert [report.num_failed(name) for name in RAGAS_METRICS] == [2, 2, 2, 2]


def test_equal_to_ragas_evaluate(columns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ragas
        import ragas.metrics

        samples = [
            ragas.SingleTurnSample(
                retrieved_context_ids=found,
                reference_context_ids=list(right),
                retrieved_contexts=[TEXTS[id_] for id_ in found],
                reference_contexts=[TEXTS[id_] for id_ in right],
            )
            for found, right in list(zip(FOUND, RIGHT, strict=True))[:2]
        ]
        metrics = [
            ragas.metrics.IDBasedContextPrecision(),
            ragas.metrics.IDBasedContextRecall(),
            ragas.metrics.NonLLMContextPrecisionWithReference(),
            ragas.metrics.NonLLMContextRecall(),
        ]
        result = ragas.evaluate(ragas.EvaluationDataset(samples), metrics=metrics, show_progress=False)
    for name, values in columns.items():
        assert [row[name] for row in result.scores] == pytest.approx(values[:2].tolist()), name
