"""Comparisons: start one, read its verdict, and look at what changed question by question."""

import csv
import functools
import io
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from finetune_core.errors import ArtefactError
from finetune_core.jobs import out_of_domain
from finetune_core.jobs.executors.compare import comparison_id
from finetune_core.jobs.out_of_domain import Choice
from finetune_core.records import Passage
from finetune_core.storage import artefacts, database
from finetune_core.storage import comparisons as comparison_rows
from finetune_core.storage import documents as document_rows
from finetune_core.storage import panels as panel_rows
from finetune_core.storage.comparisons import ComparisonRow, Question
from finetune_core.wording import metric_title, signed
from finetune_core.workspace import datasets, jobs, models

__all__ = ["metric_title", "signed"]

BEYOND = 101
"""The rank that stands for "not among the first 100"."""


@dataclass(frozen=True)
class ComparisonView:
    """A finished comparison; `result` is the summary: systems, differences with intervals, and the verdict."""

    id: str
    project_id: str
    job_id: str
    dataset_id: str
    recipe: str
    result: dict[str, Any]
    created_at: float

    @property
    def dataset_name(self) -> str:
        """The name of the dataset version compared on."""
        return str(self.result["dataset"]["name"])

    @property
    def tuned(self) -> list[dict[str, Any]]:
        """The tuned systems, the candidate first."""
        chosen = self.result["verdict"]["system"]
        found = [system for system in self.result["systems"] if system["role"] == "tuned"]
        return sorted(found, key=lambda system: system["key"] != chosen)

    @property
    def has_answers(self) -> bool:
        """Whether its systems answered in words (see `evaluation.said`), instead of finding passages or choices."""
        return self.result.get("searched") == "answers"

    def system(self, key: str) -> dict[str, Any]:
        """The system of that key. KeyError if there is none."""
        found: dict[str, Any] = {system["key"]: system for system in self.result["systems"]}[key]
        return found

    def floors(self, key: str) -> list[dict[str, Any]]:
        """What stands beside the tuned system of that key besides its base, in order. KeyError if there is none."""
        beside = self.system(key)["beside"]
        return [system for system in self.result["systems"] if system["role"] == "floor" and system["key"] in beside]

    def out_of_domain(self) -> dict[str, dict[str, Any]]:
        """What tuned models did to questions they were not tuned for, by name, the candidate first; {} if nobody asked."""
        found = (self.result.get("out_of_domain") or {}).get("models", {})
        return {system["name"]: found[system["key"]] for system in self.tuned if system["key"] in found}

    def difference(self, key: str) -> dict[str, Any]:
        """The differences of the tuned system of that key from its base. KeyError if there is none."""
        found: dict[str, Any] = {difference["system"]: difference for difference in self.result["differences"]}[key]
        return found


@dataclass(frozen=True)
class Launched:
    """What became of a launch: `is_finished` if the answer was there already, else the job that works on it."""

    comparison_id: str
    job_id: str
    is_finished: bool


class Change(StrEnum):
    """What tuning did to a question's first right passage, or to how right its answer is."""

    LOST = "lost"
    WON = "won"
    UNCHANGED = "unchanged"


