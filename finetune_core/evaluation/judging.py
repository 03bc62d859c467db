"""Judges that are language models: what they are asked, what they say, and how well it agrees with people or a stronger judge.

Two kinds: one grades a single answer (Liu et al., G-Eval, 2023; LlamaIndex' CorrectnessEvaluator), one compares two
(Zheng et al., Judging LLM-as-a-Judge, 2023). The second is asked in both orders, since many judges prefer a place to an
answer: where the two verdicts contradict each other, the pair counts as a tie, and as a flip.

Shape suffixes: N examples.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from finetune_core.evaluation.asking import Answered, ask_all, chat_facts
from finetune_core.evaluation.prompt_files import prompt
from finetune_core.evaluation.said import Said, detail
from finetune_core.evaluation.side_by_side import NO_SYSTEM, TEACHER
from finetune_core.metrics.agreement import Kappa, MeanError, Pearson, Spearman, WeightedKappa
from finetune_core.metrics.ranking import Mean
from finetune_core.metrics.ratios import Ratio
from finetune_core.providers.chat import Chat, Message, Request
from finetune_core.recipe import Metric, Prices, Report, Run
from finetune_core.records import Comparison, Judgement, Part, Preference, content_id

CORRECTNESS_PROMPT, PAIRWISE_PROMPT = "judge_correctness.v1", "judge_pairwise.v1"
SCORE_TOKENS, REASON_TOKENS = 24, 300
LEARNED_SCALE = "learned_scale"
"""The fact of a tuned judge that holds the lowest and the highest grade of the examples it learned from."""

CORRECTNESS_METRICS: dict[str, Metric] = {
    "weighted_kappa": WeightedKappa(),
    "mean_absolute_error": MeanError(is_absolute=True),
    "bias": MeanError(),
    "pearson": Pearson(),
    "spearman": Spearman(),
    "answered": Mean("answered"),
}
"""Of columns whose scores run from 0 (lowest) to 1 (highest of the scale), so that scales can be mixed."""

PAIRWISE_METRICS: dict[str, Metric] = {
    "agreement": Mean("agrees"),
    "kappa": Kappa(3),
    "coverage": Mean("decided"),
    "flip_rate": Mean("flipped"),
    "agreement_where_decided": Ratio("agrees_decided", ("decided",)),
}
"""Agreement is over all pairs, those without a usable verdict counting as ties."""

_CLASS = {Preference.FIRST: 0.0, Preference.TIE: 1.0, Preference.SECOND: 2.0}


@dataclass(frozen=True)
class ChatJudge:
    """A language model that judges; `prices` are those of its service, None for a local one."""

    name: str
    chat: Chat
    with_feedback: bool = False
    prices: Prices | None = None

    @property
    def fingerprint(self) -> str:
        """Changes whenever the verdicts may."""
        identity = str(getattr(self.chat, "fingerprint", self.chat.name))
        return content_id("judge", identity, CORRECTNESS_PROMPT, PAIRWISE_PROMPT, str(self.with_feedback))

    def ask(self, requests: Sequence[Request], run: Run, *, keep: bool = True) -> list[Answered]:
        """The answers in order, kept in the run's folder; or, where a person typed the request, shown as they grow."""
        kept = run.workdir / f"answers-{self.fingerprint}.jsonl" if keep else None
        return ask_all(self.chat, requests, run, kept, None if keep else run.on_text)


@dataclass(frozen=True)
class Raters:
    """One human rater, drawn by `seed`, against the others: the ceiling, where several people judged."""

    name: str = "human raters"
    seed: int = 0


def correctness_messages(example: Judgement, *, with_feedback: bool) -> tuple[Message, ...]:
    """What a judge of single answers is asked, in training and in use."""
    text = prompt(
        CORRECTNESS_PROMPT,
        query=example.query,
        response=example.response,
        reference=example.reference,
        lowest=f"{example.lowest:g}",
        highest=f"{example.highest:g}",
        with_feedback=with_feedback,
    )
    return ({"role": "user", "content": text},)


