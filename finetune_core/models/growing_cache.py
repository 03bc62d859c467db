"""Keys and values of the tokens read so far, with room for more: a new token is written behind them.

The cache that transformers makes by itself copies all of them for each new token.
"""

from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens of room beyond those that are needed, whenever what is held is copied to a larger place."""


class _Held:
    """A tensor (B, H, T, D) that grows along T in a place (B, H, T + room, D)."""

    def __init__(self) -> None:
        self._place: torch.Tensor | None = None

    def grown(self, before: torch.Tensor | None, new: torch.Tensor) -> torch.Tensor:
        """`new` behind `before`, which is what was given last time or, if rows were chosen from it, another tensor."""
        start = 0 if before is None or not before.numel() else before.shape[-2]
        end = start + new.shape[-2]
        place = self._place
        if place is None or before is None or place.data_ptr() != before.data_ptr() or end > place.shape[-2]:
            place = self._place = new.new_empty((*new.shape[:-2], end + ROOM, new.shape[-1]))
            if before is not None and start:
                place[..., :start, :] = before
        place[..., start:end, :] = new
        return place[..., :end, :]


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """The keys and values of one layer. For answering alone: what is written in place carries no gradients."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._held_keys, self._held_values = _Held(), _Held()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values (B, H, T, D) with the new ones at their end."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._held_keys.grown(self.keys, key_states)
        self.values = self._held_values.grown(self.values, value_states)
        return self.keys, self.values


def growing_cache() -> Cache:
    """An empty cache for a model that attends to all tokens in every layer."""
    return Cache(layer_class_to_replicate=GrowingLayer)
