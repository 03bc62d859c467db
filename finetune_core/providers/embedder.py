"""Texts to vectors: the protocol of every embedder, and the one that runs sentence-transformers on this machine."""

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import ProviderError
from finetune_core.providers import bundled
from finetune_core.records import file_sha256

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]
Checkpoint = Callable[[], None]

BATCH_SIZE = 32  # at 256 tokens under two seconds on two cores, so that a cancel is heard in time
_HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")  # never pickles, never code


class Embedder(Protocol):
    """Turns texts into L2-normalised vectors; queries and passages may be treated differently.

    An embedder that treats them alike may say so with an attribute `is_symmetric = True`; the cache then shares them.
    """

    @property
    def fingerprint(self) -> str:
        """Changes whenever the vectors would: a hash over weights, prefixes and token limit, usable as a file name."""

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D); (0, D) for no text. Calls `checkpoint` between batches."""

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D); (0, D) for no text. Calls `checkpoint` between batches."""


class LocalEmbedder:
    """A sentence-transformers model: "bundled/…", a folder, or a hub name; on a GPU where there is one.

    `query_prefix` and `passage_prefix` are put before each text as they are; `max_tokens` cuts texts shorter than the
    model itself would. Weights load at the first text that is encoded, and only from safetensors.
    """

    def __init__(
        self,
        model: str | Path,
        query_prefix: str = "",
        passage_prefix: str = "",
        max_tokens: int | None = None,
    ) -> None:
        self.model = str(model)
        self.query_prefix = query_prefix
        self.passage_prefix = passage_prefix
        self.max_tokens = max_tokens

    @property
    def is_symmetric(self) -> bool:
        """Whether a text gives the same vector as a query and as a passage."""
        return self.query_prefix == self.passage_prefix

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash over the model's files, prefixes and token limit. Raises ProviderError if the model is not there.

        A limit above the model's own changes no vector and so not the fingerprint.
        """
        folder = resolve(self.model)
        limits = [limit for limit in (self.max_tokens, own_limit(folder)) if limit]
        parts = [model_hash(folder), self.query_prefix, self.passage_prefix, str(min(limits, default=""))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    @property
    def size_bytes(self) -> int:
        """The size of weights, tokenizer and configuration. Raises ProviderError if the model is not there."""
        return model_bytes(resolve(self.model))

    @functools.cached_property
    def transformer(self) -> "SentenceTransformer":
        """The loaded model. Raises ProviderError if it is missing, damaged or not in safetensors."""
        transformer = load_transformer(self.model)
        if self.max_tokens:
            transformer.max_seq_length = min(self.max_tokens, transformer.max_seq_length or self.max_tokens)
        return transformer

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D) of unit length."""
        return encode(self.transformer, [self.query_prefix + text for text in texts], checkpoint)

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D) of unit length."""
        return encode(self.transformer, [self.passage_prefix + text for text in texts], checkpoint)


def encode(transformer: "SentenceTransformer", texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
    """Encode `texts` as they are, longest first so that little is padded; float32 (N, D), unit length."""
    num_dimensions = transformer.get_embedding_dimension() or 0
    vectors = np.zeros((len(texts), num_dimensions), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
    for start in range(0, len(order), BATCH_SIZE):
        if checkpoint is not None:
            checkpoint()
        batch = order[start : start + BATCH_SIZE]
        vectors[batch] = transformer.encode(
            [texts[i] for i in batch],
            batch_size=BATCH_SIZE,
            prompt="",  # prefixes are ours to add: the model's own default prompt must not come on top
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
    return vectors


def resolve(model: str | Path) -> Path:
    """The folder of a model: bundled, a folder, or a hub name, which is downloaded once (safetensors and JSON only).

    Raises ProviderError that says what to do when it is not there, cannot be downloaded, or has no safetensors.
    """
    name = str(model)
    if name.startswith("bundled/"):
        try:
            return bundled.locate(name)
        except ValueError as error:
            raise ProviderError(str(error), hint=f"Choose {bundled.BUNDLED_EMBEDDER}.") from None
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or name.startswith((".", "~")):
            raise ProviderError(f"There is no folder {name}.", hint="Check the path of the model.")
        folder = _download(name)
    if not next(folder.rglob("*.safetensors"), None):
        raise ProviderError(
            f"The model {name} has no weights in the safetensors format, and others are not loaded: they can run code.",
            hint="Choose a model with a model.safetensors file, or convert it once with its own library.",
        )
    return folder


@functools.lru_cache(maxsize=64)
def _folder_hash(folder: Path, _state: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path in _model_files(folder):
        digest.update(f"{path.relative_to(folder)}\n{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def model_hash(folder: Path) -> str:
    """SHA-256 over the weights, tokenizer and configuration files of a model folder, independent of where it lies."""
    state = tuple((str(p.relative_to(folder)), p.stat().st_mtime_ns, p.stat().st_size) for p in _model_files(folder))
    return _folder_hash(folder, state)


def model_bytes(folder: Path) -> int:
    """The size of the weights, tokenizer and configuration files of a model folder."""
    return sum(path.stat().st_size for path in _model_files(folder))


def own_prefixes(model: str | Path) -> tuple[str, str]:
    """The (query, passage) prefixes that the model's makers configured, "" where there are none."""
    path = resolve(model) / "config_sentence_transformers.json"
    prompts = (json.loads(path.read_text("utf-8")).get("prompts") or {}) if path.is_file() else {}
    passage = next((prompts[key] for key in ("document", "passage", "corpus") if prompts.get(key)), "")
    return prompts.get("query") or "", passage


def own_limit(folder: Path) -> int | None:
    """The most tokens that the model in `folder` reads of one text, None where its configuration does not say."""
    path = folder / "sentence_bert_config.json"
    limit = json.loads(path.read_text("utf-8")).get("max_seq_length") if path.is_file() else None
    return int(limit) if limit else None


def load_transformer(model: str | Path) -> "SentenceTransformer":
    """Load a model for encoding or training; never runs code that comes with it. Raises ProviderError."""
    folder = resolve(model)
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would write over the lines of a job's log
    try:
        return SentenceTransformer(
            str(folder), trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, _safetensors_error()) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ProviderError(
            f"The model {model} cannot be loaded: {reason}.",
            hint="Its files may be damaged or of a kind sentence-transformers does not know: fetch it again.",
        ) from error


def _safetensors_error() -> type[Exception]:
    from safetensors import SafetensorError

    error: type[Exception] = SafetensorError
    return error


def _model_files(folder: Path) -> list[Path]:
    names = {".safetensors", ".json", ".txt", ".model", ".jinja"}
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in names)
    return sorted(path for path in files if path.name not in {"manifest.json", "ayar.json"})


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_HUB_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise ProviderError(
            f"The model {name} is not on this machine and could not be downloaded.",
            hint="Check its name and the network, or give the path of a folder, or choose the bundled model.",
            retryable=True,
        ) from error