def correctness_answer(example: Judgement, *, with_feedback: bool) -> str:
    """What a judge of single answers should say: the nearest whole score, its reason first if it is to give one."""
    said = {"reason": example.feedback} if with_feedback else {}
    return json.dumps({**said, "score": round(example.score)}, ensure_ascii=False)


def correctness_request(example: Judgement, *, with_feedback: bool) -> Request:
    """One question to a judge of single answers, its answer held to a whole score within the scale."""
    scores = list(range(round(example.lowest), round(example.highest) + 1))
    schema = _schema({"score": {"type": "integer", "enum": scores}}, with_feedback)
    return Request(
        correctness_messages(example, with_feedback=with_feedback),
        schema=schema,
        max_tokens=REASON_TOKENS if with_feedback else SCORE_TOKENS,
    )


def pairwise_messages(example: Comparison, *, with_feedback: bool) -> tuple[Message, ...]:
    """What a judge of pairs is asked, in the order of the example."""
    text = prompt(
        PAIRWISE_PROMPT,
        query=example.query,
        reference=example.reference,
        first=example.first,
        second=example.second,
        with_feedback=with_feedback,
    )
    return ({"role": "user", "content": text},)


def pairwise_answer(example: Comparison, *, with_feedback: bool) -> str:
    """What a judge of pairs should say."""
    said = {"reason": example.feedback} if with_feedback else {}
    letter = {Preference.FIRST: "A", Preference.SECOND: "B", Preference.TIE: "tie"}[Preference(example.winner)]
    return json.dumps({**said, "better": letter}, ensure_ascii=False)


def pairwise_request(example: Comparison, *, with_feedback: bool) -> Request:
    """One question to a judge of pairs, its answer held to A, B or tie."""
    schema = _schema({"better": {"type": "string", "enum": ["A", "B", "tie"]}}, with_feedback)
    return Request(
        pairwise_messages(example, with_feedback=with_feedback),
        schema=schema,
        max_tokens=REASON_TOKENS if with_feedback else SCORE_TOKENS,
    )


def swapped(example: Comparison) -> Comparison:
    """The same pair in the other order."""
    other = {Preference.FIRST: Preference.SECOND, Preference.SECOND: Preference.FIRST}
    winner = other.get(Preference(example.winner), Preference.TIE)
    return replace(example, first=example.second, second=example.first, winner=winner)


def read_score(text: str, lowest: float, highest: float) -> float | None:
    """The score in a judge's answer, None if there is none within the scale."""
    score = _field(text, "score")
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    return float(score) if is_number and lowest <= score <= highest else None


def read_preference(text: str) -> Preference | None:
    """Which answer a judge of pairs prefers, None if it does not say."""
    letters = {"A": Preference.FIRST, "B": Preference.SECOND, "tie": Preference.TIE}
    found = _field(text, "better")
    return letters.get(found) if isinstance(found, str) else None


def turned_back(preference: Preference | None) -> Preference | None:
    """What a verdict on a pair in the other order says about the pair itself."""
    return {Preference.FIRST: Preference.SECOND, Preference.SECOND: Preference.FIRST}.get(preference, preference)  # type: ignore[arg-type]


def read_reason(text: str) -> str:
    """The reason in a judge's answer, "" if it gives none."""
    return str(_field(text, "reason") or "")


def evaluate_correctness(judge: ChatJudge, part: Part[Judgement], run: Run) -> Report:
    """Grade every answer of the part. Columns `true`, `predicted` (0 to 1 within the scale) and `answered` (N,).

    An answer without a score is NaN in `predicted` and 0 in `answered`.
    """
    requests = [correctness_request(one, with_feedback=judge.with_feedback) for one in part.examples]
    answers = judge.ask(requests, run)
    scores = [read_score(a.text, e.lowest, e.highest) for a, e in zip(answers, part.examples, strict=True)]
    return _correctness_report(judge.name, part, scores, [a.text for a in answers], _facts(judge, answers))


