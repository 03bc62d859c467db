"""Applies an adapter tuned with Ayar to vectors of the embedder it was tuned for; needs numpy and safetensors only.

This file is complete in itself: an exported adapter carries a copy of it as a text.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Floats = NDArray[np.float32]
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
}


class Adapter:
    """The adapter in `folder`: adapter.safetensors, and adapter.json unless `settings` stand for it.

    Vectors are unit rows (N, D) of the base embedder.

    Raises ValueError for a kind that only its own code can apply.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any] | None = None) -> None:
        self.settings = settings or json.loads((Path(folder) / "adapter.json").read_text(encoding="utf-8"))
        self.tensors = load_file(Path(folder) / "adapter.safetensors")
        if self.settings["kind"] not in {"linear", "low_rank", "two_layer", "nudge"}:
            raise ValueError(f"an adapter of kind {self.settings['kind']!r} needs the code of its class")
        keys = self.tensors.get("document.keys", np.zeros((0, 16), np.uint8))
        self._rows = {key.tobytes(): row for row, key in enumerate(keys)}

    def queries(self, vectors: Floats) -> Floats:
        """What to search with, instead of the base embedder's vectors of the questions."""
        return self._moved("query", vectors)

    def passages(self, vectors: Floats, texts: Sequence[str]) -> Floats:
        """What to put into the index, instead of the base embedder's vectors of `texts`."""
        if self.settings["kind"] != "nudge":
            return self._moved("document", vectors)
        moved = np.array(vectors, np.float32)
        for number, text in enumerate(texts):
            if (row := self._rows.get(text_key(text))) is not None:
                moved[number] = self.tensors["document.vectors"][row]
        return moved

    def _moved(self, side: str, vectors: Floats) -> Floats:
        weights = {n.removeprefix(f"{side}."): w for n, w in self.tensors.items() if n.startswith(f"{side}.")}
        if not weights:
            return vectors
        if "delta" in weights:
            moved = vectors + vectors @ weights["delta"].T + weights["bias"]
        elif "down" in weights:
            moved = vectors + vectors @ weights["down"].T @ weights["up"].T
        else:
            act = _ACTIVATIONS[self.settings["activation"]]
            hidden = act(vectors @ weights["first"].T + weights["first_bias"])
            moved = weights["gate"] * (hidden @ weights["second"].T + weights["second_bias"])
            moved = moved + vectors if self.settings["residual"] else moved
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.maximum(lengths, 1e-12), np.float32)


def text_key(text: str) -> bytes:
    """What a moved passage is known by: the first 16 bytes of its text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
