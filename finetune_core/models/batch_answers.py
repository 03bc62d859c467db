"""Answers to several prompts at once: a row that has ended leaves the batch, so that the others go on faster."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from finetune_core.models.growing_cache import growing_cache
from finetune_core.models.shared_prompts import can_read_once, read_once

STRETCH = 32
"""Tokens that are made before rows may leave."""


class RowMask(Protocol):
    """A step of `generate` that knows each row of the batch."""

    def __call__(self, ids_BT: torch.Tensor, logits_BV: torch.Tensor) -> torch.Tensor:
        """The logits (B, V) of the next tokens, changed."""

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all rows but these."""


def batch_answers(
    model: Any,
    ids_BT: torch.Tensor,
    mask_BT: torch.Tensor,
    num_shared: int,
    limits: Sequence[int],
    *,
    mask: RowMask | None = None,
    streamer: Any = None,
    **how: Any,
) -> list[list[int]]:
    """The tokens that follow each row of the prompts (B, T), at most as many as `limits` says, the ending one included.

    All rows begin with the same `num_shared` tokens; they are read once. `mask_BT` is 0 where a row is padded. `streamer`
    is told of the tokens of a single row; `how` goes to the `GenerationConfig`.
    """
    from transformers import GenerationConfig

    cache, stop_ids = _begun(model, ids_BT, num_shared), set(how["eos_token_id"])
    made: list[list[int]] = [[] for _ in limits]
    going = list(range(len(limits)))
    while going:
        left = max(limits[row] - len(made[row]) for row in going)
        is_whole = cache is None or len(going) == 1
        ids_BN = model.generate(
            ids_BT,
            attention_mask=mask_BT,
            past_key_values=cache,
            generation_config=GenerationConfig(max_new_tokens=left if is_whole else min(left, STRETCH), **how),  # type: ignore[no-untyped-call]
            logits_processor=[mask] if mask else [],
            streamer=streamer,
        )
        new_BN = ids_BN[:, ids_BT.shape[1] :]
        for row, new in zip(going, new_BN.tolist(), strict=True):
            made[row] = [*made[row], *new][: limits[row]]
        stays = [at for at, row in enumerate(going) if len(made[row]) < limits[row] and stop_ids.isdisjoint(made[row])]
        if len(stays) < len(going):
            going = [going[at] for at in stays]
            places = torch.tensor(stays, dtype=torch.long, device=ids_BT.device)
            ids_BN, mask_BT = ids_BN[places], mask_BT[places]
            if cache is not None:
                cache.batch_select_indices(places)
            if mask is not None:
                mask.keep(stays)
        ids_BT, mask_BT = ids_BN, torch.cat([mask_BT, mask_BT.new_ones(len(going), new_BN.shape[1])], dim=1)
    return made


def _begun(model: Any, ids_BT: torch.Tensor, num_shared: int) -> Any:
    """A cache that holds what all rows begin with; None for a model that keeps more than keys and values."""
    if not can_read_once(model):
        return None
    return read_once(model, ids_BT[0, :num_shared], len(ids_BT), growing_cache()) if num_shared else growing_cache()
