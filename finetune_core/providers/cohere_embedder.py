"""Vectors from Cohere's embed endpoint, which treats queries and passages differently."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from finetune_core.errors import ProviderError
from finetune_core.providers.cohere_client import CohereClient
from finetune_core.providers.embedder import Checkpoint, Vectors

BATCH_SIZE = 96
"""The most texts that one call takes, by the vendor's API description."""


class CohereEmbedder:
    """The model `model` behind `client`. Vectors come back scaled to unit length.

    `on_paid` is told at once how many tokens the service charges for.
    """

    def __init__(self, client: CohereClient, model: str, on_paid: Callable[[int], None] = lambda _: None) -> None:
        self._client, self.model, self._on_paid = client, model, on_paid

    @property
    def fingerprint(self) -> str:
        """A hash over the address and the model's name: a vendor changes a model's vectors under a new name only."""
        parts = ["cohere", self._client.base_url, self.model]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D) of unit length; (0, 0) for no text, which asks nobody. Raises ProviderError."""
        return self._encode(texts, "search_query", checkpoint)

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D) of unit length; (0, 0) for no text, which asks nobody. Raises ProviderError."""
        return self._encode(texts, "search_document", checkpoint)

    def _encode(self, texts: Sequence[str], input_type: str, checkpoint: Checkpoint | None) -> Vectors:
        batches: list[Vectors] = []
        for start in range(0, len(texts), BATCH_SIZE):
            if checkpoint is not None:
                checkpoint()
            batches.append(self._batch(list(texts[start : start + BATCH_SIZE]), input_type, checkpoint))
        return np.concatenate(batches) if batches else np.zeros((0, 0), np.float32)

    def _batch(self, texts: list[str], input_type: Any, checkpoint: Checkpoint | None) -> Vectors:
        asked = [text or " " for text in texts]  # an empty text is refused
        answer = self._client.ask(
            lambda client: client.embed(
                model=self.model, texts=asked, input_type=input_type, embedding_types=["float"], truncate="END"
            ),
            checkpoint,
        )
        billed = getattr(getattr(answer, "meta", None), "billed_units", None)
        self._on_paid(round(getattr(billed, "input_tokens", None) or 0))
        rows = getattr(getattr(answer, "embeddings", None), "float_", None) or []
        if len(rows) != len(texts):
            raise ProviderError(
                f"{self.model} answered {len(rows)} vectors for {len(texts)} texts.",
                hint="Check that the model is one for embeddings.",
            )
        vectors_BD = np.asarray(rows, dtype=np.float32)
        lengths_B1 = np.linalg.norm(vectors_BD, axis=1, keepdims=True)
        return np.asarray(vectors_BD / np.maximum(lengths_B1, np.finfo(np.float32).tiny), dtype=np.float32)
