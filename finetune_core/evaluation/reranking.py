"""Retrieval in two stages: a fast retriever finds passages, a reranker puts the first of them into a better order."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from finetune_core.evaluation.retrieval import NUM_RANKS, Ranking, Retriever, evaluate_retrieval
from finetune_core.providers.reranker import Reranker
from finetune_core.recipe import Report, Run
from finetune_core.records import Corpus, Part, QueryPassages


def evaluate_reranking(system: Retriever, part: Part[QueryPassages], run: Run) -> Report:
    """As `evaluate_retrieval`. Facts of a system that reranks: also `num_reranked`, passages reranked per question, or for
    one at a service `num_searches`, what it charged for now."""
    reranker = getattr(system, "reranker", None)
    before = getattr(reranker, "num_searches", None)
    report = evaluate_retrieval(system, part, run, NUM_RANKS)
    if not isinstance(system, RerankedRetriever):
        return report
    if before is None:
        return replace(report, facts={**report.facts, "num_reranked": system.depth})
    return replace(report, facts={**report.facts, "num_searches": getattr(reranker, "num_searches", before) - before})


@dataclass(frozen=True)
class RerankedRetriever:
    """The first `depth` (>= 1) passages that `retriever` finds, in the order of `reranker`; the others follow as they were.

    What is sorted by is the reranker's score plus `retriever_weight` (>= 0) times the retriever's. Passages of equal score
    keep the retriever's order.
    """

    name: str
    retriever: Retriever
    reranker: Reranker
    depth: int
    retriever_weight: float = 0.0

    @property
    def fingerprint(self) -> str:
        """Differs from that of every system that may answer otherwise."""
        first = getattr(getattr(self.retriever, "embedder", None), "fingerprint", repr(self.retriever))
        return f"{first}-{self.reranker.fingerprint}-{self.depth}-{self.retriever_weight:g}"

    def rank(self, queries: Sequence[str], corpus: Corpus, k: int, run: Run) -> Ranking:
        """The best `k` passages for each question.

        `seconds` counts both stages. A local reranker's time is that of its pairs as if none had been scored before; scores
        that a service gave before come from a cache and cost no time.
        """
        found = self.retriever.rank(queries, corpus, max(k, self.depth), run)
        started = time.perf_counter()
        ids, scores = [], []
        for number, (query, own, given) in enumerate(zip(queries, found.ids, found.scores, strict=True)):
            run.progress(0.9 + 0.1 * number / len(queries), f"{self.name}: reranking {len(queries):,} questions")
            order, new = self._reranked(query, own, given, corpus, run)
            ids.append(tuple(own[position] for position in order[:k]))
            scores.append(tuple(new[:k]))
        seconds = self._pair_seconds(queries, found, corpus)
        spent = time.perf_counter() - started if seconds is None else seconds
        return Ranking(tuple(ids), tuple(scores), found.seconds + spent)

    def _pair_seconds(self, queries: Sequence[str], found: Ranking, corpus: Corpus) -> float | None:
        measure = getattr(self.reranker, "pair_seconds", None)
        if measure is None or not queries:
            return None
        num_pairs = sum(min(self.depth, len(own)) for own in found.ids)
        first = [corpus[passage].full_text for passage in found.ids[0][: self.depth]]
        return float(num_pairs * measure(queries[0], first))

    def _reranked(
        self, query: str, ids: Sequence[str], given: Sequence[float], corpus: Corpus, run: Run
    ) -> tuple[list[int], list[float]]:
        """The new order of positions, and descending scores in that order."""
        texts = [corpus[passage].full_text for passage in ids[: self.depth]]
        scores_K = self.reranker.score(query, texts, run.checkpoint).astype(np.float64)
        scores_K = scores_K + self.retriever_weight * np.asarray(given[: len(texts)], np.float64)
        order = np.argsort(-scores_K, kind="stable").tolist()
        scores = [round(float(scores_K[position]), 6) for position in order]
        if rest := list(given[len(texts) :]):
            # The retriever's scores are on another scale: moved to go on where the reranker's end.
            scores += [round(scores[-1] - (given[len(texts) - 1] - score), 6) for score in rest]
        return [*order, *range(len(texts), len(ids))], scores
