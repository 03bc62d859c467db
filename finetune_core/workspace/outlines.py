"""What estimates go by: the outline of a dataset version, and what is known of this machine."""

import functools
import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune_core import settings
from finetune_core.recipe import Measured, Outline, Service
from finetune_core.records import Corpus, Part
from finetune_core.storage import comparisons, database, datasets, providers
from finetune_core.storage import models as model_rows
from finetune_core.training import estimates, speeds
from finetune_core.workspace import models

SAMPLE = 400  # examples whose tokens are counted for an estimate


@dataclass(frozen=True)
class ThisMachine:
    """The `Machine` that the dashboard and its workers run on; without `is_probed` its speed is not measured but made up."""

    is_probed: bool = True

    @property
    def cache(self) -> Path:
        """The folder of the vector cache."""
        return database.home() / "cache" / "vectors"

    def model_folder(self, model_id: str) -> Path:
        """The folder of a tuned model. Raises ArtefactError if there is no such model."""
        return models.folder(model_id)

    def measured(self, model_id: str) -> Measured | None:
        """What the newest comparison found of a tuned model; None if it was never compared."""
        with database.reading() as connection:
            row = model_rows.find(connection, model_id)
            return comparisons.measured(connection, row.project_id, model_id) if row else None

    def service(self, name: str) -> Service:
        """The provider of that name. Raises ProviderError if there is none."""
        with database.reading() as connection:
            return providers.get(connection, name)

    def spend(self, service: str, num_searches: float = 0.0, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Never: an estimate asks no service for anything."""
        raise AssertionError(service)

    def tokens_per_s(self, work: str, model: str) -> tuple[float, int] | None:
        """How fast `model` was at that work here, and how often it was timed; None if never."""
        return speeds.tokens_per_s(database.home(), model, work, settings.current().threads)

    def flops(self) -> float:
        """Floating-point operations per second, from a probe of half a second or one made a short while ago."""
        return speeds.machine_flops(database.home(), settings.current().threads) if self.is_probed else 1e10


@functools.lru_cache(maxsize=16)
def outline(project_id: str, dataset_id: str) -> Outline:
    """The outline of a dataset version, which never changes. Raises DatasetError if there is no such version."""
    split = datasets.load_split(project_id, dataset_id)
    known = split.train.corpus.positions
    uses = Counter(p for example in split.train.examples for p in estimates.belonging(example) if p in known)
    return Outline(
        num_train=len(split.train),
        num_validation=len(split.validation),
        num_test=len(split.test),
        num_passages=len(split.train.corpus),
        sample=_sample(split.train),
        uses=tuple(uses.values()),
    )


def _sample(part: Part[Any]) -> Part[Any]:
    examples = random.Random(0).sample(part.examples, min(SAMPLE, len(part)))
    wanted = {passage for example in examples for passage in estimates.belonging(example)}
    corpus = Corpus(tuple(passage for passage in part.corpus if passage.id in wanted))
    return replace(part, examples=tuple(examples), corpus=corpus)
