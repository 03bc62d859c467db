"""One file for each fine-tuning task. Adding a task is adding a file here that defines `RECIPE`: it is found."""

import functools
import importlib
import pkgutil

from finetune_core.errors import TrainingError
from finetune_core.recipe import Recipe

__all__ = ["Recipe", "discover", "get"]


@functools.cache
def discover() -> dict[str, Recipe]:
    """Every recipe by name, sorted. A module whose name starts with "_" is a part of one, not one."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    found: dict[str, Recipe] = {name: importlib.import_module(f"{__name__}.{name}").RECIPE for name in names}
    for name, recipe in found.items():
        assert recipe.name == name, f"recipes/{name}.py defines a recipe called {recipe.name!r}"
    return found


def get(name: str) -> Recipe:
    """The recipe of that name. Raises TrainingError that lists the known ones."""
    if name not in discover():
        raise TrainingError(f"There is no recipe {name!r}.", hint=f"Choose one of: {', '.join(discover())}.")
    return discover()[name]
