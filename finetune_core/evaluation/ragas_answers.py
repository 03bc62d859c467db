"""ragas' metrics of answers, computed by ragas itself with any chat as its judge.

Faithfulness (is it in the passages?), answer relevancy (is it about the question?), context precision and recall (were the
right passages there, and first?), factual correctness (does it say what the true answer says?): Es et al., RAGAS, 2023.

Shape suffixes: N answers.
"""

import asyncio
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from finetune_core.evaluation.asking import Answered, KeptAnswers, ask, cost_facts, request_key
from finetune_core.evaluation.said import conversation_text
from finetune_core.metrics.ranking import Mean
from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.providers.chat import Request
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Metric, Prices, Report, Run
from finetune_core.records import Chat, Part, content_id

RAGAS_ANSWER_METRICS: dict[str, Metric] = {
    name: Mean(name)
    for name in ("faithfulness", "answer_relevancy", "context_precision", "context_recall", "factual_correctness")
}
"""ragas' own names, each the mean of its column."""

MAX_TOKENS = 1024
NUM_REPEATED, NUM_REPETITIONS = 10, 3
"""So many answers are graded so often, to see how much the judge disagrees with itself."""


def judged(
    report: Report,
    part: Part[Chat],
    judge: ChatModel,
    embedder: Embedder,
    run: Run,
    *,
    max_answers: int,
    prices: Prices | None = None,
) -> Report:
    """The report with a column (N,) for each of `RAGAS_ANSWER_METRICS`, for `max_answers` answers chosen by the run's seed.

    NaN for the others, and where a metric needs what the example has not (passages, a true answer) or the judge's reply
    could not be read. Facts: `judge` with its name, tokens, cost, `num_unreadable` and `noise` (the standard deviation of
    a grade of the same answer, by metric). What the judge said is kept in the run's folder. Raises ProviderError if the judge
    fails altogether.
    """
    chosen = np.sort(np.random.default_rng(run.seed).permutation(len(part))[:max_answers])
    rows = [_Row.of(part.examples[number], report.details[number]["answer"]) for number in chosen]
    kept = KeptAnswers(run.workdir / f"judged-{content_id(str(getattr(judge, 'fingerprint', judge.name)))}.jsonl")
    grader = _Grader(judge, embedder, kept, run.checkpoint)
    values = grader.grade(rows, 0, lambda done: run.progress(done, f"{judge.name} grades {report.system}"))
    again = [grader.grade(rows[:NUM_REPEATED], number, lambda _: None) for number in range(1, NUM_REPETITIONS)]
    columns = dict(report.columns)
    for name in RAGAS_ANSWER_METRICS:
        columns[name] = np.full(len(part), np.nan)
        columns[name][chosen] = [value[name] for value in values]
    noise = _noise([values[:NUM_REPEATED], *again])
    facts = {
        "name": judge.name,
        **cost_facts(list(kept.known.values()), prices),
        "num_unreadable": grader.num_unreadable,
    }
    return replace(report, columns=columns, facts={**report.facts, "judge": {**facts, "noise": noise}})


@dataclass(frozen=True, slots=True)
class _Row:
    question: str
    answer: str
    contexts: tuple[str, ...]
    reference: str

    @classmethod
    def of(cls, example: Chat, answer: str) -> "_Row":
        return cls(conversation_text(example.messages[-1:]), answer, example.contexts, example.reference)

    def wanted(self) -> dict[str, dict[str, Any]]:
        """What each metric is given; those that lack something are left out."""
        asked: dict[str, Any] = {"user_input": self.question}
        found: dict[str, dict[str, Any]] = {}
        if not self.answer.strip():
            return found
        found["answer_relevancy"] = {**asked, "response": self.answer}
        if self.contexts:
            found["faithfulness"] = {**asked, "response": self.answer, "retrieved_contexts": list(self.contexts)}
        if self.reference:
            found["factual_correctness"] = {"response": self.answer, "reference": self.reference}
        if self.contexts and self.reference:
            both = {**asked, "reference": self.reference, "retrieved_contexts": list(self.contexts)}
            found |= {"context_precision": both, "context_recall": both}
        return found


