"""A tuned router as it lies on disk: one JSON file, the classifier as safetensors, and the embedding model beside them.

`router.json` says all that is needed to use it: `method`, `choices` (id, name, description), `threshold` (null: never out
of scope), `labels` (the choices that the rows of the classifier stand for), the prefixes and the token limit.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import ArtefactError
from finetune_core.evaluation.retrieval import Encoder
from finetune_core.evaluation.routing import NEVER, DescriptionRouter, HeadRouter
from finetune_core.records import Corpus, Passage

ROUTER_FILE = "router.json"
HEAD_FILE = "head.safetensors"
EMBEDDER_FOLDER = "embedder"


@dataclass(frozen=True)
class RouterFile:
    """What a router is apart from its embedder: `weights` (C, D) and `biases` (C,) of `labels`, empty without a classifier."""

    choices: Corpus
    threshold: float
    query_prefix: str
    passage_prefix: str
    max_tokens: int
    labels: tuple[str, ...] = ()
    weights: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    biases: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def method(self) -> str:
        """ "head" for a classifier, "choices" for the nearest description."""
        return "head" if self.labels else "choices"

    def router(self, name: str, embedder: Encoder) -> HeadRouter | DescriptionRouter:
        """The router over the vectors of `embedder`."""
        if not self.labels:
            return DescriptionRouter(name, embedder, self.threshold)
        return HeadRouter(name, embedder, self.labels, self.weights, self.biases, self.threshold)

    def write(self, folder: Path) -> None:
        """Write both files into an existing folder."""
        from safetensors.numpy import save_file

        said: dict[str, Any] = {
            "method": self.method,
            "choices": [{"id": each.id, "name": each.title, "description": each.text} for each in self.choices],
            "threshold": self.threshold if np.isfinite(self.threshold) else None,
            "labels": list(self.labels),
            "query_prefix": self.query_prefix,
            "passage_prefix": self.passage_prefix,
            "max_tokens": self.max_tokens,
        }
        (folder / ROUTER_FILE).write_text(json.dumps(said, indent=2, ensure_ascii=False), encoding="utf-8")
        if self.labels:
            save_file({"weights": self.weights, "biases": self.biases}, folder / HEAD_FILE)

    @classmethod
    def read(cls, folder: Path) -> "RouterFile":
        """Read what `write` wrote. Raises ArtefactError if there is no router in `folder`."""
        from safetensors.numpy import load_file

        if not (folder / ROUTER_FILE).is_file():
            raise ArtefactError(f"There is no router in {folder}.", hint=f"Name a folder that holds {ROUTER_FILE}.")
        said = json.loads((folder / ROUTER_FILE).read_text(encoding="utf-8"))
        choices = tuple(Passage(each["id"], each["description"], each["id"], each["name"]) for each in said["choices"])
        head = load_file(folder / HEAD_FILE) if said["labels"] else {}
        return cls(
            choices=Corpus(choices),
            threshold=NEVER if said["threshold"] is None else float(said["threshold"]),
            query_prefix=said["query_prefix"],
            passage_prefix=said["passage_prefix"],
            max_tokens=said["max_tokens"],
            labels=tuple(said["labels"]),
            **head,
        )
