"""Which step was best so far, and whether it is time to give up: the part of a run that must survive a restart."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "selection.json"


@dataclass
class Selection:
    """Grows with every validation. `best_step` is 0 until there was one; times are what was spent so far, restarts apart.

    `num_since_best` counts validations without a new best; `is_finished` says that no step will follow.
    """

    best_step: int = 0
    best_value: float = -math.inf
    last_step: int = 0
    num_since_best: int = 0
    is_finished: bool = False
    train_seconds: float = 0.0
    validation_seconds: float = 0.0

    def take(self, step: int, value: float) -> bool:
        """Note what validation gave at `step`; True if that is a new best. NaN (nothing to validate on) always is."""
        self.last_step = step
        if math.isnan(value) or value > self.best_value:
            self.best_step, self.best_value, self.num_since_best = step, value, 0
            return True
        self.num_since_best += 1
        return False

    def save(self, folder: Path) -> None:
        """Write it beside the weights of a checkpoint."""
        (folder / FILE_NAME).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Selection":
        """Read what `save` wrote."""
        return cls(**json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))
