"""Answers of chat models against recorded and true ones; by words, by meaning, by calls, and by ragas' metrics."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from finetune_core.errors import JobCancelled, ProviderError
from finetune_core.evaluation import ragas_answers
from finetune_core.evaluation.answering import ANSWER_METRICS, Answerer, Copier, Recorded, answer_chat, evaluate_answers
from finetune_core.evaluation.ragas_answers import RAGAS_ANSWER_METRICS, judged
from finetune_core.metrics.bootstrap import value_interval
from finetune_core.metrics.text import Bleu
from finetune_core.providers.chat import Call, Reply, RequestRefusedError
from finetune_core.records import Chat, Part, SplitName
from tests.training_fixtures import RecordedRun

CALL = {"id": "c", "type": "function", "function": {"name": "book", "arguments": '{"people": 2}'}}
TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}


def example(number: int, question: str, answer: str | None, **fields: Any) -> Chat:
    response = {"role": "assistant", "content": answer} | ({"tool_calls": [CALL]} if answer is None else {})
    return Chat(f"c{number}", ({"role": "user", "content": question},), response, f"d{number}", **fields)


PART = Part(
    SplitName.TEST,
    (
        example(0, "Where is the cat?", "The cat sits on the mat today.", contexts=("The cat sits on the mat.",)),
        example(1, "Kedi nerede?", "Kedi şimdi üstünde oturuyor", reference="Kedi paspasın üstünde oturuyor"),
        example(2, "Book for two", None, tools=(TOOL,)),
        example(3, "Secret?", "No."),
    ),
)


class Letters:
    """An embedder whose vectors count letters."""

    fingerprint = "letters"

    def encode_passages(self, texts: Sequence[str], checkpoint: Callable[[], None] = lambda: None) -> np.ndarray:
        return np.array(
            [[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyzış"] for text in texts], float
        )

    encode_queries = encode_passages


class Said:
    """A chat that answers from a function."""

    name, num_parallel = "said", 2

    def __init__(self, reply: Callable[[str, Any], Reply]) -> None:
        self.reply, self.num_asked = reply, 0

    def complete(self, messages: Sequence[Any], *, schema: Any = None, **_: Any) -> Reply:
        self.num_asked += 1
        return self.reply(messages[-1]["content"], schema)

    def close(self) -> None:
        """Nothing is held."""


def student(question: str, _: Any) -> Reply:
    if question == "Secret?":
        raise RequestRefusedError("Filtered.", hint="Leave it out.")
    if question == "Book for two":
        return Reply("", 5, 5, (Call("book", '{"people": 2.0}'),))
    return Reply({"Where is the cat?": "The cat sits on a mat."}.get(question, "Kedi paspasın üstünde oturuyor"), 5, 5)


def test_answers_are_compared_with_the_true_one_or_the_recorded_one(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path)
    report = evaluate_answers(Answerer("tuned", Said(student), 64), PART, Letters(), run)
    assert report.columns["rouge_l"][1] == 1.0  # Turkish words count as words
    assert report.columns["similarity"][1] == pytest.approx(1.0)
    assert report.columns["rouge_l"][0] == pytest.approx(2 * 5 / (6 + 7))
    assert ANSWER_METRICS["right_calls"](report.columns) == 1.0
    assert report.num_failed("similarity") == 1
    assert report.details[3] == {"answer": "", "expected": "No.", "score": None, "note": "Filtered."}
    assert report.details[2]["answer"] == 'book({"people": 2.0})'
    assert report.facts["num_refused"] == 1


def test_only_what_a_person_asks_is_shown_while_it_grows(tmp_path: Path) -> None:
    class Growing(Said):
        def complete(self, messages: Sequence[Any], *, on_text: Any = None, **options: Any) -> Reply:
            reply = super().complete(messages, **options)
            if on_text:
                on_text(reply.text)
            return reply

    run, told = RecordedRun(tmp_path), list[str]()
    run.on_text = told.append
    system = Answerer("tuned", Growing(student), 64)
    evaluate_answers(system, PART, Letters(), run)
    assert told == []
    assert answer_chat(system, PART.examples[0], run).text == "The cat sits on a mat."
    assert told == ["The cat sits on a mat."]


def test_bleu_is_that_of_sacrebleu_and_is_resampled_by_sums(tmp_path: Path) -> None:
    answers = ["the cat sits on a mat", "a dog runs in the park now", "it rains", "the sun is very hot today"]
    right = ["the cat sits on the mat", "the dog runs in the park", "it is raining", "the sun is hot today"]
    part = Part(SplitName.TEST, tuple(example(n, f"q{n}", text) for n, text in enumerate(right)))
    said = dict(zip([f"q{n}" for n in range(4)], answers, strict=True))
    chat = Said(lambda question, _: Reply(said[question], 1, 1))
    report = evaluate_answers(Answerer("a", chat, 64), part, Letters(), RecordedRun(tmp_path))
    expected = BLEU(smooth_method="none").corpus_score(answers, [right]).score / 100
    assert Bleu()(report.columns) == pytest.approx(expected, abs=1e-6)
    assert math.isnan(Bleu()({"bleu": np.zeros((0, 10))}))
    fast = value_interval(report.columns, report.groups, Bleu(), num_resamples=100)
    slow = value_interval(report.columns, report.groups, lambda columns: Bleu()(columns), num_resamples=100)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high))


def test_recorded_answers_are_the_ceiling_and_the_first_passage_the_floor(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path)
    recorded = evaluate_answers(Recorded(), PART, Letters(), run)
    assert list(recorded.columns["rouge_l"][[0, 3]]) == [1.0, 1.0]
    assert recorded.columns["rouge_l"][1] == 0.75  # the true answer is another one
    assert ANSWER_METRICS["right_calls"](recorded.columns) == 1.0
    copied = evaluate_answers(Copier(), PART, Letters(), run)
    assert copied.columns["similarity"][3] == 0.0
    assert answer_chat(Copier(), PART.examples[0], run).text == "The cat sits on the mat."
    assert answer_chat(Answerer("tuned", Said(student), 64), PART.examples[3], run).note == "Filtered."


def filled(schema: dict[str, Any], verdict: int, root: dict[str, Any] | None = None) -> Any:
    """The smallest thing a JSON Schema allows; whole numbers are the verdict."""
    root = root or schema
    if "$ref" in schema:
        return filled(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], verdict, root)
    kinds = {"string": "so", "integer": verdict, "number": verdict, "boolean": bool(verdict), "null": None}
    if schema.get("type") == "object":
        return {name: filled(inner, verdict, root) for name, inner in schema["properties"].items()}
    if schema.get("type") == "array":
        return [filled(schema["items"], verdict, root)]
    return kinds[schema["type"]]


JUDGED = Part(
    SplitName.TEST,
    tuple(
        example(number, f"Question {number}?", "recorded", contexts=("A passage.",), reference="true")
        for number in range(3)
    ),
)


def graded(tmp_path: Path, judge: Said, **options: Any) -> Any:
    run = RecordedRun(tmp_path)
    report = evaluate_answers(
        Answerer("tuned", Said(lambda question, _: Reply(question, 1, 1)), 8), JUDGED, Letters(), run
    )
    return judged(report, JUDGED, judge, Letters(), run, **{"max_answers": 3} | options)


@pytest.mark.parametrize(("verdict", "expected"), [(1, 1.0), (0, 0.0)])
def test_ragas_grades_with_any_chat_and_asks_nothing_twice(verdict: int, expected: float, tmp_path: Path) -> None:
    judge = Said(lambda _, schema: Reply(f"Sure: {json.dumps(filled(schema, verdict))}", 10, 5))
    report = graded(tmp_path, judge)
    for name in ("faithfulness", "context_recall"):
        assert list(report.columns[name]) == [expected] * 3
    assert RAGAS_ANSWER_METRICS["faithfulness"](report.columns) == expected
    facts = report.facts["judge"]
    assert facts["num_unreadable"] == 0
    assert facts["noise"]["faithfulness"] == 0.0
    num_asked = judge.num_asked
    assert facts["num_asked"] == num_asked
    graded(tmp_path, judge)
    assert judge.num_asked == num_asked


def test_a_judge_nobody_can_read_leaves_no_number_and_is_counted(tmp_path: Path) -> None:
    report = graded(tmp_path, Said(lambda *_: Reply("I would rather not.", 10, 5)), max_answers=2)
    assert all(np.isnan(report.columns[name]).all() for name in RAGAS_ANSWER_METRICS)
    assert report.facts["judge"]["num_unreadable"] == 2 * 5 * ragas_answers.NUM_REPETITIONS
    assert report.facts["judge"]["noise"]["faithfulness"] is None


def test_a_judge_that_wavers_shows_its_noise(tmp_path: Path) -> None:
    turns = iter(range(10_000))
    judge = Said(lambda _, schema: Reply(json.dumps(filled(schema, next(turns) % 2)), 10, 5))
    judge.num_parallel = 1
    assert any(value for value in graded(tmp_path, judge).facts["judge"]["noise"].values())


def test_a_service_that_fails_and_a_person_who_cancels_are_heard(tmp_path: Path) -> None:
    def broken(*_: Any) -> Reply:
        raise ProviderError("It is down.", hint="Wait.")

    with pytest.raises(ProviderError, match="It is down"):
        graded(tmp_path, Said(broken))
    run = RecordedRun(tmp_path / "cancelled")
    report = evaluate_answers(Recorded(), JUDGED, Letters(), run)

    def cancel() -> None:
        raise JobCancelled

    run.checkpoint = cancel
    with pytest.raises(JobCancelled):
        judged(report, JUDGED, Said(lambda _, s: Reply(json.dumps(filled(s, 1)), 1, 1)), Letters(), run, max_answers=2)
