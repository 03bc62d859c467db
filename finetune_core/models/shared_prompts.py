"""What many prompts begin with, as instructions, functions or a schema, read once instead of once for each.

No token sees those after it, so keys and values of a beginning are the same whatever follows, and so are the gradients
that flow through them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MIN_SHARED = 16
"""Fewer tokens that all rows of a batch begin with are not worth a reading of their own."""


def shared_tokens(rows: Sequence[Sequence[Any]]) -> int:
    """How many tokens all of two or more rows begin with, each keeping at least one of its own; 0 where they are few."""
    if len(rows) < 2:
        return 0
    shortest = min(map(len, rows))
    first, last = min(rows, key=list), max(rows, key=list)  # in the order of dictionaries, all others lie between them
    num = next((place for place in range(shortest) if first[place] != last[place]), shortest)
    return min(num, shortest - 1) if num >= MIN_SHARED else 0


def cheapest_order(rows: Sequence[Sequence[Any]], batch_size: int) -> list[int]:
    """The positions of `rows` in an order that, cut into batches of `batch_size`, has few tokens to read.

    The longest first, so that little is padded; or, where that is cheaper, rows that begin alike after each other, as
    those with the same instructions and schema, since what a batch begins with is read once.
    """
    by_length = sorted(range(len(rows)), key=lambda row: (-len(rows[row]), row))
    by_beginning = sorted(range(len(rows)), key=lambda row: (list(rows[row]), row))
    return min((by_length, by_beginning), key=lambda order: num_read(rows, order, batch_size))


def can_read_once(model: Any) -> bool:
    """Whether keys and values are all that later tokens take from earlier ones in this model, and they are kept now."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return kinds == {"full_attention"} and not (model.training and model.is_activation_checkpointing)


def read_once(model: Any, shared_P: "torch.Tensor", num_rows: int, cache: Any = None) -> Any:
    """`cache` with keys and values of the tokens (P,) that `num_rows` rows begin with, once for each row.

    Without one given it is one that gradients flow through.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config) if cache is None else cache
    model(input_ids=shared_P[None], past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(num_rows)
    return cache


def num_read(rows: Sequence[Sequence[Any]], order: Sequence[int], batch_size: int) -> int:
    """What is read of `rows` in batches cut from `order`, padding included, what a batch begins with once."""
    total = 0
    for start in range(0, len(order), batch_size):
        batch = [rows[row] for row in order[start : start + batch_size]]
        shared = shared_tokens(batch)
        total += shared + len(batch) * (max(map(len, batch)) - shared)
    return total
