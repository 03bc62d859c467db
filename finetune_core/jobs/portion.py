"""A stretch of a job, for work that counts its own progress from 0 to 1."""

from pathlib import Path
from typing import Any

from finetune_core.recipe import Measured, Run, Service


class Portion:
    """A `Run` whose progress from 0 to 1 is the stretch from `start` to `end` of another one's."""

    def __init__(self, run: Run, start: float, end: float) -> None:
        self._run, self._start, self._end = run, start, end
        self.workdir, self.cache, self.seed = run.workdir, run.cache, run.seed
        self.on_text = run.on_text

    def model_folder(self, model_id: str) -> Path:
        """As the other run."""
        return self._run.model_folder(model_id)

    def measured(self, model_id: str) -> Measured | None:
        """As the other run."""
        return self._run.measured(model_id)

    def service(self, name: str) -> Service:
        """As the other run."""
        return self._run.service(name)

    def spend(self, service: str, num_searches: float = 0.0, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """As the other run."""
        self._run.spend(service, num_searches, input_tokens=input_tokens, output_tokens=output_tokens)

    def spend_training(self, service: str, model: str, num_tokens: int) -> None:
        """As the other run."""
        self._run.spend_training(service, model, num_tokens)

    def log(self, step: int, **metrics: float) -> None:
        """As the other run."""
        self._run.log(step, **metrics)

    def progress(self, fraction: float, message: str = "") -> None:
        """As the other run, scaled."""
        self._run.progress(self._start + fraction * (self._end - self._start), message)

    def checkpoint(self) -> None:
        """As the other run."""
        self._run.checkpoint()

    def remember(self, **facts: Any) -> None:
        """As the other run."""
        self._run.remember(**facts)

    def recall(self, key: str, default: Any = None) -> Any:
        """As the other run."""
        return self._run.recall(key, default)
