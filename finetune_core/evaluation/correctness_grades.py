"""Answers graded by a tuned judge of correctness, which is trusted only as far as its own comparison says.

Shape suffixes: N answers.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from finetune_core.errors import ArtefactError
from finetune_core.evaluation.asking import KeptAnswers, ask_all, cost_facts
from finetune_core.evaluation.judging import LEARNED_SCALE, ChatJudge, correctness_request, read_score
from finetune_core.evaluation.said import conversation_text
from finetune_core.metrics.ranking import Mean
from finetune_core.providers.chat import CapReachedError
from finetune_core.recipe import Measured, Metric, Report, Run
from finetune_core.records import Chat, Judgement, Part

JUDGED_METRICS: dict[str, Metric] = {"judged_correctness": Mean("judged_correctness")}
"""A tuned judge's grade of each answer, from 0 (lowest of its scale) to 1 (highest)."""
JUDGE_RECIPE = "judge_correctness"
CALIBRATION = ("weighted_kappa", "mean_absolute_error", "bias", "pearson", "answered")
"""What a judge's own comparison has to say of it before it may judge others; bias and error are shares of its scale."""
USUAL_SCALE = (1.0, 5.0)


def calibration_of(name: str, found: Measured | None) -> dict[str, Any]:
    """What is known of a tuned judge, as JSON: `comparison_id`, `dataset`, `num_examples`, `scale`, and for each of
    `CALIBRATION` its `value`, `low` and `high`.

    Raises ArtefactError if it was never compared, if it is no judge of correctness, or if its comparison could not score it.
    """
    if found is None:
        raise ArtefactError(
            f"Nobody knows how far to trust the judge {name}: it was never compared with the grades it should give.",
            hint="Compare it first, on the Compare page, and choose it again.",
        )
    if found.recipe != JUDGE_RECIPE:
        raise ArtefactError(
            f"The model {found.name} was tuned by the recipe {found.recipe}, so it cannot grade answers.",
            hint="Choose a model of the recipe for correctness judges, or a model service.",
        )
    metrics = {metric: dict(found.metrics.get(metric) or {}) for metric in CALIBRATION}
    if metrics["weighted_kappa"].get("value") is None or metrics["mean_absolute_error"].get("value") is None:
        raise ArtefactError(
            f"Nobody knows how far to trust the judge {found.name}: its comparison could not score it.",
            hint="Compare it on a dataset version with more test examples.",
        )
    return {
        "comparison_id": found.comparison_id,
        "dataset": found.dataset,
        "num_examples": found.num_examples,
        "scale": list(found.facts.get(LEARNED_SCALE) or USUAL_SCALE),
        "metrics": metrics,
    }


def correctness_graded(
    report: Report, part: Part[Chat], judge: ChatJudge, calibration: Mapping[str, Any], run: Run, *, max_answers: int
) -> Report:
    """The report with the column `judged_correctness` (N,), for `max_answers` answers chosen by the run's seed.

    NaN for the others, for answers that are empty, and where the judge gave no grade or a cap kept it from being asked. The
    details of these answers gain `judged`, as `ragas_answers.judged` writes it. Facts: `judge` with its name, tokens, cost,
    `num_judged`, `num_unreadable`, `num_capped` and `calibration`.
    """
    chosen = np.sort(np.random.default_rng(run.seed).permutation(len(part))[:max_answers])
    lowest, highest = calibration["scale"]
    asked = {int(at): _graded(part.examples[at], report.details[at]["answer"], lowest, highest) for at in chosen}
    asked = {at: one for at, one in asked.items() if one.response.strip()}
    requests = {at: correctness_request(one, with_feedback=judge.with_feedback) for at, one in asked.items()}
    kept = run.workdir / f"judged-{judge.fingerprint}.jsonl"
    with suppress(CapReachedError):  # what was answered until then is kept
        ask_all(judge.chat, list(requests.values()), run, kept)
    known = KeptAnswers(kept).answers(list(requests.values()))
    column_N, details = np.full(len(part), np.nan), list(report.details)
    for at, answer in zip(requests, known, strict=True):
        score = None if answer is None else read_score(answer.text, lowest, highest)
        grade = None if score is None else (score - lowest) / (highest - lowest)
        column_N[at] = math.nan if grade is None else grade
        said = [] if answer is None else [{"text": answer.text, "verdict": None, "reason": ""}]
        details[at] = {**details[at], "judged": {"judged_correctness": {"grade": grade, "said": said}}}
    answered = [answer for answer in known if answer is not None]
    facts = {
        "name": judge.name,
        **cost_facts(answered, judge.prices),
        "num_judged": len(chosen),
        "num_unreadable": sum(read_score(answer.text, lowest, highest) is None for answer in answered),
        "num_capped": len(known) - len(answered),
        "calibration": dict(calibration),
    }
    columns = {**report.columns, "judged_correctness": column_N}
    return replace(report, columns=columns, details=tuple(details), facts={**report.facts, "judge": facts})


def _graded(example: Chat, answer: str, lowest: float, highest: float) -> Judgement:
    question = conversation_text(example.messages[-1:])
    return Judgement(
        example.id, question, answer, lowest, example.group, example.reference, lowest=lowest, highest=highest
    )
