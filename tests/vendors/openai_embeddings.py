"""The embeddings of OpenAI's API: vectors that depend on the text alone, of no particular length."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.vendors.server import Vendor, serving

NUM_DIMENSIONS = 24


def vector_of(text: str) -> np.ndarray:
    """What the fake answers for a text (D,): the sum of random directions, one for each of its words."""
    total = np.zeros(NUM_DIMENSIONS)
    for word in text.lower().split() or [""]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
        total += np.random.default_rng(seed).normal(size=NUM_DIMENSIONS)
    return total


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    data = [
        {"object": "embedding", "index": index, "embedding": vector_of(text).tolist()}
        for index, text in enumerate(body["input"])
    ]
    num_tokens = sum(len(text.split()) for text in body["input"])
    usage = {"prompt_tokens": num_tokens, "total_tokens": num_tokens}
    return {
        "object": "list",
        "model": body["model"],
        "data": data[::-1],
        "usage": usage,
    }  # order is by index, not place


@contextmanager
def serving_embeddings() -> Iterator[Vendor]:
    """A running fake of OpenAI's embeddings endpoint."""
    with serving("openai") as vendor:
        vendor.on("POST", "/embeddings", "CreateEmbeddingRequest", "CreateEmbeddingResponse", _answer)
        yield vendor
