"""Batches, the validation pool, hard negatives, checkpoints: everything that is decided around the training steps."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from finetune_core.errors import StorageError
from finetune_core.models.ranking_loss import MASKED, OWN, WRONG, SharedPassagesRankingLoss
from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName
from finetune_core.training import checkpoints, cost
from finetune_core.training.batches import TrainingRow, batch_texts, plan_batches, training_rows
from finetune_core.training.collator import SharedPassagesCollator
from finetune_core.training.embedding_config import EmbeddingConfig
from finetune_core.training.negatives import Candidates, mine
from finetune_core.training.selection import Selection
from finetune_core.training.validation import ValidationPool, choose_pool, pool_ndcg


def _part(relevant: dict[str, list[str]], passages: dict[str, str]) -> Part[QueryPassages]:
    corpus = Corpus(tuple(Passage(name, text, document=name) for name, text in passages.items()))
    examples = tuple(
        QueryPassages(str(number), query, dict.fromkeys(ids, 1), group=ids[0])
        for number, (query, ids) in enumerate(relevant.items())
    )
    return Part(SplitName.TRAIN, examples, corpus)


def test_rows_pair_every_question_with_each_of_its_passages() -> None:
    part = _part({"q": ["a", "b"], "r": ["c", "gone"]}, {"a": "A", "b": "B", "c": "C"})
    rows = training_rows(part, "Q ", "P ")
    right = frozenset({"P A", "P B"})
    assert rows == [
        TrainingRow("Q q", "P A", (), right),
        TrainingRow("Q q", "P B", (), right),
        TrainingRow("Q r", "P C", (), frozenset({"P C"})),
    ]


def test_rows_with_negatives_are_equally_wide() -> None:
    part = _part({"q": ["a"], "r": ["b"], "s": ["c"]}, {"a": "A", "b": "B", "c": "C"})
    rows = training_rows(part, negatives={"0": ["b", "c"], "1": ["c"]})
    assert [(row.query, row.negatives) for row in rows] == [("q", ("B",)), ("r", ("C",))]


def test_no_batch_holds_a_right_passage_as_a_wrong_one() -> None:
    rng = np.random.default_rng(3)
    passages = {f"p{i}": f"text {i % 25}" for i in range(30)}  # some passages are copies of others
    relevant = {f"q{i}": [f"p{p}" for p in rng.choice(30, rng.integers(1, 4), replace=False)] for i in range(60)}
    rows = training_rows(_part(relevant, passages))
    plan = plan_batches(rows, 8, 3, seed=5)
    for batch in plan:
        for mine_ in batch:
            for other in batch:
                if other != mine_:
                    assert rows[other].positive not in rows[mine_].right
                    assert rows[other].query != rows[mine_].query
    seen = np.bincount([index for batch in plan for index in batch], minlength=len(rows))
    assert seen.max() == 3
    assert seen.sum() >= 3 * len(rows) - 6  # a row alone in the last batch of an epoch is left out
    assert plan == plan_batches(rows, 8, 3, seed=5) != plan_batches(rows, 8, 3, seed=6)


def test_questions_that_share_a_passage_share_its_reading() -> None:
    relevant = {f"q{i}": [f"p{i % 5}"] for i in range(20)}
    rows = training_rows(_part(relevant, {f"p{i}": f"text {i}" for i in range(5)}))
    (batch,) = plan_batches(rows, 8, 1, seed=0, rows_per_passage=8)
    assert sorted(batch) == list(range(20))
    queries, passages = batch_texts(rows, batch)
    assert (len(queries), sorted(passages)) == (20, [f"text {i}" for i in range(5)])
    plan = plan_batches(rows, 2, 1, seed=0, rows_per_passage=3)
    assert max(len({rows[index].positive for index in batch}) for batch in plan) == 2
    assert all(len(batch) <= 6 for batch in plan)


def test_a_question_asked_twice_is_not_in_one_batch_twice() -> None:
    row, twin = (TrainingRow("q", "a", (), frozenset({"a"})) for _ in range(2))
    other, another = (TrainingRow(q, "b", (), frozenset({"b"})) for q in ("r", "s"))
    plan = plan_batches([row, twin, other, another], 4, 1, 0, rows_per_passage=4)
    assert all(len({0, 1} & set(batch)) < 2 for batch in plan)


def test_a_lone_row_makes_no_batch_unless_it_has_negatives() -> None:
    row = TrainingRow("q", "a", (), frozenset({"a"}))
    assert plan_batches([row], 4, 1, 0) == []
    assert plan_batches([TrainingRow("q", "a", ("b",), frozenset({"a"}))], 4, 1, 0) == [[0]]


def test_a_mined_negative_that_answers_another_question_keeps_the_two_apart() -> None:
    rows = [TrainingRow("q", "a", ("b",), frozenset({"a"})), TrainingRow("r", "b", ("c",), frozenset({"b"}))]
    assert sorted(plan_batches(rows, 2, 1, 0)) == [[0], [1]]


def _words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def test_the_pool_holds_all_questions_and_fills_up_with_distractors() -> None:
    part = _part({f"q{i}": [f"p{i}"] for i in range(4)}, {f"p{i}": "one two three four five" for i in range(50)})
    pool, times = choose_pool(part, _words, budget_tokens=200.0, num_wanted=5, seed=0)
    assert times == 5  # 4 questions of 1 word and 4 passages of 5 are 24 tokens
    assert len(pool.queries) == 4
    assert len(pool.passages) == 7  # 3 distractors of 5 tokens fit in the 40 tokens of each of the 5 times
    assert [list(grades.values()) for grades in pool.relevant] == [[1]] * 4
    assert pool.facts == {"num_questions": 4, "num_passages": 7, "num_all_questions": 4, "num_all_passages": 50}
    assert (pool, times) == choose_pool(part, _words, 200.0, 5, 0)


def test_a_small_budget_means_fewer_validations_then_fewer_questions() -> None:
    part = _part({f"q{i}": [f"p{i}"] for i in range(4)}, {f"p{i}": "one two three four five" for i in range(50)})
    assert choose_pool(part, _words, 50.0, 6, 0)[1] == 2
    pool, times = choose_pool(part, _words, 13.0, 6, 0)
    assert (len(pool.queries), times) == (2, 1)


def test_pool_ndcg_by_hand() -> None:
    pool = ValidationPool(("q", "r"), ("a", "b", "c"), ({0: 1}, {2: 1}), 2, 3)
    queries_QD = np.array([[1, 0], [0, 1]], np.float32)
    passages_PD = np.array([[0.6, 0.8], [1, 0], [0, 1]], np.float32)
    assert pool_ndcg(queries_QD, passages_PD, pool) == pytest.approx((1 / math.log2(3) + 1) / 2)
    assert math.isnan(pool_ndcg(np.zeros((0, 2), np.float32), passages_PD, ValidationPool((), (), (), 0, 3)))


class AxisEmbedder:
    """A question or passage is the vector written in it."""

    fingerprint = "axis"

    def encode_queries(self, texts: list[str], checkpoint: object = None) -> np.ndarray:
        return np.array([[float(part) for part in text.split()[-2:]] for text in texts], np.float32)

    encode_passages = encode_queries


def test_mining_by_hand() -> None:
    passages = {"right": "the right one 1 0", "twin": "the right one 1 0", "near": "quite another text 0.98 0"}
    passages |= {"hard": "words of some other kind 0.9 0", "easy": "nothing at all to see here 0 1"}
    part = _part({"1 0": ["right"]}, passages)
    candidates = mine(part, AxisEmbedder(), lambda: None, num_candidates=4)
    assert candidates.positions.tolist() == [[2, 3, 4, -1]]  # the twin is no negative
    assert candidates.right_scores.tolist() == [1.0]
    assert candidates.kept(0.05).tolist() == [[False, True, True, False]]
    assert candidates.chosen(part, 1, 0.05) == {"0": ["hard"]}
    assert candidates.chosen(part, 2, 0.05) == {"0": ["hard", "easy"]}
    assert candidates.chosen(part, 3, 0.05) == {}


def test_candidates_survive_the_disk(tmp_path: Path) -> None:
    part = _part({"1 0": ["a"]}, {"a": "x 1 0", "b": "y 0 1"})
    candidates = mine(part, AxisEmbedder(), lambda: None, num_candidates=2)
    candidates.save(tmp_path / "deep" / "mined.safetensors")
    loaded = Candidates.load(tmp_path / "deep" / "mined.safetensors")
    assert loaded.positions.tolist() == candidates.positions.tolist()
    assert loaded.kept(0.1).tolist() == candidates.kept(0.1).tolist()


def test_selection_keeps_the_best_and_counts_since(tmp_path: Path) -> None:
    selection = Selection()
    assert selection.take(5, 0.4)
    assert not selection.take(10, 0.4)
    assert selection.take(15, 0.5)
    assert not selection.take(20, 0.1)
    selection.save(tmp_path)
    assert Selection.load(tmp_path) == selection == Selection(15, 0.5, 20, 1)


def test_a_checkpoint_is_whole_or_absent(tmp_path: Path) -> None:
    def full_disk(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        checkpoints.write_whole(tmp_path / "checkpoint-3", full_disk)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "checkpoint-9.part").mkdir()  # what a killed process leaves
    for step in (2, 10):
        checkpoints.write_whole(tmp_path / f"checkpoint-{step}", lambda folder: (folder / "a").touch())
    assert checkpoints.latest(tmp_path, "checkpoint") == tmp_path / "checkpoint-10"
    checkpoints.keep_only(tmp_path, {"checkpoint-10"})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]
    assert checkpoints.latest(tmp_path, "best") is None


@pytest.mark.parametrize(
    "bad",
    [{"epochs": 0}, {"learning_rate": 0}, {"batch_size": 1}, {"loss": "x"}, {"typo": 1}, {"matryoshka_dims": [0]}],
)
def test_settings_out_of_bounds_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        EmbeddingConfig.model_validate(bad)


def test_every_setting_is_explained() -> None:
    for name, field in EmbeddingConfig.model_fields.items():
        assert field.title, name
        assert field.description, name


def test_cost_grows_with_tokens_and_model() -> None:
    small, large = cost.ModelSize(10, 8, 6, 384, 12), cost.ModelSize(100, 80, 6, 384, 12)
    assert cost.train_seconds(large, 1000, 1e11) == pytest.approx(10 * cost.train_seconds(small, 1000, 1e11))
    assert cost.train_seconds(small, 1000, 2e11) == pytest.approx(cost.train_seconds(small, 1000, 1e11) / 2)
    assert cost.train_memory_bytes(small, 64, 32) < cost.train_memory_bytes(small, 128, 32)
    assert cost.train_disk_bytes(small) == 400


class LetterModel(torch.nn.Module):
    """A "model" that looks its vectors up; counts the texts it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(100, 4)
        self.num_read = 0

    def preprocess(self, texts: list[str]) -> dict[str, torch.Tensor]:
        width = max(map(len, texts))
        ids = torch.tensor([[ord(letter) - 32 for letter in text.ljust(width)] for text in texts])
        return {"input_ids": ids, "attention_mask": (ids > 0).long()}

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.num_read += len(features["input_ids"])
        mask = features["attention_mask"][:, :, None]
        return {"sentence_embedding": (self.table(features["input_ids"] % 100) * mask).sum(1) / mask.sum(1)}


