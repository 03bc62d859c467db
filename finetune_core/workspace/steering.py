"""What chose the step of a run that was kept: the headline metric on validation examples, or a loss."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.recipe import Recipe
from finetune_core.wording import metric_title


@dataclass(frozen=True, slots=True)
class Steering:
    """What a run measured on validation examples. `name` is the series in its metrics, `title` what people call it.

    `base` is the value before the first step, `best` that of the step that was kept; None until measured. A loss is better
    the lower it is, and no share of anything.
    """

    name: str
    title: str
    is_loss: bool
    base: float | None = None
    best: float | None = None

    @property
    def change(self) -> float | None:
        """From `base` to `best`, None until both are known."""
        return None if self.base is None or self.best is None else self.best - self.base

    @property
    def token_chances(self) -> tuple[float, float] | None:
        """How likely the model held a token of the right answers to be, before and after: e to the minus loss.

        That is the geometric mean over all of them. None for a metric, and until both losses are known.
        """
        if not self.is_loss or self.base is None or self.best is None:
            return None
        return math.exp(-self.base), math.exp(-self.best)


def steering(recipe: Recipe, config: Mapping[str, Any], facts: Mapping[str, Any]) -> Steering:
    """What chose the step of a run of that recipe, from the run's settings and facts."""
    if not recipe.loss:
        known = facts.get("base_validation"), facts.get("best_validation")
        return Steering(f"validation_{recipe.headline}", metric_title(recipe.headline), False, *known)
    title = "preference loss" if config.get("method") == "dpo" else "loss"
    return Steering(recipe.loss, title, True, facts.get(f"base_{recipe.loss}"), facts.get(f"best_{recipe.loss}"))
