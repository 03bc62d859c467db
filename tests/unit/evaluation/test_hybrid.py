"""Reciprocal rank fusion with hand-checked sums, and the baselines of retrieval."""

import pytest

from finetune_core.evaluation.hybrid import HybridRetriever, fuse, retrieval_baselines
from finetune_core.evaluation.retrieval import DenseRetriever, evaluate_retrieval
from finetune_core.records import Corpus, Part, SplitName
from tests.training_fixtures import RecordedRun
from tests.unit.evaluation.test_retrieval import CORPUS, Letters, corpus_of, example


def test_scores_by_hand_and_ties_in_corpus_order():
    found = fuse([["p3", "p1"], ["p1", "p2", "p3"]], CORPUS, 10)
    assert [passage for passage, _ in found] == ["p1", "p3", "p2"]
    assert [score for _, score in found] == pytest.approx([1 / 62 + 1 / 61, 1 / 61 + 1 / 63, 1 / 62], abs=1e-9)
    assert [passage for passage, _ in fuse([["p4", "p2"], ["p2", "p4"]], CORPUS, 10)] == ["p2", "p4"]
    assert [passage for passage, _ in fuse([["p4", "p2"], ["p2", "p4"]], CORPUS, 1)] == ["p2"]
    assert fuse([[], []], CORPUS, 3) == []


def test_two_searches_that_agree_on_second_place_beat_each_first_place(tmp_path):
    # For "b a": words find p1 (both words) before p2; letters find p2 before p1.
    corpus = corpus_of(p1="a b cccccc", p2="ab", p3="c")
    run = RecordedRun(tmp_path)
    hybrid = HybridRetriever("both", DenseRetriever("letters", Letters()))
    found = hybrid.rank(["b a"], corpus, 3, run)
    assert hybrid.words.rank(["b a"], corpus, 3, run).ids == (("p1",),)
    assert hybrid.dense.rank(["b a"], corpus, 3, run).ids == (("p2", "p1", "p3"),)
    assert found.ids == (("p1", "p2", "p3"),)
    assert found.scores[0] == pytest.approx((1 / 61 + 1 / 62, 1 / 61, 1 / 63), abs=1e-9)


def test_a_short_list_is_cut_from_a_deep_fusion(tmp_path):
    hybrid = HybridRetriever("both", DenseRetriever("letters", Letters()))
    deep = hybrid.rank(["ab", "c"], CORPUS, 5, RecordedRun(tmp_path))
    short = hybrid.rank(["ab", "c"], CORPUS, 1, RecordedRun(tmp_path))
    assert short.ids == tuple(ids[:1] for ids in deep.ids)


def test_no_questions_and_no_passages(tmp_path):
    hybrid = HybridRetriever("both", DenseRetriever("letters", Letters()))
    assert evaluate_retrieval(hybrid, Part(SplitName.TEST, (), CORPUS), RecordedRun(tmp_path)).ids == ()
    nothing = Part(SplitName.TEST, (example("q1", "a", p1=1),), Corpus())
    assert evaluate_retrieval(hybrid, nothing, RecordedRun(tmp_path)).columns["hit@10"].tolist() == [0]


def test_the_baselines_share_one_embedder():
    embedder = Letters()
    found = retrieval_baselines(embedder)
    assert list(found) == ["bm25", "base", "hybrid"]
    assert found["base"].embedder is found["hybrid"].embedder is embedder
