"""An embedder whose vectors an adapter moves, on the side of the questions, of the passages, or both."""

import functools
import hashlib
from collections.abc import Sequence
from typing import Protocol

from finetune_core.providers.embedder import Checkpoint, Embedder, Vectors


class VectorAdapter(Protocol):
    """Moves vectors (N, D) of one embedder; either side may stay as it is."""

    def queries(self, vectors: Vectors) -> Vectors:
        """The moved vectors of questions."""

    def passages(self, vectors: Vectors, texts: Sequence[str]) -> Vectors:
        """The moved vectors of `texts`."""


class AdaptedEmbedder:
    """`base` with `adapter` behind it; `weights_hash` tells one adapter from another, `weights_bytes` is its size.

    Give it a base behind the cache of vectors: what the adapter does costs less than reading a cached result would.
    """

    def __init__(self, base: Embedder, adapter: VectorAdapter, weights_hash: str, weights_bytes: int = 0) -> None:
        self.base = base
        self.adapter = adapter
        self.weights_hash = weights_hash
        self.weights_bytes = weights_bytes

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash over the base embedder and the adapter's weights."""
        return hashlib.sha256(f"{self.base.fingerprint} {self.weights_hash}".encode()).hexdigest()[:32]

    @property
    def embedder(self) -> "AdaptedEmbedder":
        """The same past the cache of vectors, for texts that are not to be kept."""
        base = getattr(self.base, "embedder", self.base)
        return AdaptedEmbedder(base, self.adapter, self.weights_hash, self.weights_bytes)

    @property
    def size_bytes(self) -> int:
        """The size of the adapter and of the model it stands on, where that is on this machine."""
        return self.weights_bytes + int(getattr(getattr(self.base, "embedder", self.base), "size_bytes", 0))

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D)."""
        return self.adapter.queries(self.base.encode_queries(texts, checkpoint))

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D)."""
        return self.adapter.passages(self.base.encode_passages(texts, checkpoint), texts)
