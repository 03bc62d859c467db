"""Exact retrieval: every question against every passage, and a report of how well the right ones rank.

Shape suffixes: Q questions, P passages, K ranks (best first), D vector dimensions.
"""

import itertools
import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from finetune_core.evaluation.deployment import deployed_bytes, encoding_ms
from finetune_core.metrics import ranking
from finetune_core.providers.embedder import BATCH_SIZE
from finetune_core.recipe import Columns, Metric, Report, Run
from finetune_core.records import Corpus, Part, QueryPassages

Floats = NDArray[np.float32]

HEADLINE = "ndcg@10"
NUM_RANKS = 100
NUM_SHOWN = 10

_MEASURES: dict[str, tuple[Callable[..., ranking.Floats], int]] = {
    "ndcg@10": (ranking.ndcg, 10),
    "hit@1": (ranking.hit, 1),
    "hit@3": (ranking.hit, 3),
    "hit@5": (ranking.hit, 5),
    "hit@10": (ranking.hit, 10),
    "mrr@10": (ranking.reciprocal_rank, 10),
    "recall@10": (ranking.recall, 10),
    "map@100": (ranking.average_precision, 100),
}

RETRIEVAL_METRICS: dict[str, Metric] = {name: ranking.Mean(name) for name in _MEASURES}
"""Every metric of a retrieval report; each reads the column of its own name."""

_TIE = 1e-6  # scores closer than rounding noise of a float32 product are equal; equal scores rank in corpus order
_BLOCK_PASSAGES = 8192
_BLOCK_QUESTIONS = 512
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The passages found for each question, best first, with their scores; lists may be shorter than asked.

    `seconds` is the time of the search (and of a reranker), after texts were encoded or indexed.
    """

    ids: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[float, ...], ...]
    seconds: float


class Retriever(Protocol):
    """Anything that ranks the passages of a corpus for questions."""

    @property
    def name(self) -> str:
        """How the report calls it."""

    def rank(self, queries: Sequence[str], corpus: Corpus, k: int, run: Run) -> Ranking:
        """The best `k` (>= 1) passages for each question; deterministic, ties in corpus order."""


class Encoder(Protocol):
    """The part of an embedder that retrieval needs (see `providers.embedder.Embedder`)."""

    def encode_queries(self, texts: Sequence[str], checkpoint: Callable[[], None] | None = None) -> Floats:
        """Vectors (Q, D) of unit length."""

    def encode_passages(self, texts: Sequence[str], checkpoint: Callable[[], None] | None = None) -> Floats:
        """Vectors (P, D) of unit length."""


@dataclass(frozen=True)
class DenseRetriever:
    """Exact search by the dot product of an embedder's vectors."""

    name: str
    embedder: Encoder

    def rank(self, queries: Sequence[str], corpus: Corpus, k: int, run: Run) -> Ranking:
        """The best `k` passages for each question, all passages scored."""
        total = max(1, len(corpus) + len(queries))
        run.progress(0.0, f"{self.name}: encoding {len(corpus):,} passages")
        told = _told(run, 0.0, 0.9 * len(corpus) / total, len(corpus))
        passages_PD = self.embedder.encode_passages([passage.full_text for passage in corpus], told)
        run.progress(0.9 * len(corpus) / total, f"{self.name}: encoding {len(queries):,} questions")
        told = _told(run, 0.9 * len(corpus) / total, 0.9, len(queries))
        queries_QD = self.embedder.encode_queries(queries, told)
        run.progress(0.9, f"{self.name}: searching")
        started = time.perf_counter()
        found = search(queries_QD, passages_PD, k, run.checkpoint)
        return _ranking(found, corpus, time.perf_counter() - started)


