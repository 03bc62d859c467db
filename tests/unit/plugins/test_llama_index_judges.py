"""Tuned judges where LlamaIndex wants an evaluator: in one process with Ayar, and in the code that people paste."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.evaluation import judging
from finetune_core.plugins.llama_index_judges import correctness_evaluator, pairwise_evaluator
from finetune_core.plugins.snippets import FRAMEWORKS, render
from finetune_core.providers.chat import Message, Reply, RequestRefusedError
from finetune_core.recipes import _chats
from finetune_core.records import Judgement
from tests.training_fixtures import Trained
from tests.warm_python import WarmPython

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from llama_index.core.evaluation import BatchEvalRunner, CorrectnessEvaluator, PairwiseComparisonEvaluator


class Scripted:
    """Says what it is told to, in turn, and remembers what it was asked."""

    name, num_parallel, fingerprint = "scripted", 1, "scripted"

    def __init__(self, *said: str) -> None:
        self.said, self.asked, self.schemas = list(said), [], []  # type: ignore[var-annotated]

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None, **_: Any) -> Reply:
        self.asked.append(messages[0]["content"])
        self.schemas.append(schema)
        if not self.said:
            raise RequestRefusedError("It is too long.", hint="Shorten it.")
        return Reply(self.said.pop(0), 1, 1)

    def close(self) -> None:
        """Nothing is open."""


def test_a_grade_is_asked_for_as_in_training_and_passes_from_four() -> None:
    chat = Scripted('{"score": 4}', '{"score": 3}')
    evaluator = correctness_evaluator(chat)
    assert isinstance(evaluator, CorrectnessEvaluator)
    result = evaluator.evaluate(query="Where is Rome?", response="Italy.", reference="Rome is in Italy.")
    asked = Judgement("", "Where is Rome?", "Italy.", 1, "", "Rome is in Italy.")
    assert chat.asked == [judging.correctness_messages(asked, with_feedback=False)[0]["content"]]
    assert chat.schemas[0]["properties"]["score"]["enum"] == [1, 2, 3, 4, 5]
    assert (result.score, result.passing, result.invalid_result) == (4.0, True, False)
    assert (result.query, result.response, result.feedback) == ("Where is Rome?", "Italy.", '{"score": 4}')
    assert evaluator.evaluate(query="q", response="r").passing is False
    with pytest.raises(ValueError, match="must be given"):
        evaluator.evaluate(query="q")


@pytest.mark.parametrize(("grade", "score", "passing"), [(0, 1.0, False), (1, 3.0, False), (2, 5.0, True)])
def test_a_judge_of_another_scale_grades_on_that_of_llama_index(grade: int, score: float, passing: bool) -> None:
    chat = Scripted(json.dumps({"reason": "Because.", "score": grade}))
    result = correctness_evaluator(chat, learned_scale=(0, 2), with_feedback=True).evaluate(query="q", response="r")
    assert (result.score, result.passing, result.feedback) == (score, passing, "Because.")
    assert "from 0 (worst) to 2 (best)" in chat.asked[0]


def test_a_scale_and_a_threshold_of_ones_own() -> None:
    own = correctness_evaluator(Scripted('{"score": 4}', '{"score": 3}'), scale=(0, 1)).evaluate(
        query="q", response="r"
    )
    assert (own.score, own.passing) == (0.75, True)
    strict = correctness_evaluator(Scripted('{"score": 4}'), score_threshold=4.5).evaluate(query="q", response="r")
    assert (strict.score, strict.passing) == (4.0, False)
    with pytest.raises(ValueError, match="lowest to its highest"):
        correctness_evaluator(Scripted(), scale=(5, 1))


@pytest.mark.parametrize("said", ["Well done!", '{"score": 9}', '{"score": true}'])
def test_what_cannot_be_read_is_an_invalid_result(said: str) -> None:
    result = correctness_evaluator(Scripted(said)).evaluate(query="q", response="r")
    assert (result.invalid_result, result.score, result.passing) == (True, None, None)
    assert (result.invalid_reason, result.feedback) == ("There is no grade in what the judge said.", said)
    pair = pairwise_evaluator(Scripted(said)).evaluate(query="q", response="r", second_response="s")
    assert (pair.invalid_result, pair.score, pair.feedback) == (True, None, said)


def test_a_refused_request_is_an_invalid_result_too() -> None:
    result = correctness_evaluator(Scripted()).evaluate(query="q", response="r")
    assert result.invalid_result
    assert "too long" in str(result.feedback)


@pytest.mark.parametrize(
    ("forward", "backward", "score", "passing", "source"),
    [
        ("A", "B", 1.0, True, "original"),
        ("B", "A", 0.0, False, "original"),
        ("tie", "tie", 0.5, None, "original"),
        ("A", "A", 0.5, None, "neither"),
        ("B", "B", 0.5, None, "neither"),
        ("A", "tie", 0.5, None, "neither"),
    ],
)
def test_a_verdict_stands_if_both_orders_give_it(
    forward: str, backward: str, score: float, passing: bool | None, source: str
) -> None:
    chat = Scripted(json.dumps({"better": forward}), json.dumps({"better": backward}))
    evaluator = pairwise_evaluator(chat)
    assert isinstance(evaluator, PairwiseComparisonEvaluator)
    result = evaluator.evaluate(query="q", response="one", second_response="two", reference="ref")
    assert (result.score, result.passing, result.pairwise_source) == (score, passing, source)
    assert "Answer A: one\n\nAnswer B: two" in chat.asked[0]
    assert "Answer A: two\n\nAnswer B: one" in chat.asked[1]


def test_without_consensus_it_is_asked_once_and_half_an_answer_is_none() -> None:
    once = Scripted('{"better": "B"}')
    result = pairwise_evaluator(once, enforce_consensus=False).evaluate(query="q", response="r", second_response="s")
    assert (result.score, len(once.asked)) == (0.0, 1)
    half = pairwise_evaluator(Scripted('{"better": "B"}', "Hm.")).evaluate(query="q", response="r", second_response="s")
    assert (half.invalid_result, half.score, half.feedback) == (True, None, "Hm.")
    with pytest.raises(ValueError, match="second_response"):
        pairwise_evaluator(Scripted()).evaluate(query="q", response="r")


@pytest.mark.filterwarnings("ignore:asyncio_module:DeprecationWarning")
def test_llama_index_runs_them_in_a_batch() -> None:
    runner = BatchEvalRunner(
        {"correctness": correctness_evaluator(Scripted('{"score": 5}', '{"score": 5}'))}, workers=2
    )
    found = runner.evaluate_response_strs(queries=["a", "b"], response_strs=["c", "d"])
    assert [one.score for one in found["correctness"]] == [5.0, 5.0]


def _snippet(name: str, trained: Trained, given: list[dict[str, str]], folder: Path) -> Path:
    """A script that judges `given` with the code that a person pastes, over the adapter of the tuned model."""
    place = folder / f"my '{name}'"
    place.mkdir()
    _chats.save(trained.model, place)
    code = render(
        FRAMEWORKS[name][0].template, folder=str(place), name="Judge", base_model=trained.config.base_model,
        precision="float32", learned_scale=tuple(trained.model.facts.get(judging.LEARNED_SCALE, (1.0, 5.0))),
    )  # fmt: skip
    assert "import finetune_core" not in code
    judge = f"print(json.dumps([evaluator.evaluate(**one).model_dump(mode='json') for one in {given!r}]))"
    script = folder / f"{name}.py"
    script.write_text(f"{code}\n{judge}\nimport sys\nassert 'finetune_core' not in sys.modules\n", encoding="utf-8")
    return script


def test_the_snippets_judge_as_it_is_done_here(
    trained_correctness: Trained, trained_pairwise: Trained, bare_python: WarmPython, tmp_path: Path
) -> None:
    grades = [{"query": one.query, "response": one.response} for one in trained_correctness.split.test.examples[:3]]
    pairs = [
        {"query": one.query, "response": one.first, "second_response": one.second}
        for one in trained_pairwise.split.test.examples[:2]
    ]
    scripts = [
        str(_snippet("judge_correctness", trained_correctness, grades, tmp_path)),
        str(_snippet("judge_pairwise", trained_pairwise, pairs, tmp_path)),
    ]
    both = f"import runpy\nfor script in {scripts!r}:\n    runpy.run_path(script)\n"
    done = bare_python.run(both, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    graded, preferred = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    judge = correctness_evaluator(_chats.tuned_chat(trained_correctness.model, trained_correctness.run))
    assert graded == [judge.evaluate(**one).model_dump(mode="json") for one in grades]
    assert [one["score"] for one in graded] == [5.0, 1.0, 5.0]
    other = pairwise_evaluator(_chats.tuned_chat(trained_pairwise.model, trained_pairwise.run))
    assert preferred == [other.evaluate(**one).model_dump(mode="json") for one in pairs]
    assert [one["score"] for one in preferred] == [1.0, 0.0]


def test_a_judge_notes_the_scale_it_learned(trained_correctness: Trained) -> None:
    facts = trained_correctness.model.facts
    assert recipes.get("judge_correctness").traits({"config": {}, "facts": facts})["Grades"] == "1 to 5"