class Length(StrEnum):
    """How long a question is, in words."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


@dataclass(frozen=True)
class OutcomeFilter:
    """Which questions to look at; None and "" mean all. `is_ungraded`: only those that a judge could not grade."""

    change: Change | None = None
    document: str = ""
    length: Length | None = None
    is_ungraded: bool = False


@dataclass(frozen=True)
class Outcome:
    """One question before and after tuning; ranks are of the first right passage, None beyond the first 100.

    `harm` in [-1, 1] is how much of the reciprocal rank was lost; negative where it was gained. For answers in words, ranks
    are None, and `harm` is how much less right (0 to 1) the answer is; the scores are None where that could not be told.
    `is_ungraded` says that a judge was asked about one of both answers and gave no grade.
    """

    question_id: str
    query: str
    document: str
    rank_before: int | None
    rank_after: int | None
    harm: float
    change: Change
    score_before: float | None = None
    score_after: float | None = None
    is_ungraded: bool = False


@dataclass(frozen=True)
class OutcomePage:
    """One page of outcomes, worst harm first (greatest gain first where only won ones are asked for).

    `num_matching` counts all that pass the filter, `counts` those of each change under the filter's other parts, and
    `num_ungraded` those that a judge could not grade, likewise.
    """

    outcomes: tuple[Outcome, ...]
    num_matching: int
    counts: dict[Change, int]
    num_ungraded: int = 0


@dataclass(frozen=True)
class Shown:
    """A passage in a ranked list."""

    passage: Passage
    score: float
    is_right: bool


@dataclass(frozen=True)
class SideBySide:
    """What both models put first for one question, and the passages that are right."""

    question: Question
    before: tuple[Shown, ...]
    after: tuple[Shown, ...]
    right: tuple[Passage, ...]


def launch(project_id: str, dataset: str, runs: Sequence[str], foreign: Choice | None = None) -> Launched:
    """Compare `runs` (ids of runs or models, or model names) on the test questions of `dataset` (name or id).

    `foreign` names questions the models were not tuned for, to be scored as well; models that take no passages have no
    use for it. A comparison that is there already is returned, unless its foreign questions can be tried again; one under
    way is joined. Raises DatasetError or ArtefactError that names what is missing.
    """
    version = datasets.get(project_id, dataset)
    if not runs:
        raise ArtefactError("No run was named to compare.", hint="Choose at least one finished run.")
    model_ids = list(dict.fromkeys(models.by_name(project_id, run).id for run in runs))
    foreign = foreign if version.record == datasets.PAIRS else None
    identity = comparison_id(version.id, model_ids, foreign)
    with database.reading() as connection:
        row = comparison_rows.find(connection, identity)
    if row is not None and not out_of_domain.may_retry(row.result.get("out_of_domain")):
        return Launched(identity, row.job_id, is_finished=True)
    job_id = jobs.submit(
        project_id,
        "compare",
        {
            "dataset_id": version.id,
            "model_ids": model_ids,
            "out_of_domain": foreign.model_dump() if foreign else None,
        },
        title=f"Compare {len(model_ids)} run{'' if len(model_ids) == 1 else 's'} on {version.name}",
        unique_key=f"compare:{project_id}:{identity}",
    )
    return Launched(identity, job_id, is_finished=False)


def listing(project_id: str) -> list[ComparisonView]:
    """The finished comparisons of a project, newest first; [] where there are none."""
    with database.reading() as connection:
        return [_view(row) for row in comparison_rows.of_project(connection, project_id)]


def get(project_id: str, identity: str) -> ComparisonView:
    """The comparison of that id. Raises ArtefactError if the project has none."""
    with database.reading() as connection:
        row = comparison_rows.find(connection, identity)
    if row is None or row.project_id != project_id:
        raise ArtefactError(f"There is no comparison {identity!r}.", hint="Choose one from the Compare page.")
    return _view(row)


def delete(project_id: str, identity: str) -> None:
    """Delete a comparison and its rows for good; models and datasets stay. Raises ArtefactError if there is none."""
    get(project_id, identity)
    with database.writing() as connection:
        comparison_rows.remove(connection, identity)
    artefacts.remove(comparison_rows.folder(project_id, identity))
    shutil.rmtree(panel_rows.folder_of_all(project_id, identity), ignore_errors=True)


def outcomes(
    view: ComparisonView, system: str, chosen: OutcomeFilter, *, offset: int = 0, limit: int = 20
) -> OutcomePage:
    """The questions of a comparison by what the tuned `system` did to them, one page at a time."""
    found = [
        outcome
        for outcome in _outcomes(folder_of(view), view.difference(system)["against"], system)
        if chosen.document in ("", outcome.document)
        and (chosen.length is None or length_of(outcome.query) is chosen.length)
    ]
    counts = {change: sum(outcome.change is change for outcome in found) for change in Change}
    num_ungraded = sum(outcome.is_ungraded for outcome in found)
    if chosen.is_ungraded:
        found = [outcome for outcome in found if outcome.is_ungraded]
    if chosen.change is not None:
        found = [outcome for outcome in found if outcome.change is chosen.change]
    if chosen.change is Change.WON:
        found = found[::-1]
    return OutcomePage(tuple(found[offset : offset + limit]), len(found), counts, num_ungraded)


def movement(view: ComparisonView, system: str) -> tuple[Outcome, ...]:
    """All outcomes of a tuned system, worst harm first, for charts."""
    return _outcomes(folder_of(view), view.difference(system)["against"], system)


def documents(view: ComparisonView) -> dict[str, str]:
    """Document id to its name, of the documents asked about, by name; an imported document is called by its id."""
    asked = {question.document for question in _questions(view)}
    with database.reading() as connection:
        named = {id_: document_rows.name_of(connection, view.project_id, id_) or id_ for id_ in asked}
    return dict(sorted(named.items(), key=lambda item: (item[1], item[0])))


def side_by_side(view: ComparisonView, system: str, question_id: str) -> SideBySide:
    """Both models' first ten passages for a question. KeyError for an unknown question."""
    folder = folder_of(view)
    question = {question.id: question for question in _questions(view)}[question_id]
    against = view.difference(system)["against"]
    details = {key: details_of(folder / f"{key}.parquet")[question_id] for key in (against, system)}
    wanted = {*question.relevant, *(passage for detail in details.values() for passage in detail["ids"])}
    passages = comparison_rows.searched_passages(view.project_id, view.dataset_id, sorted(wanted))

    def shown(key: str) -> tuple[Shown, ...]:
        ranked = zip(details[key]["ids"], details[key]["scores"], strict=True)
        return tuple(Shown(passages[id_], score, id_ in question.relevant) for id_, score in ranked if id_ in passages)

    right = tuple(passages[id_] for id_ in question.relevant if id_ in passages)
    return SideBySide(question, shown(against), shown(system), right)


