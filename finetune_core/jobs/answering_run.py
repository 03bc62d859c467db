"""What a question in the Playground is answered in: the project's models and services, without a job."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finetune_core.recipe import Measured
from finetune_core.storage import comparisons, database, generations, providers
from finetune_core.storage import models as model_rows
from finetune_core.storage.generations import Spend
from finetune_core.storage.providers import Provider

TELL_S = 0.5
Tell = Callable[[float, str], None]


class AnsweringRun:
    """The `Run` of a recipe that answers: it tells progress to whoever asked, and keeps nothing."""

    seed = 0

    def __init__(self, project_id: str, tell: Tell) -> None:
        self.project_id = project_id
        self.cache = database.home() / "cache" / "vectors"
        self._tell, self._told_at, self._shown = tell, time.monotonic(), (0.0, "")
        self._facts: dict[str, Any] = {}

    @property
    def workdir(self) -> Path:
        """A folder for what does not fit into memory; removed by nobody, used by none yet."""
        folder = database.home() / "cache" / "playground"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def model_folder(self, model_id: str) -> Path:
        """The checked folder of another model of the project. Raises ArtefactError if it is gone or was altered."""
        with database.reading() as connection:
            return model_rows.checked_folder(connection, self.project_id, model_id)

    def measured(self, model_id: str) -> Measured | None:
        """What the newest comparison found of another model of the project; None if it was never compared."""
        with database.reading() as connection:
            return comparisons.measured(connection, self.project_id, model_id)

    def service(self, name: str) -> Provider:
        """The provider of that name. Raises ProviderError if there is none."""
        with database.reading() as connection:
            return providers.get(connection, name)

    def spend(self, service: str, num_searches: float = 0.0, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Add to what this project has cost, at the price that was entered for the provider."""
        paid = Spend.of(self.service(service).prices, num_searches, input_tokens, output_tokens)
        with database.writing() as connection:
            generations.add_spend(connection, self.project_id, None, service, paid)

    def spend_training(self, service: str, model: str, num_tokens: int) -> None:
        """Never: an answer trains nothing."""
        raise AssertionError(service)

    def log(self, step: int, **metrics: float) -> None:
        """Answers have no curves: only a checkpoint."""
        self.checkpoint()

    def progress(self, fraction: float, message: str = "") -> None:
        """Remember what is going on, and tell it at the next checkpoint."""
        self._shown = (fraction, message or self._shown[1])
        self.checkpoint()

    def checkpoint(self) -> None:
        """Tell the progress at most twice a second; what `tell` raises (nobody listens any more) ends the work."""
        if time.monotonic() - self._told_at >= TELL_S:
            self._told_at = time.monotonic()
            self._tell(*self._shown)

    def remember(self, **facts: Any) -> None:
        """Keep facts for this one answer."""
        self._facts.update(facts)

    def recall(self, key: str, default: Any = None) -> Any:
        """What was remembered during this answer."""
        return self._facts.get(key, default)
