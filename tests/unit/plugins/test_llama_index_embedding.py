"""The LlamaIndex wrapper gives the embedder's own vectors, and asks for them in batches."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from finetune_core.plugins.llama_index_embedding import llama_index_embedding


class CountingEmbedder:
    """Vectors that tell length and kind of a text; remembers the size of each call."""

    fingerprint = "counting"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def encode_queries(self, texts: Sequence[str], checkpoint: Any = None) -> Any:
        self.calls.append(len(texts))
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    def encode_passages(self, texts: Sequence[str], checkpoint: Any = None) -> Any:
        self.calls.append(len(texts))
        return np.array([[len(text), 0] for text in texts], dtype=np.float32)


def test_passages_go_through_in_batches_and_questions_as_questions() -> None:
    embedder = CountingEmbedder()
    embedding = llama_index_embedding(embedder, batch_size=3)
    assert embedding.get_text_embedding_batch(["a", "bb", "ccc", "dddd"]) == [[1, 0], [2, 0], [3, 0], [4, 0]]
    assert embedder.calls == [3, 1]
    assert embedding.get_query_embedding("ab") == [2, 1]
    assert asyncio.run(embedding.aget_query_embedding("abc")) == [3, 1]
    assert embedding.get_text_embedding("abcd") == [4, 0]


def test_an_index_finds_with_it() -> None:
    from llama_index.core import Document, VectorStoreIndex

    class Axes(CountingEmbedder):
        def _vectors(self, texts: Sequence[str]) -> Any:
            return np.array([[float("red" in text), float("blue" in text)] for text in texts], dtype=np.float32)

        def encode_queries(self, texts: Sequence[str], checkpoint: Any = None) -> Any:
            return self._vectors(texts)

        def encode_passages(self, texts: Sequence[str], checkpoint: Any = None) -> Any:
            return self._vectors(texts)

    documents = [Document(text="the red one"), Document(text="the blue one")]
    index = VectorStoreIndex.from_documents(documents, embed_model=llama_index_embedding(Axes()), transformations=[])
    nodes = index.as_retriever(similarity_top_k=1).retrieve("something blue")
    assert nodes[0].text == "the blue one"


def test_a_batch_size_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="embed_batch_size"):
        llama_index_embedding(CountingEmbedder(), batch_size=0)
