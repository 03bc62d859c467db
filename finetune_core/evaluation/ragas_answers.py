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
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from finetune_core.evaluation.asking import Answered, KeptAnswers, ask, cost_facts, request_key
from finetune_core.evaluation.said import conversation_text
from finetune_core.metrics.ranking import Mean
from finetune_core.providers.chat import CapReachedError, Request, estimated_tokens
from finetune_core.providers.chat import Chat as ChatModel
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
MAX_VERDICTS, MAX_CHARACTERS = 12, 300
"""So much of what the judge said is kept for each grade, and of each text in it."""

_PROMPT_TOKENS, _SAID_TOKENS = 800, 150  # of ragas' own instructions and examples, and of a usual reply


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

    NaN for the others, and where a metric needs what the example has not (passages, a true answer), the judge's reply could
    not be read, or a cap kept the judge from being asked. The details of these answers gain `judged`: for each metric that
    was asked for its `grade` (None if there is none), and in `said` the judge's verdicts (`text`, `verdict`, `reason`). Facts:
    `judge` with its name, tokens, cost, `num_judged`, `num_unreadable`, `num_capped` and `noise` (the standard deviation of a
    grade of the same answer, by metric). What the judge said is kept in the run's folder. Raises ProviderError if the
    judge fails altogether.
    """
    chosen = np.sort(np.random.default_rng(run.seed).permutation(len(part))[:max_answers])
    rows = [_Row.of(part.examples[number], report.details[number]["answer"]) for number in chosen]
    kept = KeptAnswers(run.workdir / f"judged-{content_id(str(getattr(judge, 'fingerprint', judge.name)))}.jsonl")
    grader = _Grader(judge, embedder, kept, run.checkpoint)
    graded = grader.grade(rows, 0, lambda done: run.progress(done, f"{judge.name} grades {report.system}"))
    again = [grader.grade(rows[:NUM_REPEATED], number, lambda _: None) for number in range(1, NUM_REPETITIONS)]
    columns, details = dict(report.columns), list(report.details)
    for name in RAGAS_ANSWER_METRICS:
        columns[name] = np.full(len(part), np.nan)
        columns[name][chosen] = [grades[name].value if name in grades else math.nan for grades in graded]
    for number, grades in zip(chosen, graded, strict=True):
        judged_by = {name: grade.as_json() for name, grade in grades.items()}
        details[number] = {**details[number], "judged": judged_by}
    facts = {
        "name": judge.name,
        **cost_facts([kept.known[key] for key in sorted(grader.used)], prices),
        "num_judged": len(rows),
        "num_unreadable": grader.num_unreadable,
        "num_capped": grader.num_capped,
        "noise": _noise([graded[:NUM_REPEATED], *again]),
    }
    return replace(report, columns=columns, details=tuple(details), facts={**report.facts, "judge": facts})


def judge_effort(part: Part[Chat], answer_tokens: int, max_answers: int) -> tuple[int, int, int]:
    """About how many calls grading the answers to `max_answers` of these takes, and how many tokens they give and take.

    `answer_tokens` is how long an answer is. Repetitions, which show the judge's noise, are counted.
    """
    calls = given = 0
    share = min(1.0, max_answers / max(1, len(part)))
    for example in part.examples:
        row = _Row.of(example, "-")
        passages, reference = sum(map(estimated_tokens, row.contexts)), estimated_tokens(row.reference)
        for name in row.wanted():
            num, texts = {
                "faithfulness": (2, passages + 2 * answer_tokens),
                "answer_relevancy": (1, answer_tokens),
                "context_precision": (len(row.contexts), passages + len(row.contexts) * reference),
                "context_recall": (1, passages + reference),
                "factual_correctness": (4, 3 * (answer_tokens + reference)),
            }[name]
            calls, given = calls + num, given + num * _PROMPT_TOKENS + texts
    repeated = 1 + (NUM_REPETITIONS - 1) * min(NUM_REPEATED, max_answers) / max(1, min(max_answers, len(part)))
    num_calls = math.ceil(calls * share * repeated)
    return num_calls, math.ceil(given * share * repeated), num_calls * _SAID_TOKENS


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


@dataclass(slots=True)
class _Grade:
    """One metric of one answer; `said` are the judge's verdicts on single statements or passages."""

    value: float = math.nan
    said: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"grade": None if math.isnan(self.value) else self.value, "said": self.said[:MAX_VERDICTS]}