class _Grader:
    """ragas' metrics over one judge; what the judge said before is not asked again."""

    def __init__(self, judge: ChatModel, embedder: Embedder, kept: KeptAnswers, checkpoint: Callable[[], None]) -> None:
        os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # before the import, or it phones home
        self._judge, self._kept, self._checkpoint = judge, kept, checkpoint
        self._embedder = embedder
        self._asking: dict[str, asyncio.Lock] = {}
        self.num_unreadable = 0

    def grade(self, rows: Sequence[_Row], repetition: int, tell: Callable[[float], None]) -> list[dict[str, float]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ragas' imports warn of deprecations, and it leaves a file of its own open
            metrics = _metrics(_llm(self, repetition), _embeddings(self._embedder))
            return asyncio.run(self._grade(metrics, rows, tell))

    async def _grade(
        self, metrics: Mapping[str, Any], rows: Sequence[_Row], tell: Callable[[float], None]
    ) -> list[dict[str, float]]:
        at_once = asyncio.Semaphore(max(1, self._judge.num_parallel))
        num_done = 0

        async def one(row: _Row) -> dict[str, float]:
            nonlocal num_done
            async with at_once:
                self._checkpoint()
                wanted = row.wanted()
                found = dict.fromkeys(metrics, math.nan)
                for name, given in wanted.items():
                    found[name] = await self._value(metrics[name], given)
                num_done += 1
                tell(num_done / len(rows))
                return found

        # Not a task group: that would hide the error of a service, or a stop, in a group of errors.
        return list(await asyncio.gather(*(one(row) for row in rows)))

    async def _value(self, metric: Any, given: Mapping[str, Any]) -> float:
        try:
            return float((await metric.ascore(**given)).value)
        except _UnreadableError:
            self.num_unreadable += 1
            return math.nan

    async def ask(self, prompt: str, form: Any, repetition: int) -> Any:
        """The judge's reply as the object `form`. Raises _UnreadableError if it is none."""
        request = Request(
            ({"role": "user", "content": prompt},), schema=form.model_json_schema(), max_tokens=MAX_TOKENS
        )
        key = request_key(request, repetition)
        if key not in self._kept.known:
            # Two rows may ask the same at once, as of a true answer they share.
            async with self._asking.setdefault(key, asyncio.Lock()):
                if key not in self._kept.known:
                    self._kept.take(key, await asyncio.to_thread(ask, self._judge, request))
        return _read(self._kept.known[key], form)


class _UnreadableError(Exception):
    """The judge said something that is not what it was asked for."""


def _read(answer: Answered, form: Any) -> Any:
    from pydantic import ValidationError

    text = answer.text[answer.text.find("{") : answer.text.rfind("}") + 1]
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        raise _UnreadableError(answer.failure or answer.text[:200]) from error


def _metrics(llm: Any, embeddings: Any) -> dict[str, Any]:
    from ragas.metrics import collections

    return {
        "faithfulness": collections.Faithfulness(llm=llm),
        "answer_relevancy": collections.AnswerRelevancy(llm=llm, embeddings=embeddings),
        "context_precision": collections.ContextPrecision(llm=llm),
        "context_recall": collections.ContextRecall(llm=llm),
        "factual_correctness": collections.FactualCorrectness(llm=llm),
    }


def _llm(grader: _Grader, repetition: int) -> Any:
    """Any chat as ragas wants its judge."""
    from ragas.llms.base import InstructorBaseRagasLLM

    class ChatJudge(InstructorBaseRagasLLM):
        def generate(self, prompt: str, response_model: Any) -> Any:
            return asyncio.run(self.agenerate(prompt, response_model))

        async def agenerate(self, prompt: str, response_model: Any) -> Any:
            return await grader.ask(prompt, response_model, repetition)

    return ChatJudge()


def _embeddings(embedder: Embedder) -> Any:
    from ragas.embeddings.base import BaseRagasEmbedding

    class Embeddings(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return [float(value) for value in embedder.encode_queries([text])[0]]

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

    return Embeddings()


def _noise(repetitions: Sequence[Sequence[Mapping[str, float]]]) -> dict[str, float | None]:
    """The standard deviation of one grade around the mean of its repetitions, pooled over answers; None if unknown."""
    found: dict[str, float | None] = {}
    for name in RAGAS_ANSWER_METRICS:
        grades_RN = np.array([[value[name] for value in values] for values in repetitions], dtype=np.float64)
        grades_RN = grades_RN[:, ~np.isnan(grades_RN).any(axis=0)] if grades_RN.size else grades_RN.reshape(1, 0)
        known = grades_RN.shape[1] and grades_RN.shape[0] > 1
        found[name] = float(np.sqrt(grades_RN.var(axis=0, ddof=1).mean())) if known else None
    return found