@dataclass(frozen=True)
class Bm25Retriever:
    """Search by words, no model: Lucene's BM25 with k1 = 1.5 and b = 0.75, words in lower case, no stop words, no
    stemming.

    (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; bm25s by Lù, 2024.) A passage that shares no
    word with the question is not found at all.
    """

    name: str = "BM25"

    def rank(self, queries: Sequence[str], corpus: Corpus, k: int, run: Run) -> Ranking:
        """The best `k` passages that share a word with each question."""
        import bm25s

        if not len(corpus):
            return Ranking(((),) * len(queries), ((),) * len(queries), 0.0)
        run.progress(0.0, f"{self.name}: indexing {len(corpus):,} passages")
        index = bm25s.BM25()
        index.index([words_of(passage.full_text) or [""] for passage in corpus], show_progress=False)
        run.checkpoint()
        run.progress(0.5, f"{self.name}: searching")
        started = time.perf_counter()
        found: list[_Found] = []
        for query in queries:
            words = [word for word in words_of(query) if word in index.vocab_dict]
            scores_1P = index.get_scores(words)[None, :] if words else np.zeros((1, len(corpus)), np.float32)
            positions, scores = _best(iter([scores_1P]), 1, k)[0]
            found.append((positions[scores > 0], scores[scores > 0]))
            run.checkpoint()
        return _ranking(found, corpus, time.perf_counter() - started)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, punctuation left out; of any language that separates words.

    Turkish has a dotted and a dotless i in both cases, which plain lower case mixes up or tears apart ("İzmir" becomes an i,
    a loose dot and "zmir"); here all four are one letter, whatever language the text is in.
    """
    whole = unicodedata.normalize("NFC", text).replace("İ", "i").lower()
    return _WORD.findall(whole.replace("ı", "i"))


_Found = tuple[NDArray[np.int64], NDArray[np.float64]]  # positions and scores of one question, best first


def search(queries_QD: Floats, passages_PD: Floats, k: int, checkpoint: Callable[[], None]) -> list[_Found]:
    """Positions and scores of the `k` passages with the largest dot product for each question, exactly.

    Scores are rounded to 6 decimals and equal ones go in order of position, so that neither block size nor thread count
    nor a twin passage changes the order. Memory beyond the inputs stays under 100 MB. Raises ValueError if k < 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    found: list[_Found] = []
    for first in range(0, len(queries_QD), _BLOCK_QUESTIONS):
        block_QD = queries_QD[first : first + _BLOCK_QUESTIONS]
        found.extend(_best(_score_blocks(block_QD, passages_PD, checkpoint), len(block_QD), k))
    return found


def evaluate_retrieval(retriever: Retriever, part: Part[QueryPassages], run: Run, k: int = NUM_RANKS) -> Report:
    """One row per question of `part`, searched against all of the part's corpus.

    Columns: the names of `RETRIEVAL_METRICS`; NaN where a question names no relevant passage. Details per question:
    `ids` and `scores` of the first 10, and `rank` of the first right passage among the first `k`, null if it is not
    there. Facts: `num_searched`, `num_missing` (relevant passages that are not in the corpus, so nobody could find
    them), `seconds` (with encoding), `search_seconds`, `latency_ms` (what one question takes: encoding it alone, past the
    cache, which `encoding_ms` says, and its share of the search), `deployed_bytes` (see `deployment`) where known.
    """
    started = time.perf_counter()
    queries = [example.query for example in part.examples]
    found = retriever.rank(queries, part.corpus, k, run)
    spent_s = time.perf_counter() - started
    first = getattr(retriever, "retriever", retriever)  # what finds the passages that a reranker reads
    encoding = encoding_ms(getattr(first, "embedder", None), queries, run.checkpoint)
    size_bytes = deployed_bytes(retriever)
    relevant = [example.relevant for example in part.examples]
    gains_QK = ranking.gains_of(found.ids, relevant, k)
    return Report(
        system=retriever.name,
        ids=tuple(example.id for example in part.examples),
        groups=tuple(example.group for example in part.examples),
        columns=_columns(gains_QK, relevant),
        details=tuple(_details(found, gains_QK)),
        facts={
            "num_searched": len(part.corpus),
            "num_missing": sum(passage not in part.corpus.positions for grades in relevant for passage in grades),
            "seconds": spent_s,
            "search_seconds": found.seconds,
            "encoding_ms": encoding,
            "latency_ms": encoding + 1000 * found.seconds / max(1, len(part)),
            **({} if size_bytes is None else {"deployed_bytes": size_bytes}),
        },
    )


