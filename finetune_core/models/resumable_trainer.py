"""The trainers of transformers and sentence-transformers, made to continue exactly where a killed process stood.

Their own checkpoints are pickles (`optimizer.pt`, `rng_state.pth`, `training_args.bin`), which Ayar neither writes nor
loads. So they are switched off, and the three places where the Hugging Face trainer reads a checkpoint are given
readers of safetensors and JSON; everything else of the trainers is used as it is.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.cross_encoder import CrossEncoderTrainer
from transformers import Trainer, TrainerCallback

from finetune_core.models.weights import LearnedWeights, WholeWeights

AfterStep = Callable[[int, dict[str, float]], bool]
"""Called after each optimiser step with its number (from 1) and what the trainer logged; True ends the training."""


class PlannedBatches(DefaultBatchSampler):
    """Yields batches that were planned beforehand, all epochs in one go, so that a position is one number."""

    def __init__(self, batches: Sequence[Sequence[int]], dataset: Any, batch_size: int) -> None:
        super().__init__(dataset, batch_size=batch_size, drop_last=False)
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        """The rows of each batch."""
        return (list(batch) for batch in self.batches)

    def __len__(self) -> int:
        """The number of batches, which is the number of steps."""
        return len(self.batches)


class ResumableTrainer(Trainer):
    """`train(resume_from_checkpoint=folder)` continues from what `save_state(folder)` wrote, to the last bit."""

    @property
    def weights(self) -> WholeWeights | LearnedWeights:
        """What of the model a checkpoint holds."""
        assert isinstance(self.model, torch.nn.Module)
        return WholeWeights(self.model)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Not added: Ayar writes its model card from the facts of the run."""

    def save_state(self, folder: Path) -> None:
        """Write weights, optimiser, scheduler, random states and position to `folder`, which exists and is empty."""
        self.weights.write(folder / "model.safetensors")
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        optimiser = self.optimizer.state_dict()
        tensors = {
            f"{index}.{key}": value.contiguous() if isinstance(value, torch.Tensor) else torch.tensor(value)
            for index, values in optimiser["state"].items()
            for key, value in values.items()
        }
        save_file(tensors, folder / "optimizer.safetensors")
        save_file(_random_tensors(), folder / "random.safetensors")
        state = {
            "param_groups": optimiser["param_groups"],
            "scheduler": self.lr_scheduler.state_dict(),
            "python_random": random.getstate(),
            "numpy_random": _numpy_state(),
        }
        (folder / "optimizer.json").write_text(json.dumps(state), encoding="utf-8")
        self.state.save_to_json(str(folder / "trainer_state.json"))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.weights.read(Path(resume_from_checkpoint) / "model.safetensors")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in load_file(Path(checkpoint) / "optimizer.safetensors").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = value
        saved = json.loads((Path(checkpoint) / "optimizer.json").read_text(encoding="utf-8"))
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        self.optimizer.load_state_dict({"state": state, "param_groups": saved["param_groups"]})
        self.lr_scheduler.load_state_dict(saved["scheduler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        saved = json.loads((Path(checkpoint) / "optimizer.json").read_text(encoding="utf-8"))
        version, numbers, gauss = saved["python_random"]
        random.setstate((version, tuple(numbers), gauss))
        name, keys, *rest = saved["numpy_random"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
        tensors = load_file(Path(checkpoint) / "random.safetensors")
        torch.set_rng_state(tensors["cpu"])
        if "cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["cuda"])


class ResumableEmbeddingTrainer(ResumableTrainer, SentenceTransformerTrainer):
    """The trainer of embedding models."""


class ResumableCrossEncoderTrainer(ResumableTrainer, CrossEncoderTrainer):
    """The trainer of cross-encoders."""


class StepCallback(TrainerCallback):
    """Hands each logged step to a function that may end the training."""

    def __init__(self, after_step: AfterStep) -> None:
        self.after_step = after_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Called by the trainer after each optimiser step, once its loss is known."""
        state.log_history.clear()  # the metrics are kept elsewhere; here they would grow with every step
        if logs and "loss" in logs and self.after_step(state.global_step, logs):
            control.should_training_stop = True


def _random_tensors() -> dict[str, torch.Tensor]:
    tensors = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    return tensors


def _numpy_state() -> list[Any]:
    name, keys, *rest = np.random.get_state(legacy=True)
    return [name, np.asarray(keys).tolist(), *rest]
