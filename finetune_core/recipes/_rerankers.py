"""Which reranker a setting names: a cross-encoder on this machine, or the model of a service that speaks Cohere's API."""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import ProviderError
from finetune_core.providers.cohere_client import open_cohere
from finetune_core.providers.cohere_reranker import CohereReranker
from finetune_core.providers.embedder import Checkpoint
from finetune_core.providers.reranker import LocalReranker
from finetune_core.recipe import Resources, Run, Service
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, ServiceKind


def open_reranker(reference: str, run: Run, max_tokens: int) -> LocalReranker | CohereReranker:
    """The reranker behind the run's cache of scores.

    `reference` is the folder or hub name of a cross-encoder (pairs are cut at `max_tokens`), "model:" and the id of one
    that was tuned here, or "service:" and the name of a provider of kind Cohere. Raises ArtefactError or ProviderError if
    it is not there, or the service's key is not.
    """
    if reference.startswith(SERVICE_REFERENCE):
        return _open_service(reference, run)
    if reference.startswith(MODEL_REFERENCE):
        reference = str(run.model_folder(reference.removeprefix(MODEL_REFERENCE)))
    return LocalReranker(reference, max_tokens, run.cache)


class StockReranker:
    """The model of a provider of kind Cohere, opened at its first use: whoever never asks it needs no key for it."""

    def __init__(self, reference: str, run: Run) -> None:
        self.reference, self._run = reference, run

    @functools.cached_property
    def _opened(self) -> CohereReranker:
        return _open_service(self.reference, self._run)

    @property
    def fingerprint(self) -> str:
        """That of the opened one. Raises ProviderError if the provider or its key is not there."""
        return self._opened.fingerprint

    @property
    def num_searches(self) -> float:
        """What the service charged for since it was opened."""
        return self._opened.num_searches

    def score(self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None) -> NDArray[np.float32]:
        """Scores (P,), each pair paid for once."""
        return self._opened.score(query, passages, checkpoint)

    def score_fresh(
        self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None
    ) -> NDArray[np.float32]:
        """Scores (P,) that are neither looked up nor kept: each call is paid for."""
        return self._opened.score_fresh(query, passages, checkpoint)


def cohere_service(reference: str, run: Resources) -> Service:
    """The provider of that name, with or without "service:" before it. Raises ProviderError if it does not rerank."""
    name = reference.removeprefix(SERVICE_REFERENCE).strip()
    if not name:
        raise ProviderError(
            "No service is chosen for the reranker.", hint="Add a provider of kind Cohere on Settings and choose it."
        )
    service = run.service(name)
    if service.kind is not ServiceKind.COHERE:
        raise ProviderError(f"{name} does not speak Cohere's API.", hint="Choose a provider of kind Cohere.")
    return service


def _open_service(reference: str, run: Run) -> CohereReranker:
    service = cohere_service(reference, run)
    client = open_cohere(service.base_url, service.key_variable)
    return CohereReranker(client, service.model, run.cache, functools.partial(run.spend, service.name))
