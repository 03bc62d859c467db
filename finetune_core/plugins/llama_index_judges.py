"""Tuned judges as LlamaIndex' evaluators, for use inside one process with Ayar.

They are asked with the prompt they learned, their answers are held to the grades or verdicts there are, and what they say
counts as it counted when they were compared.
"""

import asyncio
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from finetune_core.evaluation import judging
from finetune_core.providers.chat import Chat, Request, RequestRefusedError
from finetune_core.records import Comparison, Judgement, Preference

if TYPE_CHECKING:
    from llama_index.core.evaluation import CorrectnessEvaluator, EvaluationResult, PairwiseComparisonEvaluator

LLAMA_INDEX_SCALE = (1.0, 5.0)
PASSING_SHARE = 0.75
"""Where between the lowest and the highest grade an answer passes: at LlamaIndex' 4 on its scale from 1 to 5."""
UNREADABLE = "There is no {what} in what the judge said."
_SCORES = {Preference.FIRST: 1.0, Preference.TIE: 0.5, Preference.SECOND: 0.0}


def correctness_evaluator(
    chat: Chat,
    *,
    learned_scale: tuple[float, float] = LLAMA_INDEX_SCALE,
    scale: tuple[float, float] = LLAMA_INDEX_SCALE,
    score_threshold: float | None = None,
    with_feedback: bool = False,
) -> "CorrectnessEvaluator":
    """A LlamaIndex `CorrectnessEvaluator` that asks `chat`, a judge tuned by `judge_correctness`, for the grades.

    `learned_scale` is the lowest and the highest grade of the examples it learned from: it is asked on that scale, and its
    grades are moved evenly to `scale`, LlamaIndex' 1 to 5. An answer passes from `score_threshold`, three quarters of the way
    up unless given. Where no grade can be read, the result is invalid, with what was said as feedback. ValueError for a scale
    that does not rise.
    """
    if learned_scale[0] >= learned_scale[1] or scale[0] >= scale[1]:
        raise ValueError(f"a scale goes from its lowest to its highest grade, not {learned_scale} or {scale}")
    threshold = scale[0] + PASSING_SHARE * (scale[1] - scale[0]) if score_threshold is None else score_threshold
    made: CorrectnessEvaluator = _correctness_class()(chat, learned_scale, scale, threshold, with_feedback)
    return made


def pairwise_evaluator(
    chat: Chat, *, enforce_consensus: bool = True, with_feedback: bool = False
) -> "PairwiseComparisonEvaluator":
    """A LlamaIndex `PairwiseComparisonEvaluator` that asks `chat`, a judge tuned by `judge_pairwise`.

    The score is 1 where `response` is better, 0 where `second_response` is, 0.5 for a tie. With `enforce_consensus` it is
    asked in both orders and a verdict stands only if both give it, as when judges are compared; else the result is a tie
    from neither order. LlamaIndex' own evaluator would also let one verdict stand against a tie. Where no verdict can be
    read, the result is invalid, with what was said as feedback.
    """
    made: PairwiseComparisonEvaluator = _pairwise_class()(chat, enforce_consensus, with_feedback)
    return made


