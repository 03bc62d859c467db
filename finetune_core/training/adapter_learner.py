"""One adapter while it learns: its weights, its optimiser, and the step it takes next.

Which questions a step takes depends on the seed and the number of the step alone, so that a restart goes on as if it had
never stopped. Shape suffixes: B questions of a batch, P passages, D vector dimensions.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune_core.training.adapter_config import AdapterConfig, Kind
from finetune_core.training.adapter_data import TrainingVectors, ValidationVectors
from finetune_core.training.validation import pool_ndcg

if TYPE_CHECKING:
    from torch import nn

MAX_PASSAGES = 8192  # scored in one step; of a larger corpus the right ones of the batch and a sample of the others
_STATE = ("exp_avg", "exp_avg_sq", "step")


def make_sides(config: AdapterConfig, num_dimensions: int) -> "nn.ModuleDict":
    """A new adapter for each side that is moved, in float32; the same seed gives the same weights."""
    import torch
    from torch import nn

    from finetune_core.models import adapter_plugins
    from finetune_core.models.adapters import LinearAdapter, LowRankAdapter, TwoLayerAdapter

    def make() -> "nn.Module":
        match config.kind:
            case Kind.LINEAR:
                return LinearAdapter(num_dimensions)
            case Kind.LOW_RANK:
                return LowRankAdapter(num_dimensions, min(config.rank, num_dimensions))
            case Kind.TWO_LAYER:
                return TwoLayerAdapter(num_dimensions, config.hidden_size)
            case Kind.CUSTOM:
                return adapter_plugins.build(config.custom, num_dimensions)
            case Kind.NUDGE:
                raise ValueError("NUDGE has no module: it moves passages one by one")

    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return nn.ModuleDict({side: make() for side in config.side.parts})


class Learner:
    """Learns with one learning rate for `num_steps` steps; `step` counts those taken."""

    def __init__(
        self, config: AdapterConfig, vectors: TrainingVectors, learning_rate: float, num_steps: int, seed: int
    ) -> None:
        import torch

        self.config, self.vectors, self.seed = config, vectors, seed
        self.learning_rate, self.num_steps, self.step = learning_rate, num_steps, 0
        self.sides = make_sides(config, vectors.queries.shape[1])
        self._queries = torch.from_numpy(np.ascontiguousarray(vectors.queries))
        self._passages = torch.from_numpy(np.ascontiguousarray(vectors.passages))
        self._optimizer = torch.optim.AdamW(self.sides.parameters(), lr=0.0, weight_decay=config.weight_decay)

    @property
    def steps_per_epoch(self) -> int:
        """How many batches hold every question once."""
        return steps_per_epoch(self.config, self.vectors)

    def take_step(self) -> dict[str, float]:
        """Learn from the next batch; the loss, learning rate and length of the gradient of that step."""
        import torch

        from finetune_core.models.adapters import moved, ranking_loss

        rows_B = self._batch()
        columns_P, is_right_BP = self._passages_of(rows_B)
        self.sides.train()
        queries_BD = moved(self.sides, "query", self._queries[rows_B])
        passages_PD = moved(self.sides, "document", self._passages[columns_P])
        loss = ranking_loss(queries_BD, passages_PD, torch.from_numpy(is_right_BP), self.config.scale)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate = self._rate()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        length = torch.nn.utils.clip_grad_norm_(self.sides.parameters(), 1.0)
        self._optimizer.step()
        self.step += 1
        return {"loss": float(loss.detach()), "learning_rate": rate, "grad_norm": float(length.detach())}

    def validate(self, validation: ValidationVectors) -> float:
        """nDCG@10 on the validation pool; NaN if that is empty."""
        import torch

        from finetune_core.models.adapters import moved

        self.sides.eval()
        with torch.no_grad():
            queries_QD = moved(self.sides, "query", torch.from_numpy(validation.queries)).numpy()
            passages_PD = moved(self.sides, "document", torch.from_numpy(validation.passages)).numpy()
        return pool_ndcg(queries_QD, passages_PD, validation.pool)

    def save(self, folder: Path) -> None:
        """Write weights and optimiser, from which `load` goes on exactly."""
        from safetensors.torch import save_file

        self.save_weights(folder)
        state: dict[str, Any] = {}
        for name, parameter in self.sides.named_parameters():
            kept = self._optimizer.state.get(parameter, {})
            state |= {f"{name}.{key}": kept[key].clone() for key in _STATE if key in kept}
        save_file(state, str(folder / "optimizer.safetensors"))

    def save_weights(self, folder: Path) -> None:
        """Write the weights alone, names starting with the side they are of."""
        from safetensors.torch import save_model

        save_model(self.sides, str(folder / "adapter.safetensors"))

    def load(self, folder: Path, step: int) -> None:
        """Go on from what `save` wrote after `step` steps."""
        from safetensors.torch import load_file, load_model

        load_model(self.sides, str(folder / "adapter.safetensors"))
        state = load_file(str(folder / "optimizer.safetensors"))
        for name, parameter in self.sides.named_parameters():
            if f"{name}.step" in state:
                self._optimizer.state[parameter] = {key: state[f"{name}.{key}"] for key in _STATE}
        self.step = step

    def _rate(self) -> float:
        warm = round(self.config.warmup * self.num_steps)
        if self.step < warm:
            return self.learning_rate * (self.step + 1) / warm
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (self.step - warm) / max(1, self.num_steps - warm)))

    def _batch(self) -> Any:
        epoch, number = divmod(self.step, self.steps_per_epoch)
        order_Q = np.random.default_rng([self.seed, epoch]).permutation(len(self.vectors.right))
        return np.array_split(order_Q, self.steps_per_epoch)[number]

    def _passages_of(self, rows_B: Any) -> tuple[Any, Any]:
        """Positions of the passages of this step (P,), and which of them are right for which question (B, P)."""
        num_all = len(self.vectors.passage_texts)
        right = [self.vectors.right[row] for row in rows_B]
        columns_P = np.arange(num_all)
        if num_all > MAX_PASSAGES:
            own = np.unique([position for positions in right for position in positions])
            others = np.setdiff1d(columns_P, own)
            rng = np.random.default_rng([self.seed, self.step, 2])
            sample = rng.choice(others, max(1, min(MAX_PASSAGES - len(own), len(others))), replace=False)
            columns_P = np.concatenate([own, np.sort(sample)]) if len(others) else own
        place = np.full(num_all, -1)
        place[columns_P] = np.arange(len(columns_P))
        is_right_BP = np.zeros((len(rows_B), len(columns_P)), np.bool_)
        for row, positions in enumerate(right):
            is_right_BP[row, place[list(positions)]] = True
        return columns_P, is_right_BP


def steps_per_epoch(config: AdapterConfig, vectors: TrainingVectors) -> int:
    """How many batches of at most `batch_size` hold every question once; all are of about the same size."""
    return -(-len(vectors.right) // config.batch_size)
