"""What of a model is kept while it learns: all of it, or only the small part that moves. Safetensors only."""

from pathlib import Path

import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn


class WholeWeights:
    """All weights of a model."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def write(self, path: Path) -> None:
        """Write them to the file `path`."""
        save_model(self._model, str(path))

    def read(self, path: Path) -> None:
        """Put those of the file `path` in place, wherever the model lies."""
        load_model(self._model, str(path))


class LearnedWeights:
    """Only the weights that learn, such as those of a LoRA adapter; the others never change."""

    def __init__(self, model: nn.Module) -> None:
        self._learned = {name: value for name, value in model.named_parameters() if value.requires_grad}

    def write(self, path: Path) -> None:
        """Write them to the file `path`."""
        save_file({name: value.detach().contiguous() for name, value in self._learned.items()}, path)

    def read(self, path: Path) -> None:
        """Put those of the file `path` in place. Raises ValueError if it holds others than the model has."""
        found = load_file(path)
        if found.keys() != self._learned.keys():
            raise ValueError(f"{path} holds the weights of another adapter")
        with torch.no_grad():
            for name, value in self._learned.items():
                value.copy_(found[name])
