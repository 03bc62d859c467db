"""Retrieval in two stages: a fast retriever finds passages, a reranker puts the first of them into a better order."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetune_core.evaluation.retrieval import Ranking, Retriever
from finetune_core.providers.reranker import Reranker
from finetune_core.recipe import Run
from finetune_core.records import Corpus


@dataclass(frozen=True)
class RerankedRetriever:
    """The first `depth` (>= 1) passages that `retriever` finds, in the order of `reranker`; the others follow as they were.

    Passages of equal score keep the retriever's order.
    """

    name: str
    retriever: Retriever
    reranker: Reranker
    depth: int

    @property
    def fingerprint(self) -> str:
        """Differs from that of every system that may answer otherwise."""
        first = getattr(getattr(self.retriever, "embedder", None), "fingerprint", repr(self.retriever))
        return f"{first}-{self.reranker.fingerprint}-{self.depth}"

    def rank(self, queries: Sequence[str], corpus: Corpus, k: int, run: Run) -> Ranking:
        """The best `k` passages for each question.

        `seconds` counts both stages; scores that a service gave before come from a cache and cost no time.
        """
        found = self.retriever.rank(queries, corpus, max(k, self.depth), run)
        started = time.perf_counter()
        ids, scores = [], []
        for number, (query, own, given) in enumerate(zip(queries, found.ids, found.scores, strict=True)):
            run.progress(0.9 + 0.1 * number / len(queries), f"{self.name}: reranking {len(queries):,} questions")
            order, new = self._reranked(query, own, given, corpus, run)
            ids.append(tuple(own[position] for position in order[:k]))
            scores.append(tuple(new[:k]))
        return Ranking(tuple(ids), tuple(scores), found.seconds + time.perf_counter() - started)

    def _reranked(
        self, query: str, ids: Sequence[str], given: Sequence[float], corpus: Corpus, run: Run
    ) -> tuple[list[int], list[float]]:
        """The new order of positions, and descending scores in that order."""
        texts = [corpus[passage].full_text for passage in ids[: self.depth]]
        scores_K = self.reranker.score(query, texts, run.checkpoint)
        order = np.argsort(-scores_K, kind="stable").tolist()
        scores = [round(float(scores_K[position]), 6) for position in order]
        if rest := list(given[len(texts) :]):
            # The retriever's scores are on another scale: moved to go on where the reranker's end.
            scores += [round(scores[-1] - (rest[0] - score), 6) for score in rest]
        return [*order, *range(len(texts), len(ids))], scores
