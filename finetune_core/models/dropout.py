"""Dropout, set for a training."""

from torch import nn


def set_dropout(model: nn.Module, share: float) -> None:
    """Leave out `share` (0 to below 1) of the activations in every dropout of `model`; its saved configuration stays."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        elif isinstance(getattr(module, "attention_dropout", None), float):  # some models keep attention's as a number
            module.attention_dropout = share  # type: ignore[assignment]
