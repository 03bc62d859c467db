"""Adapters: how they start, how they learn, what they encode, and the closed forms of NUDGE."""

import sys
import types
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from finetune_core.errors import ArtefactError, DatasetError, FinetuneError
from finetune_core.models.adapters import moved, ranking_loss
from finetune_core.providers.portable_adapter import Adapter
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipes import embedding_adapter
from finetune_core.records import Corpus, Part, Passage, QueryPassages, Split, SplitName
from finetune_core.training import adapter_learner
from finetune_core.training.adapted import AdapterModel, AdapterSettings
from finetune_core.training.adapter import train_adapter
from finetune_core.training.adapter_config import AdapterConfig, NudgeNorm
from finetune_core.training.adapter_data import TrainingVectors, training_vectors
from finetune_core.training.adapter_learner import Learner, make_sides
from finetune_core.training.nudge import moved_passages
from tests.training_fixtures import RecordedRun

KINDS = ("linear", "two_layer", "low_rank")
D = 16


class CountingEmbedder:
    """A vector for each word, another one in questions than in passages: what an adapter has to learn."""

    is_symmetric = False
    fingerprint = "counting"

    def __init__(self) -> None:
        self.encoded: Counter[str] = Counter()
        self.num_calls = 0

    def _encode(self, texts: Sequence[str], side: str) -> np.ndarray:
        self.num_calls += bool(texts)
        self.encoded.update(texts)
        vectors = np.zeros((len(texts), D), np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                seed = sum(ord(letter) * 31**place for place, letter in enumerate(word)) + (side == "query")
                vectors[row] += np.random.default_rng(seed).normal(size=D)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def encode_queries(self, texts: Sequence[str], checkpoint: Callable[[], None] | None = None) -> np.ndarray:
        return self._encode(texts, "query")

    def encode_passages(self, texts: Sequence[str], checkpoint: Callable[[], None] | None = None) -> np.ndarray:
        return self._encode(texts, "passage")


def split_of(num_passages: int, num_train: int, num_validation: int) -> Split[QueryPassages]:
    """Questions and passages of two words each out of twelve; a passage is right if its words are the question's."""
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(12)]
    chosen = [rng.choice(words, 2, replace=False) for _ in range(num_passages)]
    corpus = Corpus(tuple(Passage(f"p{i}", f"{' '.join(pair)} p{i}", f"d{i}") for i, pair in enumerate(chosen)))

    def part(name: SplitName, num: int) -> Part[QueryPassages]:
        rows = [
            QueryPassages(
                f"{name}{i}", f"{' '.join(chosen[i % num_passages])} {name}{i}", {f"p{i % num_passages}": 1}, "g"
            )
            for i in range(num)
        ]
        return Part(name, tuple(rows), corpus)

    parts = (part(SplitName.TRAIN, num_train), part(SplitName.VALIDATION, num_validation), part(SplitName.TEST, 5))
    return Split(*parts, "words")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["query", "document", "both"])
def test_it_starts_at_the_identity_and_every_parameter_learns_at_once(kind: str, side: str) -> None:
    config = AdapterConfig(kind=kind, side=side, learning_rates=(1e-2,))
    big = normalize(torch.randn(200, 384, generator=torch.Generator().manual_seed(1)), dim=-1)
    sides = make_sides(config, 384)
    for name in config.side.parts:
        cosines = (moved(sides, name, big) * big).sum(dim=-1)
        assert cosines.min() > 0.999
        if kind == "linear":
            assert torch.equal(sides[name](big), big)
    vectors = TrainingVectors(
        big[:50].numpy(), big[50:].numpy(), tuple("p" * n for n in range(150)), ((0,), (1, 2)) * 25
    )
    learner = Learner(config, vectors, 1e-2, 10, seed=0)
    before = {name: parameter.detach().clone() for name, parameter in learner.sides.named_parameters()}
    learner.take_step()
    for name, parameter in learner.sides.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
        assert not torch.equal(parameter, before[name]), name


