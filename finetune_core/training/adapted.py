"""A tuned adapter as a folder, and how to put it behind its base embedder again."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.errors import ArtefactError
from finetune_core.providers.adapted_embedder import AdaptedEmbedder, VectorAdapter
from finetune_core.providers.embedder import Embedder, Vectors
from finetune_core.providers.portable_adapter import Adapter
from finetune_core.records import file_sha256
from finetune_core.training.adapter_config import AdapterConfig, Kind, Side

SETTINGS_FILE = "adapter.json"
WEIGHTS_FILE = "adapter.safetensors"


@dataclass(frozen=True)
class AdapterSettings:
    """What has to be known besides the weights; the JSON beside them.

    `base_model` is named as in `AdapterConfig`; `base_fingerprint` is that of the embedder it was tuned for, "" where
    nobody knows it. `activation` and `residual` are of two-layer adapters only.
    """

    kind: str
    side: str
    num_dimensions: int
    base_model: str
    base_fingerprint: str
    max_tokens: int
    custom: str = ""
    activation: str = "silu"
    residual: bool = True


@dataclass(frozen=True)
class AdapterModel:
    """A tuned adapter: its folder, which holds the weights, its settings, and facts about its run."""

    folder: Path
    settings: AdapterSettings
    facts: dict[str, Any] = field(default_factory=dict)

    def embedder(self, base: Embedder) -> AdaptedEmbedder:
        """The base with this adapter behind it. Raises ArtefactError if it was tuned for another base."""
        known = self.settings.base_fingerprint
        if known and known != base.fingerprint:
            raise ArtefactError(
                f"The adapter was tuned for vectors of {self.settings.base_model} as they were then; they have changed since.",
                hint="Bring back the base model of that time, or tune a new adapter.",
            )
        weights = self.folder / WEIGHTS_FILE
        return AdaptedEmbedder(base, _vector_adapter(self), file_sha256(weights), weights.stat().st_size)

    def save(self, path: Path) -> None:
        """Write weights and JSON into `path`."""
        path.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.folder / WEIGHTS_FILE, path / WEIGHTS_FILE)
        kept = {**asdict(self.settings), "facts": self.facts}
        (path / SETTINGS_FILE).write_text(json.dumps(kept, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "AdapterModel":
        """Read what `save` wrote."""
        kept = json.loads((path / SETTINGS_FILE).read_text(encoding="utf-8"))
        facts = kept.pop("facts", {})
        return cls(path, AdapterSettings(**kept), facts)


class TorchAdapter:
    """An adapter whose class is a person's own: applied with torch, by their code."""

    def __init__(self, model: AdapterModel) -> None:
        self._model = model
        self._sides: Any = None

    def queries(self, vectors: Vectors) -> Vectors:
        """The moved vectors of questions."""
        return self._moved("query", vectors)

    def passages(self, vectors: Vectors, texts: Sequence[str]) -> Vectors:
        """The moved vectors of passages."""
        return self._moved("document", vectors)

    def _moved(self, side: str, vectors: Vectors) -> Vectors:
        import torch

        from finetune_core.models.adapters import moved

        with torch.no_grad():
            found: Vectors = moved(self._loaded(), side, torch.from_numpy(vectors)).numpy()
            return found

    def _loaded(self) -> Any:
        if self._sides is None:
            from safetensors.torch import load_model

            from finetune_core.training.adapter_learner import make_sides

            kept = self._model.settings
            config = AdapterConfig(kind=Kind.CUSTOM, side=Side(kept.side), custom=kept.custom)
            self._sides = make_sides(config, kept.num_dimensions).eval()
            load_model(self._sides, str(self._model.folder / WEIGHTS_FILE))
        return self._sides


def _vector_adapter(model: AdapterModel) -> VectorAdapter:
    if model.settings.kind == Kind.CUSTOM:
        return TorchAdapter(model)
    return Adapter(model.folder, asdict(model.settings))
