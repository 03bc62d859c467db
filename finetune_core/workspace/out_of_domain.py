"""Questions that models are not tuned for: what there is to choose from, what scoring it would send, what was found."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune_core.corpus.demo import TITLE, questions
from finetune_core.errors import DatasetError
from finetune_core.evaluation.out_of_domain import ForeignSet
from finetune_core.jobs.out_of_domain import Choice, load, sending, services
from finetune_core.storage import comparisons, database
from finetune_core.storage import models as model_rows
from finetune_core.workspace import datasets, projects

__all__ = ["Choice"]

DEMO, NONE = "demo", "none"


@dataclass(frozen=True)
class Offer:
    """A set that can be chosen by its `name`; `title` is for people. `choice` is None for scoring nothing."""

    name: str
    title: str
    choice: Choice | None


def offers(project_id: str, dataset_id: str = "") -> list[Offer]:
    """What can be chosen, the default first: the demo's questions, those of every other version in any project, none."""
    found = [Offer(DEMO, f"{TITLE}, {len(questions())} questions", Choice())]
    # The project at hand comes first, because its versions may be called by their names alone.
    for project in sorted(projects.listing(), key=lambda project: project.id != project_id):
        for version in datasets.listing(project.id):
            num_questions = version.num_examples["test"]
            if version.record != datasets.PAIRS or not num_questions or version.id == dataset_id:
                continue
            name = version.name if project.id == project_id else f"{project.name}/{version.name}"
            title = f"{version.name} of {project.name}, {num_questions:,} questions"
            found.append(Offer(name, title, Choice(project_id=project.id, dataset_id=version.id)))
    return [*found, Offer(NONE, "None", None)]


def named(project_id: str, name: str, *, to_services: bool = False) -> Choice | None:
    """The choice of that name: "demo", "none", a version's name or id, or "project/version" for another project's.

    Raises DatasetError that lists what there is.
    """
    known = offers(project_id)
    for offer in known:
        if name == offer.name or (offer.choice and name and name == offer.choice.dataset_id):
            return offer.choice and offer.choice.model_copy(update={"to_services": to_services})
    raise DatasetError(
        f"There are no questions called {name!r}; there are: {', '.join(offer.name for offer in known)}.",
        hint="Name one of those, or none.",
    )


def would_send(project_id: str, model_ids: Sequence[str], choice: Choice) -> list[str]:
    """What scoring these models would send to whom, a sentence for each service; [] if nothing leaves this machine.

    Raises DatasetError or ArtefactError if the chosen set is gone.
    """
    asked: dict[str, bool] = {}
    with database.reading() as connection:
        for row in model_rows.of_project(connection, project_id):
            asked |= services(connection, row.manifest.get("config", {})) if row.id in model_ids else {}
        if not asked:
            return []
        foreign = _loaded(choice.project_id, choice.dataset_id)
        return [sending(connection, name, is_search, foreign) for name, is_search in asked.items()]


def of_model(project_id: str, model_id: str) -> dict[str, dict[str, Any]]:
    """What the newest comparison says that scored this model on foreign questions, by the model's name; {} without one."""
    with database.reading() as connection:
        for row in comparisons.of_project(connection, project_id):
            found = (row.result.get("out_of_domain") or {}).get("models", {})
            for system in row.result["systems"]:
                said = found.get(system["key"], {}) if system["model_id"] == model_id else {}
                if "sentence" in said:
                    return {system["name"]: said}
    return {}


@functools.lru_cache(maxsize=2)
def _loaded(project_id: str, dataset_id: str) -> ForeignSet:
    """A version never changes, nor does the demo while this process lives."""
    return load(Choice(project_id=project_id, dataset_id=dataset_id))
