"""Scores tuned models and their bases on questions they were not tuned for; whatever hinders it, the comparison goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from finetune_core.corpus.demo import TITLE, evaluation_set
from finetune_core.errors import ArtefactError, DatasetError, FinetuneError, StopRequested
from finetune_core.evaluation.out_of_domain import MAX_SHARED, ForeignSet, contrast, num_shared
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.run import JobRun
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.providers.chat import estimated_tokens
from finetune_core.providers.tokens import TokenCounter
from finetune_core.recipe import Recipe, Report, Run, System
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, Corpus, QueryPassages, content_id
from finetune_core.storage import artefacts, comparisons, database, datasets, models, projects, providers
from finetune_core.storage.models import ModelRow
from finetune_core.wording import counted, metric_title

STOPPED = "It was stopped before these questions were scored; compare again to have them scored."


STANDS_ON = ("base_model", "retriever")
"""The settings that name what a tuned model is used with; a teacher, or a stock reranker beside it, is not asked here."""


class Choice(BaseModel):
    """The foreign questions: the demo's where no version is named, else the test questions of a version of any project.

    `to_services` allows sending them to model services that the compared models use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    project_id: str = ""
    dataset_id: str = ""
    to_services: bool = False

    @property
    def identity(self) -> str:
        """Equal for choices that come to the same."""
        return content_id("out of domain", self.project_id, self.dataset_id, str(self.to_services))


@dataclass(frozen=True)
class Contender:
    """A tuned model of a comparison with its recipe, and the keys of its base's and its own reports there."""

    row: ModelRow
    recipe: Recipe
    base: str
    tuned: str


def load(choice: Choice, checkpoint: Callable[[], None] = lambda: None) -> ForeignSet:
    """The chosen set; the demo's takes some seconds, in which its texts are cut.

    Raises DatasetError if the version is gone or holds no question with passages, ArtefactError if it was altered.
    """
    if not choice.dataset_id:
        return ForeignSet(TITLE, evaluation_set(TokenCounter.for_model(BUNDLED_EMBEDDER), checkpoint))
    with database.reading() as connection:
        project = projects.find(connection, project_id=choice.project_id)
        version = datasets.find(connection, choice.project_id, choice.dataset_id)
    if project is None or version is None:
        raise DatasetError(
            f"The dataset version {choice.dataset_id!r} is gone.", hint="Choose another set of questions, or none."
        )
    part, name = datasets.load_split(choice.project_id, version.id).test, f"{version.name} of {project.name}"
    if not part.examples or not all(isinstance(example, QueryPassages) for example in part.examples):
        raise DatasetError(
            f"{name} has no test questions with passages.", hint="Choose another set of questions, or none."
        )
    return ForeignSet(name, part)


def measure(
    run: JobRun, portion: Run, contenders: Sequence[Contender], choice: Choice, compared_id: str
) -> dict[str, Any]:
    """`name`, `size`, and for each contender (by its key) what `contrast` found, or a `note` why nothing was scored.

    `may_retry` stands beside a note that another attempt may do away with. Raises JobCancelled and LeaseLost only: being
    asked to stop ends the scoring, not the comparison. Reports that an earlier attempt wrote are used again.
    """
    found: dict[str, Any] = {"name": "", "size": "", "models": {}}
    foreign: ForeignSet | None = None
    for position, one in enumerate(contenders):
        step = Portion(portion, position / len(contenders), (position + 1) / len(contenders))
        try:
            if foreign is None and not run.was_stopped:
                foreign = load(choice, run.checkpoint)
                found |= {"name": foreign.name, "size": foreign.size}
            found["models"][one.tuned] = _told(run, step, one, foreign, choice, compared_id)
        except StopRequested:
            found["models"][one.tuned] = {"note": STOPPED, "may_retry": True}
        except FinetuneError as error:
            found["models"][one.tuned] = {"note": f"Not scored: {error.message} {error.hint}", "may_retry": True}
    return found


def may_retry(found: Mapping[str, Any] | None) -> bool:
    """Whether something that `measure` could not score may be scored by another attempt."""
    return any(one.get("may_retry") for one in (found or {}).get("models", {}).values())