def length_of(query: str) -> Length:
    """Short up to 6 words, medium up to 12, long beyond."""
    num_words = len(query.split())
    return Length.SHORT if num_words <= 6 else Length.MEDIUM if num_words <= 12 else Length.LONG


def rows(view: ComparisonView) -> list[dict[str, Any]]:
    """Every row of a comparison: one for each system and question, with its values (None: not scored), rank and first ids."""
    folder = folder_of(view)
    questions = {question.id: question for question in _questions(view)}
    found = []
    for system in view.result["systems"]:
        report = comparison_rows.read_report(folder / f"{system['key']}.parquet")
        for position, (id_, detail) in enumerate(zip(report.ids, report.details, strict=True)):
            values = {name: float(values[position]) for name, values in report.columns.items() if values.ndim == 1}
            found.append(
                {
                    "system": system["name"],
                    "role": system["role"],
                    "run": system["run_id"],
                    "question_id": id_,
                    "question": questions[id_].query,
                    "document": questions[id_].document,
                    **{name: value if math.isfinite(value) else None for name, value in values.items()},
                    **_told(detail, questions[id_], view),
                }
            )
    return found


def _told(detail: dict[str, Any], question: Question, view: ComparisonView) -> dict[str, Any]:
    if view.has_answers:
        return {name: detail[name] for name in ("answer", "expected", "score", "note")}
    return {"rank": detail["rank"], "right_passages": list(question.relevant), "found_passages": detail["ids"]}


def as_csv(view: ComparisonView) -> bytes:
    """`rows` as CSV in UTF-8 with a byte order mark, so that spreadsheets read it; a leading =, +, - or @ is quoted."""
    found = rows(view)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(found[0]) if found else ["system"])
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in found)
    return stream.getvalue().encode("utf-8-sig")


def as_json(view: ComparisonView) -> bytes:
    """The summary and `rows` as one JSON object in UTF-8."""
    return json.dumps({"summary": view.result, "rows": rows(view)}, ensure_ascii=False, indent=1).encode()


def _cell(value: Any) -> Any:
    text = " ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@") else text


def _view(row: ComparisonRow) -> ComparisonView:
    return ComparisonView(**vars(row))


def folder_of(view: ComparisonView) -> Path:
    """Where its rows lie. Raises ArtefactError where they were removed."""
    folder = comparison_rows.folder(view.project_id, view.id)
    artefacts.read_manifest(folder)
    return folder


def _questions(view: ComparisonView) -> tuple[Question, ...]:
    return comparison_rows.read_questions(folder_of(view) / comparison_rows.QUESTIONS_FILE)


@functools.lru_cache(maxsize=8)
def details_of(path: Path) -> dict[str, dict[str, Any]]:
    """What the report in a file says of each question by id; a report never changes, so it is read once."""
    report = comparison_rows.read_report(path)
    return dict(zip(report.ids, report.details, strict=True))


@functools.lru_cache(maxsize=8)
def _outcomes(folder: Path, before: str, after: str) -> tuple[Outcome, ...]:
    """Worst harm first, then in order of question id; rows of a comparison never change, so they are read once."""
    details_before, details_after = (details_of(folder / f"{key}.parquet") for key in (before, after))
    found = [
        _outcome(question, details_before[question.id], details_after[question.id])
        for question in comparison_rows.read_questions(folder / comparison_rows.QUESTIONS_FILE)
    ]
    return tuple(sorted(found, key=lambda outcome: (-outcome.harm, outcome.question_id)))


def _outcome(question: Question, detail_before: dict[str, Any], detail_after: dict[str, Any]) -> Outcome:
    if "rank" not in detail_before:
        outcome = _outcome_of_scores(question, detail_before["score"], detail_after["score"])
        return replace(outcome, is_ungraded=is_ungraded(detail_before) or is_ungraded(detail_after))
    before, after = detail_before["rank"], detail_after["rank"]
    harm = (1 / before if before else 0.0) - (1 / after if after else 0.0)
    change = Change.UNCHANGED if before == after else Change.LOST if harm > 0 else Change.WON
    return Outcome(question.id, question.query, question.document, before, after, harm, change)


def is_ungraded(detail: Mapping[str, Any]) -> bool:
    """Whether a judge was asked for a grade of an answer and gave none."""
    return any(one["grade"] is None for one in detail.get("judged", {}).values())


def _outcome_of_scores(question: Question, before: float | None, after: float | None) -> Outcome:
    """An answer that could not be scored counts as neither won nor lost."""
    harm = 0.0 if before is None or after is None else before - after
    change = Change.UNCHANGED if harm == 0 else Change.LOST if harm > 0 else Change.WON
    return Outcome(question.id, question.query, question.document, None, None, harm, change, before, after)
