"""What a question in the Playground is answered in: the project's models and services, without a job."""

import time
from pathlib import Path
from typing import Any

from finetune_core.jobs.project_resources import ProjectResources
from finetune_core.jobs.serving_client import OnProgress
from finetune_core.providers.chat import OnText
from finetune_core.storage import database

TELL_S, SAY_S = 0.5, 0.1


class AnsweringRun(ProjectResources):
    """The `Run` of a recipe that answers: it tells progress, and what is said, to whoever asked, and keeps nothing."""

    seed = 0

    def __init__(self, project_id: str, tell: OnProgress, say: OnText | None = None) -> None:
        super().__init__(project_id)
        self._tell, self._told_at, self._shown = tell, time.monotonic(), (0.0, "")
        self._say, self._said_at = say, 0.0
        self._facts: dict[str, Any] = {}

    @property
    def workdir(self) -> Path:
        """A folder for what does not fit into memory; removed by nobody, used by none yet."""
        folder = database.home() / "cache" / "playground"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def on_text(self) -> OnText | None:
        """Passes what is said on, at most ten times a second: the whole of it comes with the answer."""
        return self._pass_on if self._say else None

    def _pass_on(self, text: str) -> None:
        assert self._say is not None
        if time.monotonic() - self._said_at >= SAY_S:
            self._said_at = time.monotonic()
            self._say(text)

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
