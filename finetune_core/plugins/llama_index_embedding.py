"""Any Ayar embedder as a LlamaIndex embedding, for use inside one process with Ayar."""

import functools
from typing import TYPE_CHECKING, Any

from finetune_core.providers.embedder import Embedder

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

BATCH_SIZE = 32


def llama_index_embedding(embedder: Embedder, *, batch_size: int = BATCH_SIZE) -> "BaseEmbedding":
    """A LlamaIndex `BaseEmbedding` that gives the embedder's vectors, prefixes and all.

    Texts go through the embedder `batch_size` (1 to 2048) at a time. Raises ValueError for another batch size.
    """
    embedding: BaseEmbedding = _embedding_class()(
        embedder, model_name=embedder.fingerprint, embed_batch_size=batch_size
    )
    return embedding


@functools.cache
def _embedding_class() -> Any:
    """Defined on first use: importing LlamaIndex takes seconds, and only this needs it."""
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from pydantic import PrivateAttr

    class AyarEmbedding(BaseEmbedding):
        _embedder: Embedder = PrivateAttr()

        def __init__(self, embedder: Embedder, **fields: Any) -> None:
            super().__init__(**fields)
            self._embedder = embedder

        def _get_query_embedding(self, query: str) -> list[float]:
            vectors: list[list[float]] = self._embedder.encode_queries([query]).tolist()
            return vectors[0]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            vectors: list[list[float]] = self._embedder.encode_passages(texts).tolist()
            return vectors

    return AyarEmbedding