def test_the_loss_masks_other_right_passages() -> None:
    rng = torch.Generator().manual_seed(0)
    queries, passages = torch.randn(3, D, generator=rng), torch.randn(5, D, generator=rng)
    right = torch.tensor([[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=torch.bool)
    expected = []
    for query, row in zip(queries, right, strict=True):
        own = []
        for position in torch.nonzero(row).ravel():
            kept = torch.cat([passages[position][None], passages[~row]])
            own.append(cross_entropy(2.0 * (kept @ query)[None], torch.tensor([0])))
        expected.append(torch.stack(own).mean())
    assert ranking_loss(queries, passages, right, 2.0).item() == pytest.approx(
        torch.stack(expected).mean().item(), rel=1e-5
    )


@pytest.mark.parametrize("kind", [*KINDS, "nudge"])
@pytest.mark.parametrize("side", ["query", "both"])
def test_it_learns_and_the_exported_numpy_class_gives_the_same_vectors(kind: str, side: str, tmp_path: Path) -> None:
    split, embedder, run = split_of(40, 160, 60), CountingEmbedder(), RecordedRun(tmp_path)
    config = AdapterConfig(kind=kind, side=side, epochs=20, batch_size=64, learning_rates=(1e-2, 3e-2), hidden_size=64)
    trained = train_adapter(split, config, run, embedder)
    assert trained.facts["best_validation"] > trained.facts["base_validation"] + 0.1
    settings = AdapterSettings(kind, "document" if kind == "nudge" else side, D, "x", "counting", 256)
    model = AdapterModel(trained.folder, settings, trained.facts)
    embedding_adapter.save(model, tmp_path / "model")
    embedding_adapter.export_folder(tmp_path / "model", tmp_path / "export")
    portable = Adapter(tmp_path / "export")
    texts = [passage.full_text for passage in split.test.corpus]
    adapted = AdapterModel.load(tmp_path / "model").embedder(embedder)
    moved_passages_PD = portable.passages(embedder.encode_passages(texts), texts)
    moved_queries_QD = portable.queries(embedder.encode_queries(texts))
    np.testing.assert_array_equal(adapted.encode_passages(texts), moved_passages_PD)
    np.testing.assert_array_equal(adapted.encode_queries(texts), moved_queries_QD)
    np.testing.assert_allclose(np.linalg.norm(moved_passages_PD, axis=1), 1, atol=1e-5)
    assert np.abs(moved_queries_QD - embedder.encode_queries(texts)).max() > 0.01 or kind == "nudge"
    if kind != "nudge":  # torch as the second implementation
        sides = make_sides(config, D)
        from safetensors.torch import load_model

        load_model(sides, str(trained.folder / "adapter.safetensors"))
        expected = moved(sides, "query", torch.from_numpy(embedder.encode_queries(texts))).detach().numpy()
        np.testing.assert_allclose(moved_queries_QD, expected, atol=1e-5)


def test_at_the_old_guides_scale_each_text_is_encoded_once(tmp_path: Path) -> None:
    """668 training questions on 334 passages: 1,002 texts, where the old package made 33,400 calls."""
    split, embedder, run = split_of(334, 668, 0), CountingEmbedder(), RecordedRun(tmp_path)
    cached = CachedEmbedder(embedder, tmp_path / "vectors")
    config = AdapterConfig(epochs=25, learning_rates=(1e-3,), evaluations=1)
    train_adapter(split, config, run, cached)
    assert sum(embedder.encoded.values()) == 1002
    assert embedder.num_calls <= 4  # a slice of the cache at a time
    train_adapter(split, AdapterConfig(kind="low_rank", epochs=1), RecordedRun(tmp_path / "2"), cached)
    assert max(embedder.encoded.values()) == 1


def test_nothing_is_kept_where_no_step_is_better(tmp_path: Path) -> None:
    split, embedder = split_of(40, 160, 60), CountingEmbedder()
    config = AdapterConfig(epochs=1, learning_rates=(1e-9,), evaluations=1, batch_size=200)
    trained = train_adapter(split, config, RecordedRun(tmp_path), embedder)
    assert trained.facts["best_step"] == 0
    assert trained.facts["best_validation"] == trained.facts["base_validation"]


def test_early_stopping_ends_the_run(tmp_path: Path) -> None:
    config = AdapterConfig(epochs=200, learning_rates=(1.0,), evaluations=100, patience=2, batch_size=200)
    trained = train_adapter(split_of(40, 160, 60), config, RecordedRun(tmp_path), CountingEmbedder())
    assert trained.facts["last_step"] < trained.facts["total_steps"]


def test_a_large_corpus_is_sampled_but_never_loses_a_right_passage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(adapter_learner, "MAX_PASSAGES", 12)
    vectors = training_vectors(split_of(40, 160, 0).train, CountingEmbedder(), RecordedRun(tmp_path))
    learner = Learner(AdapterConfig(batch_size=8), vectors, 1e-3, 10, seed=0)
    rows = learner._batch()
    columns, is_right = learner._passages_of(rows)
    assert len(columns) <= 12
    assert len(set(columns.tolist())) == len(columns)
    for row, marks in zip(rows, is_right, strict=True):
        assert tuple(sorted(columns[marks].tolist())) == vectors.right[row]


def test_nudge_stays_within_the_distance_and_is_the_best_there() -> None:
    rng = np.random.default_rng(0)

    def unit(shape: tuple[int, ...]) -> np.ndarray:
        found = rng.normal(size=shape)
        return (found / np.linalg.norm(found, axis=-1, keepdims=True)).astype(np.float32)

    passages, towards = unit((6, 5)), 3 * unit((6, 5))
    towards[5] = 0
    for norm in NudgeNorm:
        found = moved_passages(passages, towards, 0.4, norm)
        distances = np.linalg.norm(found - passages, axis=1)
        np.testing.assert_allclose(distances[:5], 0.4, atol=1e-4)
        assert distances[5] == 0
        if norm is NudgeNorm.NUDGE_N:
            np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        for row in range(5):  # no random admissible move does better
            others = passages[row] + 0.4 * rng.uniform(size=(20_000, 1)) * unit((20_000, 5))
            if norm is NudgeNorm.NUDGE_N:
                others /= np.linalg.norm(others, axis=1, keepdims=True)
                others = others[np.linalg.norm(others - passages[row], axis=1) <= 0.4]
            assert (others @ towards[row]).max() <= found[row] @ towards[row] + 1e-5
    np.testing.assert_allclose(
        moved_passages(passages, towards, 2.0, NudgeNorm.NUDGE_N)[:5], towards[:5] / 3, atol=1e-5
    )


def test_nudge_leaves_passages_it_has_not_seen(tmp_path: Path) -> None:
    split, embedder = split_of(40, 20, 60), CountingEmbedder()
    trained = train_adapter(split, AdapterConfig(kind="nudge"), RecordedRun(tmp_path), embedder)
    model = AdapterModel(trained.folder, AdapterSettings("nudge", "document", D, "x", "counting", 256))
    texts = [passage.full_text for passage in split.train.corpus]
    base, tuned = embedder.encode_passages(texts), model.embedder(embedder).encode_passages(texts)
    is_moved = np.abs(base - tuned).max(axis=1) > 1e-4
    assert is_moved[:20].all() == (trained.facts["best_step"] > 0)
    assert not is_moved[20:].any()
    changed = [text + " edited" for text in texts]
    np.testing.assert_array_equal(model.embedder(embedder).encode_passages(changed), embedder.encode_passages(changed))
    with pytest.raises(DatasetError, match="validation"):
        train_adapter(split_of(4, 8, 0), AdapterConfig(kind="nudge"), RecordedRun(tmp_path / "2"), embedder)


def test_an_adapter_refuses_another_base(tmp_path: Path) -> None:
    model = AdapterModel(tmp_path, AdapterSettings("linear", "query", D, "bundled/x", "of then", 256))
    with pytest.raises(ArtefactError, match="changed since"):
        model.embedder(CountingEmbedder())


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("my_adapters")

    class Scaled(torch.nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.eye(size))

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            return vectors @ self.weight

    module.ADAPTERS = {"full": Scaled, "flat": lambda size: torch.nn.Linear(size, 3)}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_adapters", module)
    monkeypatch.setenv("AYAR_PLUGINS", "my_adapters")
    return module


def test_an_adapter_of_ones_own_trains_and_loads(own: types.ModuleType, tmp_path: Path) -> None:
    split, embedder = split_of(40, 160, 60), CountingEmbedder()
    config = AdapterConfig(kind="custom", custom="full", epochs=20, batch_size=64, learning_rates=(1e-2,))
    trained = train_adapter(split, config, RecordedRun(tmp_path), embedder)
    assert trained.facts["best_validation"] > trained.facts["base_validation"] + 0.1
    model = AdapterModel(trained.folder, AdapterSettings("custom", "query", D, "x", "counting", 256, custom="full"))
    tuned = model.embedder(embedder).encode_queries(["w1 w2"])
    assert tuned.shape == (1, D)
    assert np.abs(tuned - embedder.encode_queries(["w1 w2"])).max() > 0.01


def test_what_is_wrong_with_a_plugin_names_module_and_reason(
    own: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for custom, words in (("nope", "flat, full"), ("flat", r"\(2, 3\)")):
        with pytest.raises(FinetuneError, match=words):
            make_sides(AdapterConfig(kind="custom", custom=custom), D)
    monkeypatch.setenv("AYAR_PLUGINS", "no_such_module")
    with pytest.raises(FinetuneError, match=r"no_such_module cannot be used: ModuleNotFoundError"):
        make_sides(AdapterConfig(kind="custom", custom="full"), D)
    own.ADAPTERS = ["full"]  # type: ignore[attr-defined]
    monkeypatch.setenv("AYAR_PLUGINS", "my_adapters")
    with pytest.raises(FinetuneError, match="my_adapters cannot be used: it has no dictionary ADAPTERS"):
        make_sides(AdapterConfig(kind="custom", custom="full"), D)
