"""What an adapter learns from: the frozen vectors of questions and passages, each text encoded once.

Shape suffixes: Q questions, P passages, D vector dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_core.errors import DatasetError
from finetune_core.providers.embedder import Embedder, Vectors
from finetune_core.recipe import Run
from finetune_core.records import Part, QueryPassages, Split
from finetune_core.training.validation import ValidationPool, choose_pool

MAX_POOL_TEXTS = 6000  # questions and passages a validation looks at; up to this size everything


@dataclass(frozen=True)
class TrainingVectors:
    """Distinct questions, the passages that answer at least one of them, and which answers which.

    Passages that answer no training question are left out: they would only ever be wrong, so an adapter would learn to
    avoid them, and questions of other parts are about just those. `queries` (Q, D), `passages` (P, D); `right` holds
    positions of passages, ascending.
    """

    queries: Vectors
    passages: Vectors
    passage_texts: tuple[str, ...]
    right: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ValidationVectors:
    """The validation pool with its vectors: `queries` (Q, D) and `passages` (P, D)."""

    pool: ValidationPool
    queries: Vectors
    passages: Vectors


def training_vectors(part: Part[QueryPassages], embedder: Embedder, run: Run) -> TrainingVectors:
    """Encode the training part. Raises DatasetError where fewer than two passages can be told apart."""
    right_of: dict[str, dict[str, None]] = {}
    text_of = {passage.id: passage.full_text for passage in part.corpus}
    for example in part.examples:
        texts = [text_of[passage] for passage in example.relevant if passage in text_of]
        if texts:
            right_of.setdefault(example.query, {}).update(dict.fromkeys(texts))
    texts = list(dict.fromkeys(text for right in right_of.values() for text in right))
    right_of = {query: right for query, right in right_of.items() if len(right) < len(texts)}
    if len(right_of) < 2:
        raise DatasetError(
            f"The dataset has {len(right_of)} training question(s) with a right and a wrong passage; at least 2 are needed.",
            hint="Accept more pairs on the Review page, then freeze a new version.",
        )
    place = {text: position for position, text in enumerate(texts)}
    run.progress(0.0, f"Encoding {len(texts):,} passages and {len(right_of):,} questions, once")
    return TrainingVectors(
        passages=embedder.encode_passages(texts, run.checkpoint),
        queries=embedder.encode_queries(list(right_of), run.checkpoint),
        passage_texts=tuple(texts),
        right=tuple(tuple(sorted(place[text] for text in right)) for right in right_of.values()),
    )


def validation_vectors(split: Split[QueryPassages], embedder: Embedder, run: Run, seed: int) -> ValidationVectors:
    """Encode the validation part: all of it, or a seeded pool of `MAX_POOL_TEXTS` texts of a larger one."""

    def one_each(texts: Sequence[str]) -> list[int]:
        return [1] * len(texts)

    pool, _ = choose_pool(split.validation, one_each, MAX_POOL_TEXTS, 1, seed)
    run.progress(0.0, f"Encoding {len(pool.passages):,} validation passages, once")
    passages_PD = embedder.encode_passages(pool.passages, run.checkpoint)
    return ValidationVectors(pool, embedder.encode_queries(pool.queries, run.checkpoint), passages_PD)
