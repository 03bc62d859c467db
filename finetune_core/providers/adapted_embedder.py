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
    """`base` with `adapter` behind it; `weights_hash` tells one adapter from another.

    Give it a base behind the cache of vectors: what the adapter does costs less than reading a cached result would.
    """

    def __init__(self, base: Embedder, adapter: VectorAdapter, weights_hash: str) -> None:
        self.base = base
        self.adapter = adapter
        self.weights_hash = weights_hash

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash over the base embedder and the adapter's weights."""
        return hashlib.sha256(f"{self.base.fingerprint} {self.weights_hash}".encode()).hexdigest()[:32]

    @property
    def embedder(self) -> "AdaptedEmbedder":
        """The same past the cache of vectors, for texts that are not to be kept."""
        return AdaptedEmbedder(getattr(self.base, "embedder", self.base), self.adapter, self.weights_hash)

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D)."""
        return self.adapter.queries(self.base.encode_queries(texts, checkpoint))

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D)."""
        return self.adapter.passages(self.base.encode_passages(texts, checkpoint), texts)
