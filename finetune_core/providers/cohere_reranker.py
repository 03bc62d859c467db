"""Relevance scores from Cohere's rerank endpoint, or from a service that speaks it; each pair is paid for once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import ProviderError
from finetune_core.providers.cohere_client import CohereClient
from finetune_core.providers.embedder import Checkpoint
from finetune_core.providers.vector_cache import VectorStore, text_keys
from finetune_core.records import content_id

MAX_DOCUMENTS = 1000
"""The most passages in one call that the vendor recommends; more are sent in several."""


class CohereReranker:
    """The model `model` behind `client`; scores are kept below the folder `cache`.

    `num_searches` counts what the service said it charged for since the start: 0 while every pair was known. `on_paid` is
    told of each such charge at once.
    """

    def __init__(
        self, client: CohereClient, model: str, cache: Path, on_paid: Callable[[float], None] = lambda _: None
    ) -> None:
        self._client, self.model, self._on_paid = client, model, on_paid
        self.num_searches = 0.0
        self._store = VectorStore(cache / self.fingerprint)

    @property
    def name(self) -> str:
        """The model and where it is served."""
        return f"{self.model} at {self._client.base_url}"

    @property
    def fingerprint(self) -> str:
        """A hash over the address and the model's name: a vendor changes a model's scores under a new name only."""
        return f"rerank-{content_id('cohere', self._client.base_url, self.model)}"

    def score(self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None) -> NDArray[np.float32]:
        """Scores (P,) in the order of `passages`, 0 to 1, higher for more relevant; (0,) for none. Raises ProviderError."""
        if not passages:
            return np.zeros(0, np.float32)
        keys_P2 = text_keys(f"rerank\n{query}", passages)
        missing = np.flatnonzero(~self._store.contains(keys_P2)).tolist()
        for start in range(0, len(missing), MAX_DOCUMENTS):
            rows = missing[start : start + MAX_DOCUMENTS]
            scores = self._ask(query, [passages[row] for row in rows], checkpoint)
            self._store.add(keys_P2[rows], scores[:, None])
        return self._store.get(keys_P2)[:, 0]

    def score_fresh(
        self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None
    ) -> NDArray[np.float32]:
        """Scores (P,) that are neither looked up nor kept: each call is paid for."""
        starts = range(0, len(passages), MAX_DOCUMENTS)
        parts = [self._ask(query, list(passages[start : start + MAX_DOCUMENTS]), checkpoint) for start in starts]
        return np.concatenate([*parts, np.zeros(0, np.float32)])

    def _ask(self, query: str, passages: list[str], checkpoint: Checkpoint | None) -> NDArray[np.float32]:
        answer = self._client.ask(
            lambda client: client.rerank(model=self.model, query=query, documents=passages), checkpoint
        )
        billed = getattr(getattr(answer, "meta", None), "billed_units", None)
        if charged := getattr(billed, "search_units", None) or 0:
            self.num_searches += charged
            self._on_paid(charged)
        scores_P = np.full(len(passages), np.nan, np.float32)
        for result in getattr(answer, "results", None) or []:
            if 0 <= result.index < len(passages):
                scores_P[result.index] = result.relevance_score
        if unscored := int(np.isnan(scores_P).sum()):
            raise ProviderError(
                f"{self.name} scored {len(passages) - unscored} of {len(passages)} passages.",
                hint="Check that the model is one for reranking.",
            )
        return scores_P
