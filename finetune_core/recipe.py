"""The one concept: a fine-tuning task is a `Recipe`, a value composed from functions.

This module holds types only. Recipes live in `finetune_core.recipes`, one file each, discovered by name.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from finetune_core.errors import DatasetError
from finetune_core.records import Part, ServiceKind, Split

Columns = Mapping[str, NDArray[np.float64]]
"""Sufficient statistics of a report: name to an array of one value per test example (N,), or one row per example (N, K)."""

Metric = Callable[[Columns], float]
"""A number computed from columns; computing it on resampled rows gives its bootstrap distribution."""


class Prices(Protocol):
    """What tokens and searches of a service cost, as far as a person entered it."""

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """In US dollars, or None where a price is unknown."""

    def searches_cost_usd(self, num_searches: float) -> float | None:
        """In US dollars, or None where the price is unknown."""

    def training_cost_usd(self, model: str, num_tokens: int) -> float | None:
        """In US dollars, for tokens trained on; None where the price for that model is unknown."""


class Service(Protocol):
    """A model service that a person named on the Settings page; `key_variable` names the variable that holds its key."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> ServiceKind: ...
    @property
    def base_url(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def key_variable(self) -> str: ...
    @property
    def prices(self) -> Prices: ...


@dataclass(frozen=True)
class Measured:
    """What a comparison found of a tuned model on the test examples of a dataset version.

    `config` are the settings it was tuned with; `metrics` holds for each metric its `value`, `low` and `high` (None where
    there is none) and `num_failed`; `facts` is what its training and its report said besides.
    """

    recipe: str
    name: str
    config: Mapping[str, Any]
    comparison_id: str
    dataset: str
    num_examples: int
    metrics: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]


