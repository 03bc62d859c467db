"""Answers in words, next to each other: what each system of a comparison said to an example, and what a judge made of it."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.errors import ArtefactError, DatasetError
from finetune_core.records import Chat
from finetune_core.storage import datasets as dataset_rows
from finetune_core.wording import metric_title
from finetune_core.workspace.comparisons import ComparisonView, details_of, folder_of


@dataclass(frozen=True)
class Verdict:
    """What a judge said of one statement or passage; `is_met` is None where it only restated something."""

    text: str
    is_met: bool | None
    reason: str


@dataclass(frozen=True)
class Grade:
    """What a judge gave to an answer on one metric, from 0 to 1; None where it could not. `said` is what it rests on."""

    metric: str
    title: str
    value: float | None
    said: tuple[Verdict, ...]


@dataclass(frozen=True)
class SystemAnswer:
    """What one system said to an example: `score` from 0 to 1 (None: not told), `note` "" for nothing odd."""

    name: str
    role: str
    answer: str
    score: float | None
    note: str
    grades: tuple[Grade, ...] = ()


def answers(view: ComparisonView, system: str, question_id: str) -> tuple[str, tuple[SystemAnswer, ...]]:
    """What is right for an example, and what each system said: base, the tuned `system`, those it should learn from, then
    the others beside it.

    KeyError for an unknown example.
    """
    folder = folder_of(view)
    floors = sorted(view.floors(system), key=lambda each: not each["facts"].get("is_teacher"))
    shown = [view.system(view.difference(system)["against"]), view.system(system), *floors]
    details = [details_of(folder / f"{each['key']}.parquet")[question_id] for each in shown]
    said = [
        answer_of(each["name"], "teacher" if each["facts"].get("is_teacher") else each["role"], detail)
        for each, detail in zip(shown, details, strict=True)
    ]
    return str(details[0]["expected"]), tuple(said)


def answer_of(name: str, role: str, detail: Mapping[str, Any]) -> SystemAnswer:
    """An entry of `Report.details` as people read it."""
    grades = tuple(
        Grade(
            metric,
            metric_title(metric),
            one["grade"],
            tuple(Verdict(said["text"], said["verdict"], said["reason"]) for said in one["said"]),
        )
        for metric, one in detail.get("judged", {}).items()
    )
    return SystemAnswer(name, role, detail["answer"], detail["score"], detail["note"], grades)


def passages(view: ComparisonView, question_id: str) -> tuple[str, ...]:
    """The passages that stood in the prompt of a recorded conversation; () where there are none, or the version is gone."""
    return _contexts(view.project_id, view.dataset_id).get(question_id, ())


@functools.lru_cache(maxsize=4)
def _contexts(project_id: str, dataset_id: str) -> dict[str, tuple[str, ...]]:
    try:
        examples = dataset_rows.load_split(project_id, dataset_id).test.examples
    except (ArtefactError, DatasetError):
        return {}
    return {example.id: example.contexts for example in examples if isinstance(example, Chat)}
