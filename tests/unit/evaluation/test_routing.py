"""Routers over vectors one can check by hand: scores, decisions, the report's rows and what is drawn from them."""

from pathlib import Path

import numpy as np
import pytest

from finetune_core.evaluation.routing import (
    NEVER,
    ROUTING_METRICS,
    ConstantRouter,
    DescriptionRouter,
    HeadRouter,
    Routes,
    answer_routing,
    class_summary,
    evaluate_routing,
)
from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Part, Passage, SplitName
from tests.training_fixtures import RecordedRun

VECTORS = {
    "east": (1, 0), "north": (0, 1), "go east": (0.8, 0.6), "go north": (0.28, 0.96), "go west": (-1, 0),
    "up": (0.6, 0.8),
}  # fmt: skip
CHOICES = Corpus((Passage("e", "east", "e", ""), Passage("n", "north", "n", "")))


class Compass:
    """An embedder of six words."""

    fingerprint = "compass"

    def encode_queries(self, texts, checkpoint=None):
        return np.array([VECTORS[text] for text in texts], np.float32).reshape(-1, 2)

    encode_passages = encode_queries


def part(*labelled: tuple[str, str]) -> Part[Labelled]:
    examples = tuple(Labelled(f"q{i}", query, label, f"g{i}") for i, (query, label) in enumerate(labelled))
    return Part(SplitName.TEST, examples, CHOICES)


TEST = part(("go east", "e"), ("go north", "n"), ("go west", OUT_OF_SCOPE), ("up", "e"))


@pytest.fixture
def run(tmp_path: Path) -> RecordedRun:
    return RecordedRun(tmp_path)


def test_the_nearest_description_is_chosen_and_a_far_query_is_out_of_scope(run: RecordedRun) -> None:
    report = evaluate_routing(DescriptionRouter("base", Compass(), threshold=0.5), TEST, run)
    assert report.columns["true"].tolist() == [0, 1, -1, 0]
    assert report.columns["predicted"].tolist() == [0, 1, -1, 1]
    assert report.columns["top"].tolist() == [0, 1, 1, 1]
    assert report.details[0] == {"ids": ["e", "n"], "scores": [0.8, 0.6], "decision": "e", "rank": 1}
    assert [detail["rank"] for detail in report.details] == [1, 1, 1, 2]
    assert report.details[2]["decision"] == OUT_OF_SCOPE
    assert report.facts["threshold"] == 0.5
    assert report.facts["num_searched"] == 2
    assert report.facts["num_out_of_scope"] == 1
    assert report.facts["latency_ms"] > 0
    values = {name: metric(report.columns) for name, metric in ROUTING_METRICS.items()}
    assert values == {
        "macro_f1": pytest.approx((2 / 3 + 2 / 3 + 1) / 3),
        "accuracy": 3 / 4,
        "in_scope_accuracy": 2 / 3,
        "out_of_scope_precision": 1,
        "out_of_scope_recall": 1,
    }


def test_without_a_threshold_every_query_gets_a_choice(run: RecordedRun) -> None:
    report = evaluate_routing(DescriptionRouter("base", Compass()), TEST, run)
    assert report.columns["predicted"].tolist() == report.columns["top"].tolist()
    assert report.facts["threshold"] is None
    assert [detail["rank"] for detail in report.details] == [1, 1, None, 2]


def test_a_head_scores_its_own_choices_whatever_their_order(run: RecordedRun) -> None:
    weights = np.array([[0, 2], [2, 0], [5, 5]], np.float32)
    head = HeadRouter("tuned", Compass(), ("n", "e", "gone"), weights, np.array([0.5, 0, 9], np.float32), 0.7)
    report = evaluate_routing(head, TEST, run)
    assert report.details[0]["scores"] == [1.7, 1.6]
    assert report.details[0]["ids"] == ["n", "e"]
    assert report.columns["predicted"].tolist() == [1, 1, -1, 1]
    never_met = HeadRouter("tuned", Compass(), ("n",), weights[:1], np.zeros(1, np.float32))
    assert evaluate_routing(never_met, TEST, run).details[0]["ids"] == ["n"]


def test_a_constant_router_and_queries_that_were_not_routed(run: RecordedRun) -> None:
    assert evaluate_routing(ConstantRouter("majority", "n"), TEST, run).columns["predicted"].tolist() == [1, 1, 1, 1]
    report = evaluate_routing(ConstantRouter("majority", OUT_OF_SCOPE), TEST, run)
    assert report.columns["predicted"].tolist() == report.columns["top"].tolist() == [-1, -1, -1, -1]
    assert report.details[0]["ids"] == []
    routes = Routes(np.array([[np.nan, np.nan], [1.0, NEVER]]), 0.5, 0.0)
    np.testing.assert_equal(routes.decisions, [np.nan, 0])


def test_a_label_that_no_choice_has_is_not_scored(run: RecordedRun) -> None:
    report = evaluate_routing(DescriptionRouter("base", Compass()), part(("go east", "south"), ("up", "n")), run)
    assert report.num_failed("true") == 1
    assert ROUTING_METRICS["accuracy"](report.columns) == 1


def test_an_empty_part_gives_an_empty_report(run: RecordedRun) -> None:
    report = evaluate_routing(DescriptionRouter("base", Compass(), 0.5), part(), run)
    assert report.ids == ()
    assert all(np.isnan(metric(report.columns)) for metric in ROUTING_METRICS.values())


def test_an_answer_names_every_choice_and_the_decision(run: RecordedRun) -> None:
    router = DescriptionRouter("base", Compass(), threshold=0.5)
    found = answer_routing(router, "go east", CHOICES, run)
    assert [(choice.id, choice.score) for choice in found.ranked] == [("e", 0.8), ("n", 0.6)]
    assert (found.decision, found.is_out_of_scope, found.threshold, found.score_kind) == ("e", False, 0.5, "similarity")
    assert answer_routing(router, "go west", CHOICES, run).is_out_of_scope


def test_the_summary_of_classes_is_read_off_the_columns(run: RecordedRun) -> None:
    report = evaluate_routing(DescriptionRouter("base", Compass(), threshold=0.5), TEST, run)
    summary = class_summary(report.columns, CHOICES)
    assert summary["matrix"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert [(each["id"], each["recall"], each["precision"]) for each in summary["classes"]] == [
        ("e", 0.5, 1), ("n", 1, 0.5), (OUT_OF_SCOPE, 1, 1),
    ]  # fmt: skip
    assert summary["confused"] == [{"true": 0, "predicted": 1, "num": 1}]
