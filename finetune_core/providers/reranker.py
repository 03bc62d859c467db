"""A question and passages to scores of relevance: the protocol of every reranker, and the one that runs on this machine."""

import functools
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import ProviderError
from finetune_core.providers.embedder import Checkpoint, model_bytes, model_hash, resolve
from finetune_core.providers.vector_cache import VectorStore, text_keys

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

BATCH_SIZE = 16  # pairs; under two seconds on two cores, so that a cancel is heard in time


class Reranker(Protocol):
    """Scores how well each passage answers a question, reading both together."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the scores would; usable as a file name."""

    def score(self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None) -> NDArray[np.float32]:
        """Scores (P,) in the order of `passages`, higher for more relevant; (0,) for none."""


class LocalReranker:
    """A cross-encoder of sentence-transformers, a folder or a hub name; scores are kept below the folder `cache`.

    Weights load at the first pair that nobody scored before, and only from safetensors. Pairs are cut at `max_tokens`.
    """

    def __init__(self, model: str | Path, max_tokens: int, cache: Path) -> None:
        self.model, self.max_tokens, self.cache = str(model), max_tokens, cache
        self._num_scored, self._seconds = 0, 0.0

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash over the model's files and the token limit. Raises ProviderError if the model is not there."""
        parts = [model_hash(resolve(self.model)), str(self.max_tokens)]
        return f"rerank-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"

    @property
    def size_bytes(self) -> int:
        """The size of weights, tokenizer and configuration. Raises ProviderError if the model is not there."""
        return model_bytes(resolve(self.model))

    @functools.cached_property
    def encoder(self) -> "CrossEncoder":
        """The loaded model. Raises ProviderError if it is damaged, or was never trained to rerank."""
        if not is_trained_reranker(self.model):
            raise ProviderError(
                f"The model {self.model} was never trained to rerank: its scores would be noise.",
                hint="Choose a cross-encoder, or tune this one first.",
            )
        return load_cross_encoder(self.model, self.max_tokens)

    @functools.cached_property
    def _store(self) -> VectorStore:
        return VectorStore(self.cache / self.fingerprint)

    def score(self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None) -> NDArray[np.float32]:
        """Scores (P,) in the order of `passages`; each pair is scored once, ever."""
        if not passages:
            return np.zeros(0, np.float32)
        keys_P2 = text_keys(f"rerank\n{query}", passages)
        missing = np.flatnonzero(~self._store.contains(keys_P2)).tolist()
        if missing:
            self._store.add(
                keys_P2[missing], self.score_fresh(query, [passages[row] for row in missing], checkpoint)[:, None]
            )
        return self._store.get(keys_P2)[:, 0]

    def pair_seconds(self, query: str, passages: Sequence[str]) -> float:
        """What one pair takes, as measured here so far; if all came from the cache, these passages are scored anew."""
        if not self._num_scored and passages:
            self.score_fresh(query, passages, None)
        return self._seconds / max(1, self._num_scored)

    def score_fresh(
        self, query: str, passages: Sequence[str], checkpoint: Checkpoint | None = None
    ) -> NDArray[np.float32]:
        """Scores (P,) that are neither looked up nor kept."""
        encoder = self.encoder
        started = time.perf_counter()
        scores_P = score_pairs(encoder, [(query, passage) for passage in passages], checkpoint)
        self._seconds += time.perf_counter() - started
        self._num_scored += len(passages)
        return scores_P


def score_pairs(
    encoder: "CrossEncoder", pairs: Sequence[tuple[str, str]], checkpoint: Checkpoint | None = None
) -> NDArray[np.float32]:
    """Scores (N,) of (question, passage) pairs as the model gives them, longest first so that little is padded."""
    scores_N = np.zeros(len(pairs), np.float32)
    order = sorted(range(len(pairs)), key=lambda i: (-len(pairs[i][0]) - len(pairs[i][1]), i))
    for start in range(0, len(order), BATCH_SIZE):
        if checkpoint is not None:
            checkpoint()
        batch = order[start : start + BATCH_SIZE]
        scores_N[batch] = encoder.predict([pairs[i] for i in batch], batch_size=BATCH_SIZE, show_progress_bar=False)
    return scores_N


def is_trained_reranker(model: str | Path) -> bool:
    """Whether the model has a head for scores of pairs; an embedding model has none. Raises ProviderError."""
    path = resolve(model) / "config.json"
    named = json.loads(path.read_text("utf-8")).get("architectures") if path.is_file() else None
    return any("ForSequenceClassification" in name for name in named or [])


def load_cross_encoder(model: str | Path, max_tokens: int) -> "CrossEncoder":
    """Load for scoring or training; an embedding model gets a new head of random weights, which has to be trained.

    A new head gives raw scores (no sigmoid). Never runs code that comes with the model. Raises ProviderError.
    """
    folder = resolve(model)
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would write over the lines of a job's log
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # that the head is new is known, and said in Ayar's words
    settings: dict[str, Any] = {} if is_trained_reranker(folder) else {"activation_fn": torch.nn.Identity()}
    try:
        encoder: CrossEncoder = CrossEncoder(
            str(folder), num_labels=1, trust_remote_code=False, local_files_only=True,
            model_kwargs={"use_safetensors": True}, **settings,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ProviderError(
            f"The model {model} cannot be loaded as a cross-encoder: {reason}.",
            hint="Choose a cross-encoder with one score for each pair, or an embedding model to start from.",
        ) from error
    encoder.max_seq_length = min(max_tokens, encoder.max_seq_length or max_tokens)
    return encoder
