"""One language model answers from what two retrieval systems find, and the answers are held against each other.

Prompt, decoding and questions are the same for both; only the passages differ. Questions for which both systems found the
same passages get one and the same answer.

Shape suffixes: N questions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from finetune_core.evaluation.answering import ANSWER_METRICS, HEADLINE
from finetune_core.evaluation.asking import Answered, chat_facts
from finetune_core.evaluation.correctness_grades import JUDGED_METRICS
from finetune_core.evaluation.prompt_files import prompt
from finetune_core.evaluation.ragas_answers import RAGAS_ANSWER_METRICS
from finetune_core.evaluation.said import detail
from finetune_core.evaluation.side_by_side import finite, values_in_both
from finetune_core.evaluation.text_similarity import similarity_columns
from finetune_core.evaluation.verdict import outcome_of
from finetune_core.metrics.bootstrap import Interval, holm, paired_interval, value_interval
from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.providers.chat import Request
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Columns, Metric, Prices, Report, Run, measured
from finetune_core.records import Chat, Part, QueryPassages

ANSWER_PROMPT = "answer_from_passages.v1"
NOT_ASKED = "Not asked: the cap was reached."
PANEL_METRICS: dict[str, Metric] = {
    **{name: metric for name, metric in ANSWER_METRICS.items() if name != "right_calls"},
    **RAGAS_ANSWER_METRICS,
    **JUDGED_METRICS,
}
"""All that a panel may hold; which of them it does depends on reference answers and on the judge."""


def questions_with(part: Part[QueryPassages], report: Report, top_k: int) -> Part[Chat]:
    """The questions of the report with the `top_k` passages it found first for each, as a chat is asked.

    The true answer is the question's own, else the quote that answers it, else "". Passages that are not in the part's corpus
    are left out.
    """
    found = {id_: detail["ids"][:top_k] for id_, detail in zip(report.ids, report.details, strict=True)}
    examples = []
    for one in part.examples:
        passages = [part.corpus[id_].full_text for id_ in found[one.id] if id_ in part.corpus.positions]
        system = {"role": "system", "content": prompt(ANSWER_PROMPT, passages=passages)}
        messages = (system, {"role": "user", "content": one.query})
        reference = one.answer or one.evidence
        examples.append(Chat(one.id, messages, {}, one.group, contexts=tuple(passages), reference=reference))
    return Part(part.name, tuple(examples))


def requests_of(part: Part[Chat], answer_tokens: int) -> list[Request]:
    """What the chat is asked, in order."""
    return [Request(example.messages, max_tokens=answer_tokens) for example in part.examples]


def answers_report(
    name: str,
    part: Part[Chat],
    answers: Sequence[Answered | None],
    chat: ChatModel,
    embedder: Embedder,
    run: Run,
    prices: Prices | None = None,
) -> Report:
    """How close the answers are to the true ones: the columns of `similarity_columns`, NaN without a true answer.

    None among the answers stands for a question that was not asked. Facts: what the answers took (see `chat_facts`), and
    `num_not_asked`.
    """
    texts = [
        answer.text if answer is not None and not answer.failure and example.reference else None
        for answer, example in zip(answers, part.examples, strict=True)
    ]
    columns = similarity_columns(texts, [one.reference for one in part.examples], embedder, run.checkpoint)
    details = []
    for row, (answer, example) in enumerate(zip(answers, part.examples, strict=True)):
        value = float(columns[HEADLINE][row])
        note = NOT_ASKED if answer is None else answer.failure
        details.append(
            detail(answer.text if answer else "", example.reference, None if math.isnan(value) else value, note)
        )
    given = [answer for answer in answers if answer is not None]
    facts = {**chat_facts(chat, given, prices), "num_not_asked": len(answers) - len(given)}
    ids, groups = tuple(one.id for one in part.examples), tuple(one.group for one in part.examples)
    return Report(name, ids, groups, columns, tuple(details), facts)


def panel_summary(before: Report, after: Report, num_same: int) -> dict[str, Any]:
    """Both systems and what differs between them, as JSON; `after` minus `before` for each metric that both could score.

    Each metric of `metrics` has its `interval` (paired, resampled by group), both values over the questions scored for both,
    `num_failed` (questions that could not be scored for both), and an `outcome` from a p-value that is corrected for there
    being several metrics (Holm, 1979). `systems` holds each one's values, over the same questions, with their own intervals,
    and its facts. For `num_same` questions both found the same passages.
    """
    metrics = measured(PANEL_METRICS, set(before.columns) & set(after.columns))
    intervals = {
        name: paired_interval(before.columns, after.columns, before.groups, metric) for name, metric in metrics.items()
    }
    scored = {name: interval for name, interval in intervals.items() if interval.num_rows}
    corrected = dict(zip(scored, holm([interval.p_value for interval in scored.values()]), strict=True))
    return {
        "num_questions": len(before.ids),
        "metrics": {
            name: _difference(before, after, metrics[name], interval, corrected[name])
            for name, interval in scored.items()
        },
        "not_scored": [name for name in metrics if name not in scored],
        "systems": [
            _system(report, other, {name: metrics[name] for name in scored})
            for report, other in ((before, after), (after, before))
        ],
        "num_same_passages": num_same,
    }


def same_passages(before: Part[Chat], after: Part[Chat]) -> int:
    """For how many questions both systems found the same passages in the same order."""
    return sum(a.contexts == b.contexts for a, b in zip(before.examples, after.examples, strict=True))


def _difference(before: Report, after: Report, metric: Metric, interval: Interval, p_value: float) -> dict[str, Any]:
    values = values_in_both(before, after, metric)
    return {
        **finite({"before": values[0], "after": values[1]}),
        "interval": finite(asdict(interval)),
        "p_value": p_value,
        "outcome": outcome_of(interval, p_value),
        "num_failed": len(before.ids) - interval.num_rows,
    }


def _system(report: Report, other: Report, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    columns = _scored_in_both(report.columns, other.columns)
    values = {name: value_interval(columns, report.groups, metric) for name, metric in metrics.items()}
    shown = {
        name: finite({"value": one.difference, "low": one.low, "high": one.high, "num_failed": len(report.ids) - one.num_rows})
        for name, one in values.items()
    }  # fmt: skip
    return {"name": report.system, "metrics": shown, "facts": finite(report.facts)}


def _scored_in_both(columns: Columns, other: Columns) -> Columns:
    """The columns (N,) or (N, K), NaN also where the other system could not be scored."""
    return {
        name: np.where(np.isnan(other[name]), np.nan, values) if name in other else values
        for name, values in columns.items()
    }


def scored_questions(part: Part[QueryPassages], num_questions: int, seed: int) -> Part[QueryPassages]:
    """`num_questions` of the part's, drawn by `seed`, in their order; all if there are no more."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(part))[:num_questions])
    return Part(part.name, tuple(part.examples[at] for at in chosen), part.corpus)
