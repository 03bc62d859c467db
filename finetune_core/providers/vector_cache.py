"""Every text is encoded once for each model, ever: vectors kept on disk, keyed by content and model hash.

`folder/<fingerprint>/` holds shards, safetensors files with `keys` (N, 2) uint64 (the first 16 bytes of a SHA-256)
and `vectors` (N, D) float32. A shard is written under a temporary name, renamed, and never changed: readers need no
lock, and two writers at worst both keep the same vector. Small shards are merged from time to time under a lock.
"""

import fcntl
import hashlib
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import StorageError
from finetune_core.providers.embedder import Checkpoint, Embedder, Vectors

SLICE = 512  # texts encoded between two writes: what an interruption can lose
SMALL = 4096  # shards below this many rows are merged …
MAX_SMALL = 32  # … when there are this many

Keys = NDArray[np.uint64]


class CachedEmbedder:
    """An Embedder that asks the one it wraps only for texts nobody has asked for before."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self.embedder = embedder
        self._store = VectorStore(folder / embedder.fingerprint)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the wrapped embedder."""
        return self.embedder.fingerprint

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D); encodes each unknown text once, however often it occurs."""
        return self._encode(self._kind(True), texts, self.embedder.encode_queries, checkpoint)

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D); encodes each unknown text once, however often it occurs."""
        return self._encode("", texts, self.embedder.encode_passages, checkpoint)

    def known_share(self, texts: Sequence[str], is_query: bool = False) -> float:
        """The share of `texts` whose vectors as queries, or as passages, are kept already; 1 for no text."""
        known_N = self._store.contains(text_keys(self._kind(is_query), texts))
        return float(known_N.mean()) if len(texts) else 1.0

    def _kind(self, is_query: bool) -> str:
        return "query" if is_query and not getattr(self.embedder, "is_symmetric", False) else ""

    def _encode(
        self, kind: str, texts: Sequence[str], encode: Callable[..., Vectors], checkpoint: Checkpoint | None
    ) -> Vectors:
        if not texts:
            return encode([], checkpoint)
        unique, inverse = np.unique(text_keys(kind, texts), axis=0, return_inverse=True)
        text_of = dict(zip(inverse.ravel().tolist(), texts, strict=True))
        missing = np.flatnonzero(~self._store.contains(unique)).tolist()
        missing.sort(key=lambda i: (-len(text_of[i]), text_of[i]))  # alike lengths together: little padding
        for start in range(0, len(missing), SLICE):
            rows = missing[start : start + SLICE]
            self._store.add(unique[rows], encode([text_of[i] for i in rows], checkpoint))
        vectors = self._store.get(unique)
        return vectors[inverse.ravel()]


