"""Search by words and by vectors at once, and the baselines that every comparison of retrievers shows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from finetune_core.evaluation.retrieval import (
    NUM_RANKS,
    Bm25Retriever,
    DenseRetriever,
    Encoder,
    Ranking,
    Retriever,
)
from finetune_core.recipe import Run
from finetune_core.records import Corpus

RANK_CONSTANT = 60
"""What is added to every rank before it is inverted; the paper's value, which it found to matter little."""

_SCORE_DECIMALS = 9  # sums of two reciprocals that are equal on paper differ in the last bits


def fuse(rankings: Sequence[Sequence[str]], corpus: Corpus, k: int) -> list[tuple[str, float]]:
    """The best `k` (>= 1) ids of several rankings of one question (best first), with their fused scores.

    A passage scores the sum of 1 / (60 + rank) over the rankings that hold it, rank from 1; equal scores go in corpus
    order. Empty rankings give an empty list. (Cormack, Clarke and Buettcher, Reciprocal Rank Fusion outperforms
    Condorcet and individual Rank Learning Methods, 2009.)
    """
    scores: dict[str, float] = {}
    for ids in rankings:
        for rank, passage in enumerate(ids, start=1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (RANK_CONSTANT + rank)
    rounded = ((passage, round(score, _SCORE_DECIMALS)) for passage, score in scores.items())
    return sorted(rounded, key=lambda item: (-item[1], corpus.positions[item[0]]))[:k]


@dataclass(frozen=True)
class HybridRetriever:
    """BM25 and an embedder's search, fused by reciprocal rank over the first 100 (or `k`, if more) of each."""

    name: str
    dense: DenseRetriever
    words: Bm25Retriever = field(default_factory=Bm25Retriever)

    @property
    def embedder(self) -> Encoder:
        """The embedder whose vectors are searched: with the same one, the answers are the same."""
        return self.dense.embedder

    def rank(self, queries: Sequence[str], corpus: Corpus, k: int, run: Run) -> Ranking:
        """The best `k` passages for each question by both searches; `seconds` is that of both and of the fusion."""
        depth = max(k, NUM_RANKS)
        by_words = self.words.rank(queries, corpus, depth, run)
        by_vectors = self.dense.rank(queries, corpus, depth, run)
        started = time.perf_counter()
        fused = [fuse(pair, corpus, k) for pair in zip(by_words.ids, by_vectors.ids, strict=True)]
        return Ranking(
            tuple(tuple(passage for passage, _ in found) for found in fused),
            tuple(tuple(score for _, score in found) for found in fused),
            by_words.seconds + by_vectors.seconds + time.perf_counter() - started,
        )


def retrieval_baselines(embedder: Encoder) -> dict[str, Retriever]:
    """What stands beside every tuned retriever: BM25, the untuned embedder as "base", and both fused as "hybrid"."""
    base = DenseRetriever("base", embedder)
    return {"bm25": Bm25Retriever(), "base": base, "hybrid": HybridRetriever("BM25 + base", base)}
