"""Exact search against a plain sort, ties, and reports with hand-checked numbers."""

import math

import numpy as np
import pytest

from finetune_core.evaluation import retrieval
from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName
from tests.training_fixtures import RecordedRun


class Letters:
    """Counts of a, b and c, at unit length: an embedder one can check by hand."""

    def encode_queries(self, texts, checkpoint=None):
        vectors = np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32).reshape(-1, 3)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    encode_passages = encode_queries


def corpus_of(**texts: str) -> Corpus:
    return Corpus(tuple(Passage(id_, text, document=id_) for id_, text in texts.items()))


def example(id_: str, query: str, **relevant: int) -> QueryPassages:
    return QueryPassages(id_, query, relevant, group=next(iter(relevant), "none"))


CORPUS = corpus_of(p1="aaaa", p2="ab", p3="bbb", p4="ccc", p5="ab")
PART = Part(SplitName.TEST, (example("q1", "a", p1=1), example("q2", "ab", p5=1), example("q3", "c", p3=1)), CORPUS)


def test_dense_report_by_hand(tmp_path):
    report = retrieval.evaluate_retrieval(retrieval.DenseRetriever("letters", Letters()), PART, RecordedRun(tmp_path))
    assert [detail["rank"] for detail in report.details] == [
        1,
        2,
        4,
    ]  # p2 ties with p5 and comes first; c: p4, p1, p2, p3
    assert report.details[1]["ids"][:2] == ["p2", "p5"]
    assert report.details[0]["scores"][:2] == pytest.approx([1, math.sqrt(0.5)], abs=1e-6)
    assert report.columns["hit@1"].tolist() == [1, 0, 0]
    assert report.columns["hit@3"].tolist() == [1, 1, 0]
    assert report.columns["mrr@10"].tolist() == [1, 0.5, 0.25]
    assert report.columns["ndcg@10"] == pytest.approx([1, 1 / math.log2(3), 1 / math.log2(5)])
    assert report.groups == ("p1", "p5", "p3")
    assert report.facts["num_searched"] == 5
    assert report.facts["num_missing"] == 0
    values = {name: metric(report.columns) for name, metric in retrieval.RETRIEVAL_METRICS.items()}
    assert values["hit@1"] == pytest.approx(1 / 3)
    assert values["map@100"] == pytest.approx(1.75 / 3)


def test_what_is_missing_counts_against_the_system_and_what_names_nothing_is_not_scored(tmp_path):
    part = Part(SplitName.TEST, (example("q1", "a", gone=1), example("q2", "b")), CORPUS)
    report = retrieval.evaluate_retrieval(retrieval.DenseRetriever("letters", Letters()), part, RecordedRun(tmp_path))
    assert report.facts["num_missing"] == 1
    assert report.columns["recall@10"][0] == 0
    assert report.num_failed("recall@10") == 1
    assert report.details[0]["rank"] is None


def test_no_questions_and_no_passages(tmp_path):
    run = RecordedRun(tmp_path)
    for retriever in (retrieval.DenseRetriever("letters", Letters()), retrieval.Bm25Retriever()):
        empty = retrieval.evaluate_retrieval(retriever, Part(SplitName.TEST, (), CORPUS), run)
        assert empty.ids == ()
        assert math.isnan(retrieval.RETRIEVAL_METRICS["hit@1"](empty.columns))
        nothing = retrieval.evaluate_retrieval(retriever, Part(SplitName.TEST, PART.examples, Corpus()), run)
        assert nothing.columns["hit@10"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("k", [1, 7, 100, 500])
def test_search_equals_a_plain_sort(monkeypatch, k, tmp_path):
    monkeypatch.setattr(retrieval, "_BLOCK_PASSAGES", 64)
    monkeypatch.setattr(retrieval, "_BLOCK_QUESTIONS", 5)
    random = np.random.default_rng(0)
    queries = random.integers(-2, 3, (17, 4)).astype(np.float32)  # integers: many exact ties
    passages = random.integers(-2, 3, (300, 4)).astype(np.float32)
    run = RecordedRun(tmp_path)
    found = retrieval.search(queries, passages, k, run.checkpoint)
    assert run.num_checkpoints == 4 * 5
    for query, (positions, scores) in zip(queries, found, strict=True):
        exact = passages @ query
        expected = np.lexsort((np.arange(300), -exact))[:k]
        assert positions.tolist() == expected.tolist()
        assert scores.tolist() == exact[expected].tolist()


def test_twins_rank_in_corpus_order_whatever_the_block(monkeypatch):
    random = np.random.default_rng(1)
    passages = np.tile(random.normal(size=(50, 384)), (6, 1)).astype(np.float32)
    passages /= np.linalg.norm(passages, axis=1, keepdims=True)
    queries = passages[:9]
    orders = []
    for block in (7, 64, 8192):
        monkeypatch.setattr(retrieval, "_BLOCK_PASSAGES", block)
        orders.append([found[0].tolist() for found in retrieval.search(queries, passages, 30, lambda: None)])
    assert orders[0] == orders[1] == orders[2]
    assert orders[0][3][:6] == [3, 53, 103, 153, 203, 253]


def test_search_refuses_a_k_of_zero():
    with pytest.raises(ValueError, match="k is 0"):
        retrieval.search(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32), 0, lambda: None)


def test_bm25_finds_by_words_and_nothing_without_a_shared_word(tmp_path):
    corpus = corpus_of(p1="The cat sat.", p2="A dog, a DOG!", p3="Istanbul'da kedi", p4="")
    part = Part(
        SplitName.TEST,
        (example("q1", "dog", p2=1), example("q2", "KEDİ kedi?", p3=1), example("q3", "zebra", p1=1)),
        corpus,
    )
    report = retrieval.evaluate_retrieval(retrieval.Bm25Retriever(), part, RecordedRun(tmp_path))
    assert [detail["ids"] for detail in report.details] == [["p2"], ["p3"], []]
    assert report.columns["hit@1"].tolist() == [1, 1, 0]
    assert report.system == "BM25"


def test_bm25_scores_by_the_formula(tmp_path):
    corpus = corpus_of(p1="red apple", p2="red red car car", p3="blue sky today here")
    part = Part(SplitName.TEST, (example("q", "red", p2=1),), corpus)
    report = retrieval.evaluate_retrieval(retrieval.Bm25Retriever(), part, RecordedRun(tmp_path))
    idf, average = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5)), 10 / 3

    def weight(frequency: int, length: int) -> float:
        return idf * frequency / (frequency + 1.5 * (1 - 0.75 + 0.75 * length / average))

    assert report.details[0]["ids"] == ["p2", "p1"]
    assert report.details[0]["scores"] == pytest.approx([weight(2, 4), weight(1, 2)], rel=1e-5)