class Resources(Protocol):
    """What there is to build on: other tuned models, model services, and vectors that are known already."""

    @property
    def cache(self) -> Path:
        """The folder of the vector cache, shared by all runs."""

    def model_folder(self, model_id: str) -> Path:
        """The checked folder of another tuned model of the same project. Raises ArtefactError if it is gone or altered."""

    def measured(self, model_id: str) -> Measured | None:
        """What the newest comparison found of another tuned model of the project; None if it was never compared."""

    def service(self, name: str) -> Service:
        """The model service of that name. Raises ProviderError if there is none."""

    def spend(self, service: str, num_searches: float = 0.0, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Put on record, at once, that a model service charged for that many searches or tokens. From any thread."""


class Run(Resources, Protocol):
    """All that a recipe may do to the outside world while it works."""

    @property
    def workdir(self) -> Path:
        """A folder of this run alone; what lies in it survives a restart."""

    @property
    def seed(self) -> int:
        """Seeds everything random."""

    @property
    def on_text(self) -> Callable[[str], None] | None:
        """Told all that a language model has said so far, while a person waits for it; None where nobody watches."""

    def spend_training(self, service: str, model: str, num_tokens: int) -> None:
        """Put on record, at once, that a model service charged for training a model on that many tokens."""

    def log(self, step: int, **metrics: float) -> None:
        """Keep one value per name at `step` (>= 0) for the live charts; also a `checkpoint()`."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the work is (0 to 1) and what it is doing now."""

    def checkpoint(self) -> None:
        """Call at least every 2 s of work. Raises StopRequested or JobCancelled when a person asked for it."""

    def remember(self, **facts: Any) -> None:
        """Keep JSON values that survive a restart of this run."""

    def recall(self, key: str, default: Any = None) -> Any:
        """The value remembered under `key`, or `default`."""


class Machine(Resources, Protocol):
    """What an estimate may know of the place where a run would be."""

    def tokens_per_s(self, work: str, model: str) -> tuple[float, int] | None:
        """The median of how fast `model` was at that work here, and of how many times; None if it was never timed.

        `work` is a recipe's name, for the tokens its training steps read, or `training.speeds.ENCODE`.
        """

    def flops(self) -> float:
        """Floating-point operations per second of float32 matrix products, from a short probe."""


@dataclass(frozen=True)
class Outline:
    """What an estimate knows of a dataset version: its counts, and a seeded sample of its training part.

    `num_passages` counts the corpus (the choices, for `Labelled`). `sample` holds up to a few hundred training examples,
    its corpus only the passages that belong to them. `uses` says for each passage that belongs to a training example to
    how many it does; () for kinds without a corpus.
    """

    num_train: int
    num_validation: int
    num_test: int
    num_passages: int
    sample: Part[Any]
    uses: tuple[int, ...] = ()


@dataclass(frozen=True)
class Charge:
    """What a model service will charge for, at most: `num_searches` are questions ranked against up to 100 passages each.

    `num_training_tokens` are those it trains on, each epoch counted. `cost_usd` is None where no price was entered.
    """

    service: str
    num_requests: int
    num_tokens: int = 0
    num_searches: int = 0
    cost_usd: float | None = None
    num_training_tokens: int = 0


@dataclass(frozen=True)
class Estimate:
    """What a run will take; None for what cannot be known beforehand.

    `seconds` are those of work on this machine: what a service takes for its own comes on top. `basis` says in words
    where they come from, `warnings` what a person should know. `disk_bytes` is what has to be free at the start.
    """

    seconds: float | None = None
    basis: str = ""
    num_steps: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    charges: tuple[Charge, ...] = ()
    warnings: tuple[str, ...] = ()


def measured(metrics: Mapping[str, Metric], columns: Collection[str]) -> dict[str, Metric]:
    """The metrics whose columns are there: those of a judge, for one, need a run that was given one."""
    return {name: metric for name, metric in metrics.items() if set(getattr(metric, "columns", ())) <= set(columns)}


@dataclass(frozen=True)
class Report:
    """How one system did on one part: one row of sufficient statistics per example.

    `ids` and `groups` have N entries, `columns` N rows each. A row that could not be scored holds NaN in its columns;
    metrics are computed over the rows that could be, and `num_failed(column)` says how many could not. `details` has one
    JSON value per example (for retrieval: the ids and scores of its top passages); `facts` says what was done, once
    (number of passages searched, seconds, engine).
    """

    system: str
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    columns: Columns
    details: tuple[Any, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def num_failed(self, column: str) -> int:
        """The number of rows that hold NaN in `column`."""
        values = self.columns[column]
        return int(np.isnan(values).reshape(len(self.ids), -1).any(axis=1).sum()) if self.ids else 0


System = Any
"""Whatever a recipe's `evaluate` and `answer` know how to ask: a retriever, a router, a chat model."""


@dataclass(frozen=True)
class Recipe:
    """A fine-tuning task.

    - `name`: file name, database value and URL; `title` and `summary` for people; `source`: the paper or guide.
    - `record`: the kind of example it eats; `config`: a pydantic model, at once form, `--set` and validation.
    - `headline`: the metric that carries the verdict; `metrics`: every metric by name, each a function of columns.
    - `train(split, config, run) -> model`.
    - `systems(config, model, run) -> {name: system}`: all worth scoring side by side; `model` None gives the baselines only.
    - `evaluate(system, part, config, run) -> Report`.
    - `answer(system, input, config)` serves the Playground.
    - `save(model, path)`, `load(path, run) -> model`; `exports`: name to a function (artefact folder, target folder).
    - `extras`: packages it needs beyond the core, as pip names.
    - `estimate(outline, config, machine) -> Estimate`: what a run would take; reads no weights. None where nobody can tell.
    - `on_top(system, config, model, validation, run) -> system`: the model put behind another recipe's system, as a reranker
      is behind whatever finds passages; what has to be fitted to that system is, on the validation part. None for most.
    - `traits(manifest) -> {name: value}`: what is special about a model of this recipe, for people; "Tuned from" says what it
      was tuned from where that is not the setting `base_model`.
    - `library`, `pipeline_tag`: what its export loads with and what it does, as model hubs call them; "" for none.
    - `loss`: the loss on validation examples that chooses the step, where that is no metric; "" where it is the headline.
    - `notice`: what a person has to know before a run is started, "" for nothing; `alternative`: the recipe to take instead.
    """

    name: str
    title: str
    summary: str
    source: str
    record: type
    config: type[BaseModel]
    headline: str
    metrics: Mapping[str, Metric]
    train: Callable[[Split[Any], Any, Run], Any]
    systems: Callable[[Any, Any, Run], dict[str, System]]
    evaluate: Callable[[System, Part[Any], Any, Run], Report]
    answer: Callable[..., Any]
    save: Callable[[Any, Path], None]
    load: Callable[[Path, Run], Any]
    exports: Mapping[str, Callable[[Path, Path], None]]
    extras: Sequence[str] = ()
    estimate: Callable[[Outline, Any, Machine], Estimate] | None = None
    on_top: Callable[[System, Any, Any, Part[Any], Run], System] | None = None
    traits: Callable[[Mapping[str, Any]], Mapping[str, str]] = lambda manifest: {}
    library: str = ""
    pipeline_tag: str = ""
    notice: str = ""
    alternative: str = ""
    loss: str = ""

    def check(self, part: Part[Any]) -> None:
        """Raise DatasetError if an example is of another kind than this recipe's."""
        for example in part.examples:
            self.check_example(example)

    def check_example(self, example: Any) -> None:
        """Raise DatasetError if the example is of another kind than this recipe's."""
        if not isinstance(example, self.record):
            raise DatasetError(
                f"The recipe {self.title} takes another kind of example than this dataset version holds.",
                hint="Choose another dataset version, or another recipe.",
            )
