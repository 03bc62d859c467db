"""What tuning did to questions it was not tuned for: the price of a gain, which only another test set can show.

Models tuned on one collection tend to lose on others (Thakur et al., BEIR, 2021), and no question of the collection itself
can tell. So base and tuned are scored on a second set, with the same prompts and the same passages, and their difference
carries a paired interval like every other.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from finetune_core.evaluation.side_by_side import finite, values_in_both
from finetune_core.evaluation.verdict import Outcome, outcome_of
from finetune_core.metrics.bootstrap import Interval, paired_interval
from finetune_core.recipe import Metric, Report
from finetune_core.records import Corpus, Part, QueryPassages
from finetune_core.wording import counted, signed

MAX_SHARED = 0.01
"""With a larger share of its passages among what a model learned from, a set is not foreign to that model."""
MAX_LOST_SHOWN = 5

_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|\n+")
_MIN_SENTENCE = 40  # characters; shorter ones ("See also the next section.") stand in texts that have nothing in common


@dataclass(frozen=True)
class ForeignSet:
    """Questions and passages that no model of a comparison was tuned for, and what people call them."""

    name: str
    part: Part[QueryPassages]

    @property
    def size(self) -> str:
        """Such as "193 questions, 1,248 passages"."""
        return f"{counted(len(self.part), 'question')}, {counted(len(self.part.corpus), 'passage')}"


def num_shared(foreign: Part[QueryPassages], learned: Iterable[Corpus]) -> int:
    """How many of the foreign passages stand in `learned` too, at least half of their longer sentences.

    Sentences are compared, not passages or ids, because the same text may have been cut and named anew.
    """
    known = {sentence for corpus in learned for passage in corpus for sentence in _sentences(passage.text)}
    return sum(_is_known(passage.text, known) for passage in foreign.corpus)


def contrast(before: Report, after: Report, metric: Metric, title: str, foreign: ForeignSet) -> dict[str, Any]:
    """Base against tuned on the foreign set, as JSON: `outcome`, `before`, `after`, `interval`, `sentence` and `lost`.

    The outcome needs an interval without zero. `before` and `after` are taken over the questions scored in both, null
    without any. `lost` are the questions whose first right passage fell most, worst first: `query` and the two ranks, null
    for one not among the first 100.
    """
    interval = paired_interval(before.columns, after.columns, before.groups, metric)
    values = values_in_both(before, after, metric)
    outcome = outcome_of(interval, interval.p_value)
    return {
        "outcome": outcome,
        **finite({"before": values[0], "after": values[1]}),
        "interval": finite(asdict(interval)),
        "sentence": _sentence(outcome, values, interval, title, foreign.name),
        "lost": _lost(before, after, foreign.part),
    }


def add_to(summary: dict[str, Any], found: dict[str, Any] | None) -> None:
    """Put what was found for each tuned system into a comparison's summary, and a loss of the judged one before its caveats."""
    summary["out_of_domain"] = found
    verdict = summary["verdict"]
    judged = (found or {}).get("models", {}).get(verdict["system"], {})
    if caveat := caveat_of(judged, verdict["outcome"]):
        verdict["caveats"] = [caveat, *verdict["caveats"]]


def caveat_of(found: dict[str, Any], verdict: Outcome) -> str:
    """What stands with the verdict where tuning lost on the foreign set; "" where no loss was shown."""
    if found.get("outcome") != Outcome.WORSE:
        return ""
    lead = "It pays for the gain elsewhere." if verdict == Outcome.BETTER else "It lost elsewhere."
    return f"{lead} {found['sentence']}"


def _sentence(outcome: Outcome, values: tuple[float, float], interval: Interval, title: str, name: str) -> str:
    where = f"On questions it was not tuned for ({name}, {counted(interval.num_rows, 'question')})"
    if outcome is Outcome.NOT_SCORED:
        return f"{where} nothing can be said: none could be scored for both models."
    change = f"{title} {values[0]:.3f} → {values[1]:.3f} ({signed(interval.difference)}"
    if interval.num_groups < 2:
        return f"{where}: {change}; all belong to one document, so there is no interval)."
    bounds = f"{signed(interval.low)} to {signed(interval.high)}"
    return f"{where}: {change}, {interval.confidence:.0%} interval {bounds})."


def _lost(before: Report, after: Report, part: Part[QueryPassages]) -> list[dict[str, Any]]:
    queries = {example.id: example.query for example in part.examples}
    ranks = [(id_, a["rank"], b["rank"]) for id_, a, b in zip(before.ids, before.details, after.details, strict=True)]
    harms = [((1 / a if a else 0.0) - (1 / b if b else 0.0), id_, a, b) for id_, a, b in ranks]
    worst = sorted((harm for harm in harms if harm[0] > 0), key=lambda harm: (-harm[0], harm[1]))
    return [{"query": queries[id_], "before": a, "after": b} for _, id_, a, b in worst[:MAX_LOST_SHOWN]]


def _sentences(text: str) -> set[str]:
    parts = {" ".join(part.split()).lower() for part in _SENTENCE_END.split(text)}
    return {part for part in parts if len(part) >= _MIN_SENTENCE} or {" ".join(text.split()).lower()}


def _is_known(text: str, known: set[str]) -> bool:
    sentences = _sentences(text)
    return 2 * len(sentences & known) >= len(sentences)
