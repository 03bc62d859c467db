"""Adapters of a person's own, from the modules that AYAR_PLUGINS lists.

The protocol: such a module has a dictionary `ADAPTERS`, name to a callable that takes the number of dimensions D and
returns a `torch.nn.Module` from vectors (N, D) to vectors (N, D); Ayar brings them to unit length. A good one starts
near the identity. Only its `state_dict` is kept, as safetensors, so the module must be listed wherever the model is used.
"""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from finetune_core import settings
from finetune_core.errors import TrainingError

Factory = Callable[[int], nn.Module]


def registered() -> dict[str, Factory]:
    """Every adapter by its name; {} where AYAR_PLUGINS is not set.

    Raises TrainingError that names the module and the reason if one cannot be imported or registers nothing usable.
    """
    found: dict[str, Factory] = {}
    for module_name in settings.current().plugins:
        adapters = _adapters(module_name)
        for name, factory in adapters.items():
            if name in found or not callable(factory):
                reason = "is registered twice" if name in found else f"is {factory!r}, not a callable"
                raise _unusable(module_name, f"its adapter {name!r} {reason}")
            found[name] = factory
    return found


def build(name: str, num_dimensions: int) -> nn.Module:
    """A new adapter of that name. Raises TrainingError if there is none or it does not map (N, D) to (N, D)."""
    known = registered()
    if name not in known:
        raise TrainingError(
            f"There is no adapter {name!r} of your own; AYAR_PLUGINS registers: {', '.join(sorted(known)) or 'none'}.",
            hint="List the module that registers it in AYAR_PLUGINS, or choose another adapter.",
        )
    try:
        module = known[name](num_dimensions)
        with torch.no_grad():
            shape = tuple(module(torch.zeros(2, num_dimensions)).shape)
    except Exception as error:  # a person's own code may fail in any way; it is told, not hidden
        raise TrainingError(
            f"The adapter {name!r} cannot be made for {num_dimensions} dimensions: {type(error).__name__}: {error}.",
            hint="Correct it in the module that AYAR_PLUGINS lists.",
        ) from error
    if shape != (2, num_dimensions):
        raise TrainingError(
            f"The adapter {name!r} turns vectors of shape (2, {num_dimensions}) into {shape}.",
            hint="An adapter must keep the shape of what it is given.",
        )
    return module


def _adapters(module_name: str) -> dict[str, Any]:
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # importing runs a person's own code, which may fail in any way
        raise _unusable(module_name, f"{type(error).__name__}: {error}") from error
    adapters = getattr(module, "ADAPTERS", None)
    if not isinstance(adapters, dict):
        raise _unusable(module_name, "it has no dictionary ADAPTERS")
    return adapters


def _unusable(module_name: str, reason: str) -> TrainingError:
    return TrainingError(
        f"The plug-in {module_name} cannot be used: {reason}.",
        hint="Correct the module, or take it out of AYAR_PLUGINS.",
    )
