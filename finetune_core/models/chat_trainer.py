"""The trainer of chat models: batches planned beforehand, computed in parts that fit into memory."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils.data import DataLoader

from finetune_core.models.chat_losses import AnswerRow
from finetune_core.models.resumable_trainer import ResumableTrainer
from finetune_core.models.shared_prompts import shared_tokens
from finetune_core.models.weights import LearnedWeights


class Loss(Protocol):
    """A loss that may be summed up in parts."""

    def weight(self, rows: Sequence[AnswerRow]) -> int:
        """What the mean is over."""

    def __call__(self, model: Any, rows: Sequence[AnswerRow]) -> torch.Tensor:
        """The sum over `rows`."""


class ResumableChatTrainer(ResumableTrainer):
    """Learns from `rows` in the batches of `plan`; at most `max_part_tokens` tokens, padding included, are computed at once.

    A part has at least one row, so that a step's result depends on the batch alone and memory on the part.
    """

    def __init__(
        self,
        *,
        rows: Sequence[AnswerRow],
        plan: Sequence[Sequence[int]],
        loss: Loss,
        max_part_tokens: int,
        **options: Any,
    ) -> None:
        self._rows, self._plan, self._loss, self._max_part_tokens = rows, plan, loss, max_part_tokens
        self._marked_at = time.monotonic()
        super().__init__(train_dataset=range(len(rows)), data_collator=_as_rows, **options)

    @property
    def weights(self) -> LearnedWeights:
        """Those of the adapter."""
        assert isinstance(self.model, nn.Module)
        return LearnedWeights(self.model)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The planned batches, as numbers of rows."""
        assert self.train_dataset is not None
        self.accelerator.even_batches = False
        sampler: Any = [list(batch) for batch in self._plan]
        loader: Any = DataLoader(self.train_dataset, batch_sampler=sampler, collate_fn=_as_rows)
        return loader  # type: ignore[no-any-return]

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """One batch: gradients of the mean loss, part by part."""
        model.train()
        self._marked_at, self._num_rows = time.monotonic(), len(inputs["rows"])
        rows = [self._rows[number] for number in inputs["rows"].tolist()]
        weight = self._loss.weight(rows)
        total = torch.zeros((), device=self.args.device)
        for part in parts(rows, self._max_part_tokens):
            with self.compute_loss_context_manager():
                loss = self._loss(model, part) / weight
            self.accelerator.backward(loss)
            total += loss.detach()
        return total

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds how many examples a second the step learned from."""
        if "loss" in logs:
            logs["samples_per_s"] = self._num_rows / max(1e-6, time.monotonic() - self._marked_at)
        super().log(logs, start_time)


def parts(rows: Sequence[AnswerRow], max_tokens: int) -> Iterator[list[AnswerRow]]:
    """`rows` from the longest to the shortest, cut where a part would have more than `max_tokens` to read, padding included."""
    part: list[AnswerRow] = []
    for row in sorted(rows, key=lambda one: -one.num_tokens):
        if part and _num_read([*part, row]) > max_tokens:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _num_read(part: Sequence[AnswerRow]) -> int:
    """Tokens of a part with their padding; what all its prompts begin with counts once, as `padded` has it."""
    sequences = [(row.prompt, answer) for row in part for answer in (row.answer, row.rejected) if answer]
    shared = shared_tokens([prompt for prompt, _ in sequences])
    widest = max(len(prompt) + len(answer) for prompt, answer in sequences)
    return shared + len(sequences) * (widest - shared)


def _as_rows(numbers: Sequence[int]) -> dict[str, torch.Tensor]:
    return {"rows": torch.tensor(numbers)}