class VectorStore:
    """The shards of one model. Safe to use from several processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, Keys] = {}  # shard name to its keys (N, 2)
        self._sorted: tuple[Keys, NDArray[np.int64], NDArray[np.int64]] | None = None  # keys, shard number, row

    def contains(self, keys_N2: Keys) -> NDArray[np.bool_]:
        """Which of the keys are stored (N,)."""
        self._refresh()
        return self._find(keys_N2)[0]

    def get(self, keys_N2: Keys) -> Vectors:
        """Vectors (N, D) of stored keys. Raises KeyError if one is not stored."""
        for _ in range(5):  # a merge by another process may remove a shard between listing and reading
            self._refresh()
            found, shards, rows = self._find(keys_N2)
            if not found.all():
                raise KeyError(f"{int((~found).sum())} of {len(keys_N2)} texts are not in {self._folder}.")
            with suppress(FileNotFoundError):
                return self._read(shards, rows)
        raise StorageError(f"{self._folder} changes too fast to be read.", hint="Try again in a moment.")

    def add(self, keys_N2: Keys, vectors_ND: Vectors) -> None:
        """Keep vectors under their keys. Raises StorageError if the disk is full; then nothing was added."""
        self._write(keys_N2, vectors_ND)
        self._refresh()
        if sum(len(keys) < SMALL for keys in self._keys.values()) > MAX_SMALL:
            self._merge()

    def _refresh(self) -> None:
        names = {path.name for path in self._folder.glob("*.safetensors")}
        if names == self._keys.keys():
            return
        kept = {name: keys for name, keys in self._keys.items() if name in names}
        for name in sorted(names - kept.keys()):
            if (keys := self._read_keys(name)) is not None:
                kept[name] = keys
        self._keys, self._sorted = kept, None

    def _find(self, keys_N2: Keys) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        if self._sorted is None:
            shards = list(self._keys.values())
            keys = np.concatenate([*shards, np.zeros((0, 2), np.uint64)])
            numbers = np.repeat(np.arange(len(shards)), [len(shard) for shard in shards]).astype(np.int64)
            rows = np.concatenate([*(np.arange(len(shard)) for shard in shards), np.zeros(0, np.int64)])
            order = np.argsort(keys[:, 0], kind="stable")
            self._sorted = keys[order], numbers[order], rows[order].astype(np.int64)
        keys, numbers, rows = self._sorted
        if not len(keys):
            nothing = np.zeros(len(keys_N2), np.int64)
            return np.zeros(len(keys_N2), np.bool_), nothing, nothing
        place = np.minimum(np.searchsorted(keys[:, 0], keys_N2[:, 0]), len(keys) - 1)
        # Equal first halves with unequal second ones count as missing: such a text is encoded again, never mistaken.
        return (keys[place] == keys_N2).all(axis=1), numbers[place], rows[place]

    def _read(self, shards_N: NDArray[np.int64], rows_N: NDArray[np.int64]) -> Vectors:
        from safetensors import safe_open

        names, vectors = list(self._keys), None
        for number in np.unique(shards_N):
            here = np.flatnonzero(shards_N == number)
            with safe_open(self._folder / names[number], framework="numpy") as shard:
                stored = shard.get_tensor("vectors")
            if vectors is None:
                vectors = np.empty((len(shards_N), stored.shape[1]), np.float32)
            vectors[here] = stored[rows_N[here]]
        assert vectors is not None
        return vectors

    def _read_keys(self, name: str) -> Keys | None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._folder / name, framework="numpy") as shard:
                keys: Keys = shard.get_tensor("keys")
            return keys
        except FileNotFoundError:
            return None
        except SafetensorError:  # a damaged shard is worth nothing: its texts are encoded again
            (self._folder / name).unlink(missing_ok=True)
            return None

    def _write(self, keys_N2: Keys, vectors_ND: Vectors) -> None:
        from safetensors.numpy import save

        self._folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        temporary = self._folder / f"{name}.tmp"
        data = save({"keys": np.ascontiguousarray(keys_N2), "vectors": np.ascontiguousarray(vectors_ND, np.float32)})
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._folder / f"{name}.safetensors")
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(
                f"{len(data):,} bytes of vectors could not be written to {self._folder}: {error.strerror}.",
                hint="Free some space on that disk, then resume; vectors already kept are not lost.",
            ) from error

    def _merge(self) -> None:
        with (self._folder / "merge.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # another process is at it
            self._refresh()
            names = [name for name, keys in self._keys.items() if len(keys) < SMALL]
            keys = np.unique(np.concatenate([self._keys[name] for name in names]), axis=0)
            self._write(keys, self.get(keys))
            for name in names:
                (self._folder / name).unlink(missing_ok=True)
        self._refresh()


def text_keys(kind: str, texts: Sequence[str]) -> Keys:
    """Keys (N, 2) of texts encoded as `kind`: the first 16 bytes of a SHA-256 of both."""
    digests = (hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).digest()[:16] for text in texts)
    return np.frombuffer(b"".join(digests), dtype="<u8").reshape(-1, 2)
