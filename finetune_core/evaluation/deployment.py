"""What a system costs where it is deployed: how long one question takes to encode, and how large its models are."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

NUM_TIMED = 16
TIMED_S = 1.0


def encoding_ms(embedder: Any, queries: Sequence[str], checkpoint: Callable[[], None]) -> float:
    """The median of what encoding one question takes, in milliseconds: one at a time, past any cache, the model warm.

    Up to 16 of `queries` spread over all are timed, fewer where they take more than a second; 0 without an embedder
    (None) or without queries.
    """
    if embedder is None or not queries:
        return 0.0
    encoder = getattr(embedder, "embedder", embedder)  # the same past the cache of vectors
    encoder.encode_queries(queries[:1], checkpoint)
    spent: list[float] = []
    for query in queries[:: -(-len(queries) // NUM_TIMED)]:
        if sum(spent) > TIMED_S:
            break
        checkpoint()
        started = time.perf_counter()
        encoder.encode_queries([query])
        spent.append(time.perf_counter() - started)
    return 1000 * float(np.median(spent))


def deployed_bytes(system: Any) -> int | None:
    """The size of all models that the system needs to answer: its embedder with what is behind it, and its reranker.

    An index of passages is not counted. None for a system without a model of known size, such as one at a service.
    """
    parts = [getattr(system, name, None) for name in ("retriever", "embedder", "reranker")]
    sizes = [deployed_bytes(parts[0]), *(_model_bytes(part) for part in parts[1:])] if any(parts) else []
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _model_bytes(model: Any) -> int | None:
    """Of a model, or of what it wraps."""
    while model is not None and not hasattr(model, "size_bytes"):
        model = getattr(model, "embedder", None)
    return None if model is None else int(model.size_bytes)
