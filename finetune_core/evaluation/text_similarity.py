"""How close answers are to the right ones by their words and by their meaning, with the field's own implementations.

BLEU and chrF are sacrebleu's (Post, A Call for Clarity in Reporting BLEU Scores, 2018; Popović, chrF, 2015), ROUGE-L is
rouge-score's (Lin, ROUGE, 2004), over words of any script.

Shape suffixes: N answers.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from finetune_core.metrics.text import ORDERS
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Columns

_WORD = re.compile(r"\w+")


class _Words:
    """The tokenizer for rouge-score, whose own keeps the letters a to z only."""

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.casefold())


def similarity_columns(
    answers: Sequence[str | None], right: Sequence[str], embedder: Embedder, checkpoint: Callable[[], None]
) -> Columns:
    """Columns `similarity`, `rouge_l`, `chrf` (N,), each 0 to 1, and `bleu` (N, 10) as `metrics.text.Bleu` reads it.

    `similarity` is the cosine of the two texts' vectors, not below 0. None stands for an answer that was not given: NaN.
    """
    given = [number for number, answer in enumerate(answers) if answer is not None]
    columns = {
        "similarity": np.full(len(answers), np.nan),
        "rouge_l": np.full(len(answers), np.nan),
        "chrf": np.full(len(answers), np.nan),
        "bleu": np.full((len(answers), 2 * ORDERS + 2), np.nan),
    }
    said, wanted = [answers[number] or "" for number in given], [right[number] for number in given]
    columns["similarity"][given] = _cosines(said, wanted, embedder, checkpoint)
    for number, answer, reference in zip(given, said, wanted, strict=True):
        checkpoint()
        columns["rouge_l"][number], columns["chrf"][number], columns["bleu"][number] = _by_words(answer, reference)
    return columns


def _cosines(
    said: Sequence[str], wanted: Sequence[str], embedder: Embedder, checkpoint: Callable[[], None]
) -> NDArray[np.float64]:
    if not said:
        return np.zeros(0)
    said_ND, wanted_ND = (np.asarray(embedder.encode_passages(texts, checkpoint)) for texts in (said, wanted))
    lengths_N = np.linalg.norm(said_ND, axis=1) * np.linalg.norm(wanted_ND, axis=1)
    cosines_N = (said_ND * wanted_ND).sum(axis=1) / np.maximum(lengths_N, 1e-12)
    is_empty_N = np.array([not text.strip() for text in said])
    return np.where(is_empty_N, 0.0, np.clip(cosines_N, 0.0, 1.0)).astype(np.float64)


def _by_words(answer: str, reference: str) -> tuple[float, float, list[float]]:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    rouge = RougeScorer(["rougeL"], tokenizer=_Words()).score(reference, answer)["rougeL"].fmeasure
    bleu = BLEU(effective_order=True).sentence_score(answer, [reference])
    counts = [*bleu.counts, *bleu.totals, bleu.sys_len, bleu.ref_len]
    return float(rouge), CHRF().sentence_score(answer, [reference]).score / 100, [float(count) for count in counts]