def _loss(rows: list[TrainingRow], both_ways: bool) -> tuple[float, LetterModel, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = LetterModel()
    batch = SharedPassagesCollator(model, rows)([{"row": index} for index in range(len(rows))])
    features = [
        {key.removeprefix(f"{column}_"): value for key, value in batch.items() if key.startswith(column)}
        for column in ("question", "passage")
    ]
    loss = SharedPassagesRankingLoss(model, 20.0, both_ways)(features, batch["label"])
    return loss.item(), model, batch


@pytest.mark.parametrize("both_ways", [False, True])
def test_the_loss_is_that_of_sentence_transformers_where_nothing_is_shared(both_ways: bool) -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    rows = [TrainingRow(f"Q{i}" * i, f"P{i}x" * (20 - i), (), frozenset({f"P{i}x" * (20 - i)})) for i in range(1, 20)]
    ours, model, _ = _loss(rows, both_ways)
    vectors = [
        model(model.preprocess(list(texts)))["sentence_embedding"]
        for texts in zip(*((r.query, r.positive) for r in rows), strict=True)
    ]
    options = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"} if both_ways else {}
    theirs = MultipleNegativesRankingLoss(model, scale=20.0, **options).compute_loss_from_embeddings(vectors, None)
    assert ours == pytest.approx(theirs.item(), rel=1e-5)


def test_shared_passages_are_read_once_and_right_ones_are_masked() -> None:
    both = frozenset({"A", "B"})
    rows = [
        TrainingRow("q", "A", ("C",), both),
        TrainingRow("r", "A", (), frozenset({"A"})),
        TrainingRow("s", "B", (), frozenset({"B"})),
    ]
    _, model, batch = _loss(rows, False)
    assert batch["label"].tolist() == [[OWN, WRONG, MASKED], [OWN, WRONG, WRONG], [WRONG, WRONG, OWN]]
    assert model.num_read == 6


@pytest.mark.parametrize("both_ways", [False, True])
def test_masked_passages_change_nothing(both_ways: bool) -> None:
    """By hand: with its other right passage masked, the first question has no wrong one left, so its own is certain."""
    rows = [TrainingRow("q", "A", (), frozenset({"A", "B"})), TrainingRow("s", "B", (), frozenset({"B"}))]
    loss, model, _ = _loss(rows, both_ways)
    vectors = [model(model.preprocess(texts))["sentence_embedding"] for texts in (["q", "s"], ["A", "B"])]
    questions, passages = (torch.nn.functional.normalize(side, dim=-1) for side in vectors)
    scores = (20 * questions @ passages.T).tolist()
    second = math.log(1 + math.exp(scores[1][0] - scores[1][1]))
    back = (math.log(1 + math.exp(scores[1][0] - scores[0][0])) + 0) / 2  # "q" is right for "B" and masked there
    expected = second / 2
    assert loss == pytest.approx((expected + back) / 2 if both_ways else expected, rel=1e-4)
