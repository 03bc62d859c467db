"""What a run may reach of its project besides its data: other models, services, and the book of what was paid."""

from pathlib import Path

from finetune_core.recipe import Measured
from finetune_core.storage import comparisons, database, generations, models, providers
from finetune_core.storage.generations import Spend
from finetune_core.storage.providers import Provider


class ProjectResources:
    """The `Resources` of a project; what is spent is booked for the job `job_id`, or for none."""

    def __init__(self, project_id: str, job_id: str | None = None) -> None:
        self.project_id = project_id
        self.cache = database.home() / "cache" / "vectors"
        self._paying_job_id = job_id

    def model_folder(self, model_id: str) -> Path:
        """The checked folder of another model of the project. Raises ArtefactError if it is gone or was altered."""
        with database.reading() as connection:
            return models.checked_folder(connection, self.project_id, model_id)

    def measured(self, model_id: str) -> Measured | None:
        """What the newest comparison found of another model of the project; None if it was never compared."""
        with database.reading() as connection:
            return comparisons.measured(connection, self.project_id, model_id)

    def service(self, name: str) -> Provider:
        """The provider of that name. Raises ProviderError if there is none."""
        with database.reading() as connection:
            return providers.get(connection, name)

    def spend(self, service: str, num_searches: float = 0.0, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Add to what the project has cost, at the price that was entered; also for an attempt that lost its job."""
        self._pay(service, Spend.of(self.service(service).prices, num_searches, input_tokens, output_tokens))

    def _pay(self, service: str, paid: Spend) -> None:
        with database.writing() as connection:
            generations.add_spend(connection, self.project_id, self._paying_job_id, service, paid)
