"""Vectors from any OpenAI-compatible embeddings endpoint."""

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from finetune_core.errors import ProviderError
from finetune_core.providers import openai_calls, retries
from finetune_core.providers.embedder import Checkpoint, Vectors

BATCH_SIZE = 64  # texts in one request: at 512 tokens each, far below what services take at once


class OpenAIEmbedder:
    """The embeddings of `model` behind `base_url`, brought to unit length; questions and passages alike.

    `key` may be "" for services that ask for none; it never appears in an error. Retries are those of OpenAIChat.
    `on_paid` is told at once how many tokens the service says it read. The client is made at the first text.
    """

    is_symmetric = True

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        *,
        timeout_s: float = 60.0,
        max_attempts: int = retries.MAX_ATTEMPTS,
        on_paid: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.base_url, self.model, self._key = base_url.rstrip("/"), model, key
        self._timeout_s, self._max_attempts = timeout_s, max_attempts
        self._num_dimensions, self._on_paid = 0, on_paid

    @property
    def name(self) -> str:
        """The model and where it is served."""
        return f"{self.model} at {self.base_url}"

    @property
    def fingerprint(self) -> str:
        """A hash over base URL and model's name: what stands behind them nobody outside can see."""
        return hashlib.sha256(json.dumps(["openai embeddings", self.base_url, self.model]).encode()).hexdigest()[:32]

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D) of unit length. Raises ProviderError in the vendor's words."""
        return self._encode(texts, checkpoint)

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D) of unit length. Raises ProviderError in the vendor's words."""
        return self._encode(texts, checkpoint)

    @functools.cached_property
    def _client(self) -> Any:
        return openai_calls.client_of(self, self.base_url, self._key, self._timeout_s)

    def _encode(self, texts: Sequence[str], checkpoint: Checkpoint | None) -> Vectors:
        parts = []
        for start in range(0, len(texts), BATCH_SIZE):
            if checkpoint is not None:
                checkpoint()
            parts.append(self._ask([text or " " for text in texts[start : start + BATCH_SIZE]], checkpoint))
        if not parts:
            return np.zeros((0, self._num_dimensions), np.float32)
        return np.concatenate(parts)

    def _ask(self, texts: list[str], checkpoint: Checkpoint | None) -> Vectors:
        import openai

        call = openai_calls.retrying(self._max_attempts, checkpoint)
        try:
            answer = call(self._client.embeddings.create, model=self.model, input=texts, encoding_format="float")
        except (openai.OpenAIError, ValueError) as error:
            raise openai_calls.explained(
                error, self.name, self._key, self._timeout_s, self._max_attempts, "embeddings"
            ) from None  # the cause holds the request, and that the key
        self._on_paid(getattr(getattr(answer, "usage", None), "prompt_tokens", 0) or 0)
        return self._checked(answer, len(texts))

    def _checked(self, answer: Any, num_texts: int) -> Vectors:
        data = sorted(getattr(answer, "data", None) or [], key=lambda item: item.index)
        sizes = {len(item.embedding) for item in data}
        is_whole = [item.index for item in data] == list(range(num_texts)) and len(sizes) == 1
        vectors_ND = (
            np.array([item.embedding for item in data], np.float32) if is_whole else np.zeros((0, 0), np.float32)
        )
        lengths_N1 = np.linalg.norm(vectors_ND, axis=-1, keepdims=True)
        if not is_whole or not np.isfinite(lengths_N1).all() or not (lengths_N1 > 0).all():
            raise ProviderError(
                f"{self.name} was asked for {num_texts} vectors and sent {len(data)}, or some that are no numbers.",
                hint="Check that the base URL is that of an OpenAI-compatible embeddings endpoint and the model embeds.",
            )
        self._num_dimensions = vectors_ND.shape[1]
        return np.asarray(vectors_ND / lengths_N1, np.float32)
