"""What a run will take, from the sizes of the model and the texts and the speed of the machine; no torch needed.

Floating-point operations follow Kaplan et al., Scaling Laws for Neural Language Models, 2020: a forward pass costs 2 for
each weight outside the embedding tables and each token, the backward pass twice that.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BYTES = 4  # of a float32
TABLE = "embeddings.weight"
USED_SHARE = 0.6  # of what plain matrix products reach, a training step does (MiniLM, one thread, busy machine: 0.62)
ACTIVATIONS = 40  # float32 numbers kept for each token, layer and unit of width until the backward pass


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Counts of a transformer: all weights, those in every token's way, layers, width, attention heads, known tokens."""

    num_weights: int
    num_active: int
    num_layers: int
    width: int
    num_heads: int
    vocabulary: int = 0


def model_size(folder: Path) -> ModelSize:
    """Read the headers of the safetensors files and config.json in a model folder."""
    num_weights = num_table = 0
    for path in folder.rglob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        for name, tensor in header.items():
            if name != "__metadata__":
                size = int(np.prod(tensor["shape"], dtype=np.int64))
                num_weights += size
                num_table += size if TABLE in name else 0
    config = json.loads((folder / "config.json").read_text("utf-8")) if (folder / "config.json").is_file() else {}
    return ModelSize(
        num_weights=num_weights,
        num_active=num_weights - num_table,
        num_layers=config.get("num_hidden_layers", 12),
        width=config.get("hidden_size", 768),
        num_heads=config.get("num_attention_heads", 12),
        vocabulary=config.get("vocab_size", 0),
    )


def train_seconds(size: ModelSize, num_tokens: int, machine_flops: float) -> float:
    """How long training on `num_tokens` takes on a machine of that speed, where nothing of this model was timed yet."""
    return 6 * size.num_active * num_tokens / (USED_SHARE * machine_flops)


def train_memory_bytes(size: ModelSize, batch_tokens: int, longest: int) -> int:
    """Weights, gradients and two moments of the optimiser, and what a batch keeps for its backward pass."""
    kept = batch_tokens * size.num_layers * (ACTIVATIONS * size.width + 3 * size.num_heads * longest)
    return BYTES * (4 * size.num_weights + kept)


def train_disk_bytes(size: ModelSize) -> int:
    """Two checkpoints (weights and two moments) while one replaces the other, two best weights, and the model."""
    return BYTES * size.num_weights * (2 * 3 + 2 + 2)