@functools.cache
def _correctness_class() -> Any:
    """Defined on first use: importing LlamaIndex takes seconds, and only this needs it."""
    from llama_index.core.evaluation import CorrectnessEvaluator, EvaluationResult
    from llama_index.core.llms import MockLLM

    class TunedCorrectnessEvaluator(CorrectnessEvaluator):
        def __init__(
            self, chat: Chat, learned: tuple[float, float], scale: tuple[float, float], threshold: float, reason: bool
        ) -> None:
            super().__init__(llm=MockLLM(), score_threshold=threshold)  # it wants one at hand, and asks it nothing
            self._chat, self._learned, self._scale = chat, learned, scale
            self._threshold, self._with_feedback = threshold, reason

        async def aevaluate(
            self,
            query: str | None = None,
            response: str | None = None,
            contexts: Sequence[str] | None = None,
            reference: str | None = None,
            sleep_time_in_seconds: int = 0,
            **kwargs: Any,
        ) -> EvaluationResult:
            if query is None or response is None:
                raise ValueError("query and response must be given")
            await asyncio.sleep(sleep_time_in_seconds)
            lowest, highest = self._learned
            asked = Judgement("", query, response, lowest, "", reference or "", "", lowest, highest)
            said = await _said(self._chat, judging.correctness_request(asked, with_feedback=self._with_feedback))
            grade = judging.read_score(said, lowest, highest)
            result = EvaluationResult(query=query, response=response, feedback=judging.read_reason(said) or said)
            if grade is None:
                _mark_invalid(result, "grade")
                return result
            start, end = self._scale
            result.score = start + (grade - lowest) / (highest - lowest) * (end - start)
            result.passing = result.score >= self._threshold
            return result

        def _get_prompts(self) -> dict[str, Any]:
            return {}

        def _update_prompts(self, prompts: Any) -> None:
            """It was tuned for one prompt."""

    return TunedCorrectnessEvaluator


@functools.cache
def _pairwise_class() -> Any:
    """Defined on first use, as above."""
    from llama_index.core.evaluation import EvaluationResult, PairwiseComparisonEvaluator
    from llama_index.core.evaluation.pairwise import EvaluationSource
    from llama_index.core.llms import MockLLM

    class TunedPairwiseEvaluator(PairwiseComparisonEvaluator):
        def __init__(self, chat: Chat, enforce_consensus: bool, with_feedback: bool) -> None:
            super().__init__(llm=MockLLM(), enforce_consensus=enforce_consensus)  # asked nothing
            self._chat, self._asks_twice, self._with_feedback = chat, enforce_consensus, with_feedback

        async def aevaluate(
            self,
            query: str | None = None,
            response: str | None = None,
            contexts: Sequence[str] | None = None,
            second_response: str | None = None,
            reference: str | None = None,
            sleep_time_in_seconds: int = 0,
            **kwargs: Any,
        ) -> EvaluationResult:
            if query is None or response is None or second_response is None:
                raise ValueError("query, response and second_response must be given")
            await asyncio.sleep(sleep_time_in_seconds)
            pair = Comparison("", query, response, second_response, Preference.TIE, "", reference or "")
            result, verdict = await self._judged(pair)
            if verdict is None or not self._asks_twice:
                return result
            flipped, turned = await self._judged(judging.swapped(pair))
            if turned is None:
                return flipped
            if verdict == judging.turned_back(turned):
                return result
            neither = EvaluationSource.NEITHER
            return EvaluationResult(query=query, response="", score=0.5, feedback="", pairwise_source=neither)

        async def _judged(self, pair: Comparison) -> tuple[EvaluationResult, Preference | None]:
            said = await _said(self._chat, judging.pairwise_request(pair, with_feedback=self._with_feedback))
            verdict = judging.read_preference(said)
            result = EvaluationResult(query=pair.query, response=said, feedback=judging.read_reason(said) or said)
            if verdict is None:
                _mark_invalid(result, "verdict")
                return result, None
            result.score, result.pairwise_source = _SCORES[verdict], EvaluationSource.ORIGINAL
            result.passing = None if verdict is Preference.TIE else verdict is Preference.FIRST
            return result, verdict

        def _get_prompts(self) -> dict[str, Any]:
            return {}

        def _update_prompts(self, prompts: Any) -> None:
            """It was tuned for one prompt."""

    return TunedPairwiseEvaluator


async def _said(chat: Chat, request: Request) -> str:
    """What the chat answers, at temperature 0; why it would not, where this one request is at fault."""

    def ask() -> str:
        try:
            return chat.complete(
                request.messages, schema=request.schema, max_tokens=request.max_tokens, temperature=0
            ).text
        except RequestRefusedError as error:
            return str(error)

    return await asyncio.to_thread(ask)


def _mark_invalid(result: "EvaluationResult", what: str) -> None:
    result.invalid_result, result.invalid_reason = True, UNREADABLE.format(what=what)