def services(connection: Connection, config: Mapping[str, Any]) -> dict[str, bool]:
    """The services that a model with these settings asks, by name: whether it is for searches, else for vectors."""
    reranker = str(config.get("service") or "")
    found = {reranker: True} if reranker else {}
    for name in STANDS_ON:
        value = str(config.get(name) or "")
        if value.startswith(SERVICE_REFERENCE):
            found[value.removeprefix(SERVICE_REFERENCE)] = False
        elif value.startswith(MODEL_REFERENCE):
            row = models.find(connection, value.removeprefix(MODEL_REFERENCE))
            found |= services(connection, row.manifest.get("config", {})) if row else {}
    return found


def sending(connection: Connection, name: str, is_search: bool, foreign: ForeignSet) -> str:
    """What scoring a model that asks this service would send there at most, and what it would cost."""
    service = providers.find(connection, name)
    prices = service.prices if service else None
    if is_search:
        cost = prices.searches_cost_usd(len(foreign.part)) if prices else None
        return f"{name} would search for {counted(len(foreign.part), 'question')}{_price(cost)}."
    texts = [passage.full_text for passage in foreign.part.corpus] + [one.query for one in foreign.part.examples]
    num_tokens = sum(map(estimated_tokens, texts))
    per_million = prices.input_usd_per_million if prices else None
    cost = None if per_million is None else num_tokens * per_million / 1_000_000
    return f"{name} would be sent {foreign.size}, about {num_tokens:,} tokens{_price(cost)}."


def _told(
    run: JobRun, step: Portion, one: Contender, foreign: ForeignSet | None, choice: Choice, compared_id: str
) -> dict[str, Any]:
    if foreign is None or run.was_stopped:
        return {"note": STOPPED, "may_retry": True}
    if note := _obstacle(run, one, foreign, choice, compared_id):
        return {"note": note}
    metric = one.recipe.headline
    before, after = _reports(run, step, one, foreign)
    told = contrast(before, after, one.recipe.metrics[metric], metric_title(metric), foreign)
    run.say(f"{one.row.name}: {told['sentence']}")
    return told


def _obstacle(run: JobRun, one: Contender, foreign: ForeignSet, choice: Choice, compared_id: str) -> str:
    """Why scoring would be pointless, or not allowed; "" if nothing speaks against it."""
    if choice.dataset_id == compared_id:
        return f"Not scored: {foreign.name} is the very version that was compared on."
    shared = num_shared(foreign.part, _learned(run.project_id, one.row.dataset_id))
    if shared > MAX_SHARED * len(foreign.part.corpus):
        return (
            f"Not scored: {foreign.name} is not foreign to this model, as {shared:,} of its "
            f"{counted(len(foreign.part.corpus), 'passage')} stand in the dataset version it was tuned on. Choose another set."
        )
    if choice.to_services:
        return ""
    with database.reading() as connection:
        asked = services(connection, one.row.manifest.get("config", {}))
        sent = [sending(connection, name, is_search, foreign) for name, is_search in asked.items()]
    return f"Not scored, because nothing is sent to a service unasked. {' '.join(sent)}" if sent else ""


def _learned(project_id: str, dataset_id: str) -> list[Corpus]:
    try:
        split = datasets.load_split(project_id, dataset_id)
    except (DatasetError, ArtefactError):
        return []
    return list({id(part.corpus): part.corpus for part in (split.train, split.validation, split.test)}.values())


def _reports(run: JobRun, step: Portion, one: Contender, foreign: ForeignSet) -> tuple[Report, Report]:
    """Of base and tuned; a base that several runs share is scored once."""
    folder = models.folder(run.project_id, one.row.id)
    config = one.recipe.config.model_validate(artefacts.verify(folder)["config"])
    systems = one.recipe.systems(config, one.recipe.load(folder, step), step)

    def report(name: str, key: str, part: Portion) -> Report:
        path = run.workdir / f"foreign-{key}.parquet"
        if not path.is_file():
            system: System = systems[name]
            part.progress(0.0, f"{one.row.name}: {foreign.name}")
            comparisons.write_report(path, one.recipe.evaluate(system, foreign.part, config, part))
        return comparisons.read_report(path)

    return report("base", one.base, Portion(step, 0.0, 0.5)), report("tuned", one.tuned, Portion(step, 0.5, 1.0))


def _price(cost_usd: float | None) -> str:
    return " at a price nobody entered" if cost_usd is None else f" for about {cost_usd:,.4f} US dollars"
