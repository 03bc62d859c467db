"""What the numbers mean, in plain sentences: better, worse, or no difference that so many questions could show.

The verdict is on one metric, named beforehand (the recipe's headline). With several runs, the one that did best on
the validation questions is the candidate and carries it alone, because it was picked without looking at the test;
where that is not known for every run, the p-values are corrected for being several (Holm, 1979), and the run with the
strongest evidence for being better is the candidate, unless the recommendation (see `frontier`) names another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from finetune_core.metrics.bootstrap import Interval, holm
from finetune_core.wording import counted, signed

SIGNIFICANCE = 0.05
FEW_GROUPS = 10


class Outcome(StrEnum):
    """What a comparison showed on its headline metric."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"
    NOT_SCORED = "not_scored"


@dataclass(frozen=True, slots=True)
class Contrast:
    """One tuned system against the one it started from, on the headline metric.

    `before` and `after` are the two values over the rows scored in both; `validation` is what the run was chosen by
    on the validation questions, None where unknown.
    """

    name: str
    before: float
    after: float
    interval: Interval
    validation: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one tuned system: the outcome and one sentence, which holds numbers and no names.

    `p_value` is corrected where several runs compete; `is_corrected` says so. `is_exploratory` marks a run that was
    not the candidate: its sentence is something to try again, not a result.
    """

    outcome: Outcome
    sentence: str
    p_value: float
    is_corrected: bool = False
    is_exploratory: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts of all contrasts, in order, and the position of the one that counts."""

    verdicts: tuple[Verdict, ...]
    candidate: int


def judge(contrasts: Sequence[Contrast], metric: str) -> Judgement:
    """A verdict for each contrast, and which is the candidate. ValueError if there is none."""
    if not contrasts:
        raise ValueError("nothing to judge")
    if all(contrast.validation is not None for contrast in contrasts):
        candidate = max(range(len(contrasts)), key=lambda i: (contrasts[i].validation or 0.0, -i))
        p_values, is_corrected = [contrast.interval.p_value for contrast in contrasts], False
    else:
        p_values = holm([contrast.interval.p_value for contrast in contrasts])
        candidate, is_corrected = _strongest(contrasts, p_values), len(contrasts) > 1
    verdicts = tuple(
        Verdict(
            outcome=outcome_of(contrast.interval, p_value),
            sentence=sentence_of(contrast, metric, outcome_of(contrast.interval, p_value)),
            p_value=p_value,
            is_corrected=is_corrected,
            is_exploratory=not is_corrected and i != candidate,
        )
        for i, (contrast, p_value) in enumerate(zip(contrasts, p_values, strict=True))
    )
    return Judgement(verdicts, candidate)


def _strongest(contrasts: Sequence[Contrast], p_values: Sequence[float]) -> int:
    """The position of the one that is better with the least doubt; where none is better, that of the least doubt."""
    intervals = [contrast.interval for contrast in contrasts]
    is_better = [outcome_of(*pair) is Outcome.BETTER for pair in zip(intervals, p_values, strict=True)]
    return min(range(len(contrasts)), key=lambda i: (not is_better[i], p_values[i], -intervals[i].difference, i))


def outcome_of(interval: Interval, p_value: float) -> Outcome:
    """Better or worse only if the interval leaves out zero and the (corrected) p-value is below 5 %."""
    if not interval.num_rows:
        return Outcome.NOT_SCORED
    if interval.crosses_zero or p_value >= SIGNIFICANCE:
        return Outcome.NO_DIFFERENCE
    return Outcome.BETTER if interval.difference > 0 else Outcome.WORSE