_listening: ContextVar[list[dict[str, Any]]] = ContextVar("_listening")  # ragas keeps what the judge said to itself


class _Grader:
    """ragas' metrics over one judge; what the judge said before is not asked again."""

    def __init__(self, judge: ChatModel, embedder: Embedder, kept: KeptAnswers, checkpoint: Callable[[], None]) -> None:
        os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # before the import, or it phones home
        self._judge, self._kept, self._checkpoint = judge, kept, checkpoint
        self._embedder = embedder
        self._asking: dict[str, asyncio.Lock] = {}
        self.used: set[str] = set()
        self.num_unreadable = self.num_capped = 0

    def grade(self, rows: Sequence[_Row], repetition: int, tell: Callable[[float], None]) -> list[dict[str, _Grade]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ragas' imports warn of deprecations, and it leaves a file of its own open
            metrics = _metrics(_llm(self, repetition), _embeddings(self._embedder))
            return asyncio.run(self._grade(metrics, rows, tell))

    async def _grade(
        self, metrics: Mapping[str, Any], rows: Sequence[_Row], tell: Callable[[float], None]
    ) -> list[dict[str, _Grade]]:
        at_once = asyncio.Semaphore(max(1, self._judge.num_parallel))
        num_done = 0

        async def one(row: _Row) -> dict[str, _Grade]:
            nonlocal num_done
            async with at_once:
                self._checkpoint()
                found = {name: await self._value(metrics[name], given) for name, given in row.wanted().items()}
                num_done += 1
                tell(num_done / len(rows))
                return found

        # Not a task group: that would hide the error of a service, or a stop, in a group of errors.
        return list(await asyncio.gather(*(one(row) for row in rows)))

    async def _value(self, metric: Any, given: Mapping[str, Any]) -> _Grade:
        grade = _Grade()
        _listening.set(grade.said)
        try:
            grade.value = float((await metric.ascore(**given)).value)
        except _UnreadableError:
            self.num_unreadable += 1
        except CapReachedError:
            self.num_capped += 1
        return grade

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
        self.used.add(key)
        reply = _read(self._kept.known[key], form)
        said = _listening.get()
        # Of passages the order tells which is meant; a question asked three times over is said once.
        said += [one for one in _verdicts(reply.model_dump()) if not one["text"] or one not in said]
        return reply


class _UnreadableError(Exception):
    """The judge said something that is not what it was asked for."""


def _read(answer: Answered, form: Any) -> Any:
    from pydantic import ValidationError

    text = answer.text[answer.text.find("{") : answer.text.rfind("}") + 1]
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        raise _UnreadableError(answer.failure or answer.text[:200]) from error


def _verdicts(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """What a reply of the judge says of single statements or of a passage; of a list without verdicts, nothing."""
    listed = [one for value in reply.values() if isinstance(value, list) for one in value if isinstance(one, dict)]
    found = []
    for one in listed or [reply]:
        verdict, text = one.get("verdict", one.get("attributed")), one.get("statement") or one.get("question") or ""
        if verdict is not None or text:
            reason = str(one.get("reason") or "")[:MAX_CHARACTERS]
            is_met = None if verdict is None else bool(verdict)
            found.append({"text": str(text)[:MAX_CHARACTERS], "verdict": is_met, "reason": reason})
    return found


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


def _noise(repetitions: Sequence[Sequence[Mapping[str, _Grade]]]) -> dict[str, float | None]:
    """The standard deviation of one grade around the mean of its repetitions, pooled over answers; None if unknown."""
    found: dict[str, float | None] = {}
    for name in RAGAS_ANSWER_METRICS:
        values = [[grades[name].value if name in grades else math.nan for grades in graded] for graded in repetitions]
        grades_RN = np.array(values, dtype=np.float64)
        grades_RN = grades_RN[:, ~np.isnan(grades_RN).any(axis=0)] if grades_RN.size else grades_RN.reshape(1, 0)
        known = grades_RN.shape[1] and grades_RN.shape[0] > 1
        found[name] = float(np.sqrt(grades_RN.var(axis=0, ddof=1).mean())) if known else None
    return found
