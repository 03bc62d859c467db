"""What a chat model is told is wrong about its answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from finetune_core.models.shared_prompts import can_read_once, read_once, shared_tokens


class AnswerRow(NamedTuple):
    """A prompt and its answer as tokens; `rejected` is a worse answer, () where none is known."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    rejected: tuple[int, ...] = ()

    @property
    def num_tokens(self) -> int:
        """Tokens that are read in a step: the prompt stands before each answer."""
        width = len(self.prompt) + len(self.answer)
        return width + (len(self.prompt) + len(self.rejected) if self.rejected else 0)


class Batch(NamedTuple):
    """Sequences (B, T) padded on the left, so that all answers end together in the last `num_answered` columns.

    `answered` (B, A) tells which of those last columns are tokens of the answer: only they count. `shared` (P,) are tokens
    that stand before each of the sequences, P is 0 or more.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    answered: torch.Tensor
    shared: torch.Tensor

    @property
    def num_answered(self) -> int:
        """A, the length of the longest answer."""
        return self.answered.shape[1]


def padded(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], pad: int) -> Batch:
    """The batch of these prompts with these answers; both have at least one row, each prompt and answer at least one token."""
    num_shared = shared_tokens(prompts)
    rows = [[*prompt[num_shared:], *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    width, longest = max(map(len, rows)), max(map(len, answers))
    ids_BT = torch.full((len(rows), width), pad)
    mask_BT = torch.zeros((len(rows), width), dtype=torch.long)
    answered_BA = torch.zeros((len(rows), longest), dtype=torch.bool)
    for number, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        ids_BT[number, width - len(row) :] = torch.tensor(row)
        mask_BT[number, width - len(row) :] = 1
        answered_BA[number, longest - len(answer) :] = True
    return Batch(ids_BT, mask_BT, answered_BA, torch.tensor(prompts[0][:num_shared], dtype=torch.long))


def answer_log_probs(model: Any, batch: Batch) -> torch.Tensor:
    """The log-probability (B, A) of each token of the answers, 0 where a row's answer has none.

    What all prompts begin with, as instructions and the functions to call, is read once: no token sees those after it, so the
    result and its gradients are the same. Only the columns of the answers go through the output layer, which for a
    small model is much of the work.
    """
    ids_BT, kept, num_shared = batch.ids.to(model.device), batch.num_answered, len(batch.shared)
    shared_BP = batch.shared.to(model.device).expand(len(ids_BT), -1)
    mask_BT = torch.cat([torch.ones_like(shared_BP), batch.mask.to(model.device)], dim=1)
    places_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)
    read: dict[str, Any] = {"use_cache": False}
    if num_shared and can_read_once(model):
        read = {"use_cache": True, "past_key_values": read_once(model, batch.shared.to(model.device), len(ids_BT))}
        places_BT = places_BT[:, num_shared:]
    else:
        ids_BT = torch.cat([shared_BP, ids_BT], dim=1)
    logits_BAV = model(
        input_ids=ids_BT, attention_mask=mask_BT, position_ids=places_BT, logits_to_keep=kept + 1, **read
    ).logits[:, :-1]
    losses_BA = functional.cross_entropy(logits_BAV.float().transpose(1, 2), ids_BT[:, -kept:], reduction="none")
    return -losses_BA.masked_fill(~batch.answered.to(model.device), 0.0)


class AnswerLoss:
    """The mean over all tokens of the answers of how surprised the model is, in nats."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def weight(self, rows: Sequence[AnswerRow]) -> int:
        """What the mean is over: tokens."""
        return sum(len(row.answer) for row in rows)

    def __call__(self, model: Any, rows: Sequence[AnswerRow]) -> torch.Tensor:
        """The sum over `rows`, a scalar."""
        batch = padded([row.prompt for row in rows], [row.answer for row in rows], self._pad)
        return -answer_log_probs(model, batch).sum()


class PreferenceLoss:
    """Direct preference optimisation (Rafailov et al., 2023): the better answer gains on the worse one.

    `model` is a peft model; without its adapter it is the reference.
    """

    def __init__(self, pad: int, beta: float) -> None:
        self._pad, self._beta = pad, beta

    def weight(self, rows: Sequence[AnswerRow]) -> int:
        """What the mean is over: pairs of answers."""
        return len(rows)

    def __call__(self, model: Any, rows: Sequence[AnswerRow]) -> torch.Tensor:
        """The sum over `rows`, a scalar."""
        prompts = [row.prompt for row in rows]
        batch = padded(prompts * 2, [*(row.answer for row in rows), *(row.rejected for row in rows)], self._pad)
        with torch.no_grad(), model.disable_adapter():
            reference_2B = answer_log_probs(model, batch).sum(1)
        gained_2B = answer_log_probs(model, batch).sum(1) - reference_2B
        better_B, worse_B = gained_2B.chunk(2)
        return -functional.logsigmoid(self._beta * (better_B - worse_B)).sum()