def sentence_of(contrast: Contrast, metric: str, outcome: Outcome) -> str:
    """The sentence for people who decide."""
    interval = contrast.interval
    values = f"{metric} went from {contrast.before:.3f} to {contrast.after:.3f}"
    bounds = f"{signed(interval.low)} and {signed(interval.high)}"
    allowed = f"the true change lies between {bounds} ({interval.confidence:.0%} interval)"
    questions = counted(interval.num_rows, "question")
    match outcome:
        case Outcome.BETTER:
            return f"Tuning made it better: {values} on {questions}; {allowed}."
        case Outcome.WORSE:
            return f"Tuning made it worse: {values} on {questions}; {allowed}. Keep the model you started from."
        case Outcome.NOT_SCORED:
            return f"Nothing can be said: no question could be scored on {metric} for both models."
    if interval.num_groups < 2:
        return (
            f"No difference that {questions} could show: {values}, but all of them belong to one document, so there is "
            "no telling how another would come out."
        )
    return f"No difference that {questions} could show: {values}; {allowed}."


def caveats_of(
    interval: Interval,
    *,
    num_never_reviewed: int = 0,
    num_pairs: int = 0,
    is_split_by_section: bool = False,
    is_corrected: bool = False,
    num_candidates: int = 1,
    num_failed: int = 0,
    num_leaking: int = 0,
    num_missing: int = 0,
    floor: tuple[str, Interval] | None = None,
    reranking_ms: float | None = None,
) -> tuple[str, ...]:
    """What a reader must know before relying on the verdict, each one sentence; empty if there is nothing.

    `floor` is a trivial baseline's name and the interval of the tuned system minus it. `reranking_ms` is what a reranker
    adds to each question, None for systems that do not rerank.
    """
    said = _cheaper_is_enough(interval, floor, reranking_ms)
    if 0 < interval.num_groups < FEW_GROUPS and not is_split_by_section:
        said.append(
            f"The questions come from only {counted(interval.num_groups, 'group')} that stand on their own, such as documents, "
            "so the interval is rough."
        )
    if is_split_by_section:
        said.append(
            "There were fewer than 10 documents, so they were cut into sections: training and test questions may share a "
            "document, and other documents may come out differently."
        )
    if num_never_reviewed:
        share = f" of {num_pairs:,}" if num_pairs else ""
        said.append(
            f"{num_never_reviewed:,}{share} question/passage pairs in this dataset were never reviewed by a person."
        )
    if num_leaking:
        said.append(
            f"{counted(num_leaking, 'test question')} also stood, or had a document, in what this run learned from: it was "
            "trained on another dataset version. Do not rely on this comparison."
        )
    if num_missing:
        said.append(
            f"{counted(num_missing, 'right passage')} could not be found by anyone: not in the corpus searched."
        )
    if num_failed:
        said.append(
            f"{counted(num_failed, 'question')} could not be scored and {'was' if num_failed == 1 else 'were'} left out."
        )
    if num_candidates > 1:
        said.append(
            f"{num_candidates} runs compete; the evidence was corrected for that (Holm)."
            if is_corrected
            else f"Of {num_candidates} runs, the one that did best on the validation questions carries the verdict."
        )
    return tuple(said)


def _cheaper_is_enough(interval: Interval, floor: tuple[str, Interval] | None, reranking_ms: float | None) -> list[str]:
    """What speaks for leaving the tuned system alone."""
    said = []
    if reranking_ms is not None and interval.num_rows and not interval.low > 0:
        said.append(
            f"Do not use this reranker: it adds {max(reranking_ms, 0):,.0f} ms to every question, and these questions do not "
            "show that its order is better than that of the retriever alone."
        )
    if floor and floor[1].num_rows and floor[1].difference < 0:
        how = "scores higher still" if floor[1].high < 0 else "is level with it as far as these questions can tell"
        said.append(f"{floor[0]}, which needs no tuning, {how}.")
    return said


def leakage_of(test: Sequence[tuple[str, str]], learned: Mapping[str, str]) -> int:
    """How many (question, group) of `test` occur as a question or a group of `learned` (question -> group)."""
    groups = set(learned.values())
    return sum(question in learned or group in groups for question, group in test)
