"""Judges that are language models, asked through a chat that a test controls."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from finetune_core.evaluation import judging
from finetune_core.evaluation.judging import ChatJudge
from finetune_core.providers.chat import Reply
from finetune_core.providers.prices import Prices
from finetune_core.records import Comparison, Judgement, Part, Preference, SplitName
from tests.training_fixtures import RecordedRun


class Said:
    """A chat that says what a function makes of the prompt."""

    name, num_parallel = "said", 1

    def __init__(self, say: Callable[[str], str]) -> None:
        self.say, self.schemas = say, []

    def complete(self, messages: Sequence[Any], *, schema: Any = None, **_: Any) -> Reply:
        self.schemas.append(schema)
        return Reply(self.say(messages[-1]["content"]), 10, 2)

    def close(self) -> None:
        """Nothing is held."""


GRADED = Part(
    SplitName.TEST,
    tuple(
        Judgement(f"j{number}", f"q{number}?", answer, score, f"q{number}", lowest=0, highest=4, ratings=ratings)
        for number, (answer, score, ratings) in enumerate(
            [("right", 4.0, (4.0, 4.0)), ("wrong", 0.0, (0.0, 2.0)), ("half", 2.5, (2.0, 3.0)), ("odd", 1.0, (1.0,))]
        )
    ),
)
PAIRS = Part(
    SplitName.TEST,
    tuple(
        Comparison(f"p{number}", "Do it.", first, second, winner, f"p{number}", votes=votes)
        for number, (first, second, winner, votes) in enumerate(
            [
                ("good", "bad", "first", ("first", "first", "tie")),
                ("bad", "good", "second", ("second", "second", "second")),
                ("same", "same", "tie", ("tie", "first", "second")),
                ("bad", "good", "first", ("first",)),
            ]
        )
    ),
)


def test_scores_are_compared_as_shares_of_their_scale(tmp_path: Path) -> None:
    says = {"right": '{"score": 4}', "wrong": 'I say {"score": 1}.', "half": '{"score": 7}', "odd": "no idea"}
    chat = Said(lambda prompt: says[prompt.split("Answer to grade: ")[1].split("\n")[0]])
    judge = ChatJudge("judge", chat, prices=Prices(1.0, 1.0))
    report = judging.evaluate_correctness(judge, GRADED, RecordedRun(tmp_path))
    assert list(report.columns["true"]) == [1.0, 0.0, 0.625, 0.25]
    assert list(report.columns["predicted"][:2]) == [1.0, 0.25]
    assert report.num_failed("predicted") == 2
    metrics = {name: metric(report.columns) for name, metric in judging.CORRECTNESS_METRICS.items()}
    assert metrics["mean_absolute_error"] == pytest.approx(0.125)
    assert metrics["bias"] == pytest.approx(0.125)
    assert metrics["answered"] == 0.5
    assert report.details[1] == {"answer": "1", "expected": "0", "score": 0.75, "note": 'I say {"score": 1}.'}
    assert report.facts["cost_usd"] == pytest.approx(48 / 1e6)
    assert chat.schemas[0]["properties"]["score"]["enum"] == [0, 1, 2, 3, 4]


def test_a_judge_learns_what_it_is_asked_and_reads_its_own_answer_back() -> None:
    for with_feedback in (True, False):
        example = GRADED.examples[0]
        answer = judging.correctness_answer(example, with_feedback=with_feedback)
        assert judging.read_score(answer, 0, 4) == 4
        assert ("reason" in json.loads(answer)) is with_feedback
        for pair in PAIRS.examples:
            said = judging.pairwise_answer(pair, with_feedback=with_feedback)
            assert judging.read_preference(said) == pair.winner
    assert judging.read_score('{"score": true}', 0, 4) is None
    assert judging.read_preference('{"better": ["A"]}') is None


def test_a_judge_that_reads_decides_the_same_in_both_orders(tmp_path: Path) -> None:
    def best(prompt: str) -> str:
        first, second = (prompt.split(f"Answer {letter}: ")[1].split("\n", maxsplit=1)[0] for letter in "AB")
        return json.dumps({"better": "tie" if first == second else "A" if first == "good" else "B"})

    report = judging.evaluate_pairwise(ChatJudge("reader", Said(best)), PAIRS, RecordedRun(tmp_path))
    metrics = {name: metric(report.columns) for name, metric in judging.PAIRWISE_METRICS.items()}
    assert metrics["agreement"] == metrics["agreement_where_decided"] == 0.75
    assert (metrics["coverage"], metrics["flip_rate"]) == (1.0, 0.0)


def test_a_judge_that_prefers_a_place_flips_and_its_pairs_count_as_ties(tmp_path: Path) -> None:
    chat = Said(lambda prompt: '{"better": "A"}' if "Answer A: same" not in prompt else "cannot say")
    report = judging.evaluate_pairwise(ChatJudge("first", chat), PAIRS, RecordedRun(tmp_path))
    metrics = {name: metric(report.columns) for name, metric in judging.PAIRWISE_METRICS.items()}
    assert metrics["agreement"] == 0.25  # the tie alone
    assert (metrics["coverage"], metrics["flip_rate"]) == (0.0, 0.75)
    assert math.isnan(metrics["agreement_where_decided"])
    assert len(chat.schemas) == 3  # equal questions are asked once


def test_the_ceiling_is_one_rater_against_the_others(tmp_path: Path) -> None:
    report = judging.rater_correctness("raters", GRADED, seed=0)
    assert report.facts == {"is_teacher": True, "is_no_system": True}
    assert report.num_failed("predicted") == 1  # one rater alone has nobody to agree with
    assert list(report.columns["true"] + report.columns["predicted"])[:3] == [2.0, 0.5, 1.25]
    pairs = judging.rater_pairwise("raters", PAIRS, seed=0)
    assert pairs.num_failed("agrees") == 1
    assert pairs.columns["agrees"][1] == 1.0
    assert judging.majority(["first", "second"]) is Preference.TIE


def test_rules_that_read_nothing_are_the_floor() -> None:
    always = judging.constant_pairwise("first", PAIRS, lambda _: Preference.FIRST)
    assert judging.PAIRWISE_METRICS["flip_rate"](always.columns) == 1.0
    middle = judging.constant_correctness("middle", GRADED, 0.5)
    assert judging.CORRECTNESS_METRICS["mean_absolute_error"](middle.columns) == pytest.approx(
        (0.5 + 0.5 + 0.125 + 0.25) / 4
    )