def evaluate_pairwise(judge: ChatJudge, part: Part[Comparison], run: Run) -> Report:
    """Judge every pair of the part in both orders.

    Columns (N,): `true` and `predicted` (0 first, 1 tie, 2 second), `agrees`, `decided` (both orders gave one verdict),
    `flipped` (they contradict each other) and `agrees_decided`, each 0 or 1.
    """
    both = [order for one in part.examples for order in (one, swapped(one))]
    answers = judge.ask([pairwise_request(one, with_feedback=judge.with_feedback) for one in both], run)
    said = [read_preference(answer.text) for answer in answers]
    forward, backward = said[::2], [turned_back(one) for one in said[1::2]]
    notes = [f"{a.text} | {b.text}" for a, b in zip(answers[::2], answers[1::2], strict=True)]
    return _pairwise_report(judge.name, part, forward, backward, notes, _facts(judge, answers))


def answer_correctness(judge: ChatJudge, example: Judgement, run: Run) -> Said:
    """The grade of one answer; nothing of it is kept."""
    [answer] = judge.ask([correctness_request(example, with_feedback=judge.with_feedback)], run, keep=False)
    score = read_score(answer.text, example.lowest, example.highest)
    if score is None:
        return Said(answer.text, answer.failure or "There is no grade in this answer.")
    return Said(f"{score:g}", read_reason(answer.text))


def answer_pairwise(judge: ChatJudge, example: Comparison, run: Run) -> Said:
    """Which of two answers is better, asked in both orders; nothing of it is kept."""
    orders = (example, swapped(example))
    answers = judge.ask([pairwise_request(one, with_feedback=judge.with_feedback) for one in orders], run, keep=False)
    said, turned = read_preference(answers[0].text), turned_back(read_preference(answers[1].text))
    reason = read_reason(answers[0].text)
    if said is None or turned is None:
        return Said(answers[0].text, answers[0].failure or "There is no verdict in this answer.")
    if said != turned:
        return Said(
            str(Preference.TIE), "It prefers the other answer when their order is swapped, so this counts as a tie."
        )
    return Said(str(said), reason)


def rater_correctness(name: str, part: Part[Judgement], seed: int) -> Report:
    """What people reach among themselves: one rater of each answer, drawn by `seed`, against the mean of its others.

    NaN where fewer than two raters judged.
    """
    random = np.random.default_rng(seed)
    drawn: list[float | None] = []
    others: list[Judgement] = []
    for one in part.examples:
        chosen = int(random.integers(max(1, len(one.ratings))))
        rest = [rating for number, rating in enumerate(one.ratings) if number != chosen]
        drawn.append(one.ratings[chosen] if rest else None)
        others.append(replace(one, score=float(np.mean(rest)) if rest else one.score))
    return _correctness_report(
        name, replace(part, examples=tuple(others)), drawn, [""] * len(part), {TEACHER: True, NO_SYSTEM: True}
    )


def rater_pairwise(name: str, part: Part[Comparison], seed: int) -> Report:
    """What people reach among themselves: one rater of each pair, drawn by `seed`, against the majority of its others.

    Without a majority the others count as a tie; NaN where fewer than two raters judged.
    """
    random = np.random.default_rng(seed)
    drawn: list[Preference | None] = []
    others: list[Comparison] = []
    for one in part.examples:
        chosen = int(random.integers(max(1, len(one.votes))))
        rest = [vote for number, vote in enumerate(one.votes) if number != chosen]
        drawn.append(Preference(one.votes[chosen]) if rest else None)
        others.append(replace(one, winner=majority(rest) if rest else one.winner))
    report = _pairwise_report(
        name, replace(part, examples=tuple(others)), drawn, drawn, [""] * len(part), {TEACHER: True, NO_SYSTEM: True}
    )
    unknown_N = np.array([vote is None for vote in drawn], dtype=bool)
    columns = {key: np.where(unknown_N, np.nan, values) for key, values in report.columns.items()}
    return replace(report, columns=columns)