def _told(run: Run, start: float, end: float, num_texts: int) -> Callable[[], None]:
    """A checkpoint for `num_texts` texts that also moves the progress from `start` to `end`, a batch at a time.

    Texts that were encoded before are skipped by the cache, so the progress may jump at the end, never back.
    """
    num_batches = itertools.count(1)

    def checkpoint() -> None:
        run.checkpoint()
        run.progress(start + (end - start) * min(1.0, next(num_batches) * BATCH_SIZE / max(1, num_texts)))

    return checkpoint


def _columns(gains_QK: ranking.Floats, relevant: Sequence[dict[str, int]]) -> Columns:
    ideal_QR = ranking.ideal_of(relevant)
    return {name: measure(gains_QK, ideal_QR, at) for name, (measure, at) in _MEASURES.items()}


def _details(found: Ranking, gains_QK: ranking.Floats) -> Iterator[dict[str, Any]]:
    for ids, scores, rank in zip(found.ids, found.scores, ranking.first_relevant_rank(gains_QK), strict=True):
        yield {
            "ids": list(ids[:NUM_SHOWN]),
            "scores": list(scores[:NUM_SHOWN]),
            "rank": None if np.isnan(rank) else int(rank),
        }


def _ranking(found: Sequence[_Found], corpus: Corpus, seconds: float) -> Ranking:
    ids = tuple(tuple(corpus.passages[position].id for position in positions) for positions, _ in found)
    return Ranking(ids, tuple(tuple(round(float(score), 6) for score in scores) for _, scores in found), seconds)


def _score_blocks(queries_QD: Floats, passages_PD: Floats, checkpoint: Callable[[], None]) -> Iterator[Floats]:
    for start in range(0, len(passages_PD), _BLOCK_PASSAGES):
        checkpoint()
        yield queries_QD @ passages_PD[start : start + _BLOCK_PASSAGES].T


def _best(blocks: Iterator[Floats], num_questions: int, k: int) -> list[_Found]:
    """The best `k` per row over blocks (Q, P) of consecutive columns.

    Only scores that reach the k-th best so far are sorted, which after the first block are few.
    """
    best = _Candidates.of(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), num_questions, k)
    start = 0
    for block_QP in blocks:
        width = block_QP.shape[1]
        least_Q = best.kth
        if start == 0 and width > k:
            least_Q = np.partition(block_QP, width - k, axis=1)[:, width - k].astype(np.float64)
        rows, columns = np.nonzero(block_QP >= (least_Q - _TIE).astype(np.float32)[:, None])
        scores = block_QP[rows, columns].astype(np.float64).round(6)
        best = best.merged(rows, columns + start, scores)
        start += width
    ends = np.searchsorted(best.rows, np.arange(num_questions + 1))
    return [(best.positions[a:b], best.scores[a:b]) for a, b in itertools.pairwise(ends)]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The best `k` (row, position, score) so far, sorted; `kth` is each row's k-th score, -inf with fewer than k."""

    rows: NDArray[np.int64]
    positions: NDArray[np.int64]
    scores: NDArray[np.float64]
    kth: NDArray[np.float64]
    k: int

    @classmethod
    def of(
        cls,
        rows: NDArray[np.int64],
        positions: NDArray[np.int64],
        scores: NDArray[np.float64],
        num_questions: int,
        k: int,
    ) -> "_Candidates":
        order = np.lexsort((positions, -scores, rows))
        rows, positions, scores = rows[order], positions[order], scores[order]
        starts_Q = np.searchsorted(rows, np.arange(num_questions))
        kept = np.arange(len(rows)) - starts_Q[rows] < k
        rows, positions, scores = rows[kept], positions[kept], scores[kept]
        kth_Q = np.full(num_questions, -np.inf)
        full_Q = np.flatnonzero(np.bincount(rows, minlength=num_questions) == k)
        kth_Q[full_Q] = scores[np.searchsorted(rows, full_Q, side="right") - 1]
        return cls(rows, positions, scores, kth_Q, k)

    def merged(
        self, rows: NDArray[np.int64], positions: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> "_Candidates":
        return _Candidates.of(
            np.concatenate([self.rows, rows]),
            np.concatenate([self.positions, positions]),
            np.concatenate([self.scores, scores]),
            len(self.kth),
            self.k,
        )