def majority(votes: Sequence[str]) -> Preference:
    """The preference more than half voted for, else a tie."""
    return next((each for each in Preference if 2 * sum(vote == each for vote in votes) > len(votes)), Preference.TIE)


def constant_correctness(name: str, part: Part[Judgement], share: float) -> Report:
    """What giving every answer the same score (`share` of its scale, 0 to 1) would reach."""
    scores: list[float | None] = [one.lowest + share * (one.highest - one.lowest) for one in part.examples]
    return _correctness_report(name, part, scores, [""] * len(part), {})


def constant_pairwise(name: str, part: Part[Comparison], choose: Callable[[Comparison], Preference]) -> Report:
    """What a rule that reads no meaning (always the first, the longer one) would reach."""
    said: list[Preference | None] = [choose(one) for one in part.examples]
    turned = [turned_back(choose(swapped(one))) for one in part.examples]
    return _pairwise_report(name, part, said, turned, [""] * len(part), {})


def _correctness_report(
    name: str, part: Part[Judgement], scores: Sequence[float | None], notes: Sequence[str], facts: dict[str, Any]
) -> Report:
    shares = [
        np.nan if score is None else (score - one.lowest) / (one.highest - one.lowest)
        for score, one in zip(scores, part.examples, strict=True)
    ]
    true_N = np.array(
        [(one.score - one.lowest) / (one.highest - one.lowest) for one in part.examples], dtype=np.float64
    )
    predicted_N = np.array(shares, dtype=np.float64)
    details = [
        detail("" if score is None else f"{score:g}", f"{one.score:g}", _closeness(score, one), note)
        for one, score, note in zip(part.examples, scores, notes, strict=True)
    ]
    columns = {"true": true_N, "predicted": predicted_N, "answered": (~np.isnan(predicted_N)).astype(np.float64)}
    return _report(name, part, columns, details, facts)


def _pairwise_report(
    name: str,
    part: Part[Comparison],
    forward: Sequence[Preference | None],
    backward: Sequence[Preference | None],
    notes: Sequence[str],
    facts: dict[str, Any],
) -> Report:
    rows, details = [], []
    for one, said, turned, note in zip(part.examples, forward, backward, notes, strict=True):
        decided = said is not None and said == turned
        verdict = said if decided and said is not None else Preference.TIE
        agrees = verdict == one.winner
        flipped = said is not None and turned is not None and said != turned
        rows.append((_CLASS[Preference(one.winner)], _CLASS[verdict], agrees, decided, flipped, agrees and decided))
        details.append(detail(str(verdict), one.winner, float(agrees), note))
    names = ("true", "predicted", "agrees", "decided", "flipped", "agrees_decided")
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return _report(name, part, dict(zip(names, table.T, strict=True)), details, facts)


def _report(name: str, part: Part[Any], columns: Any, details: Sequence[Any], facts: dict[str, Any]) -> Report:
    ids = tuple(one.id for one in part.examples)
    return Report(name, ids, tuple(one.group for one in part.examples), columns, tuple(details), facts)


def _closeness(score: float | None, example: Judgement) -> float | None:
    return None if score is None else 1 - abs(score - example.score) / (example.highest - example.lowest)


def _facts(judge: ChatJudge, answers: Sequence[Answered]) -> dict[str, Any]:
    return chat_facts(judge.chat, answers, judge.prices)


def _schema(fields: Mapping[str, Any], with_feedback: bool) -> dict[str, Any]:
    properties = {**({"reason": {"type": "string"}} if with_feedback else {}), **fields}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _field(text: str, name: str) -> Any:
    """A field of the JSON in a model's answer, also inside a code fence or chatter; None if it is not there."""
    try:
        found = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except ValueError:
        return None
    return found.get(name) if isinstance(found, dict) else None
