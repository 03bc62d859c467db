"""Panels of answers: one language model answers from what two retrieval systems of a comparison find."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from finetune_core.errors import ArtefactError
from finetune_core.evaluation.correctness_grades import JUDGE_RECIPE, calibration_of
from finetune_core.jobs import panels
from finetune_core.jobs.panels import Effort, PanelParams
from finetune_core.providers.bundled import BUNDLED_CHAT
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, Passage
from finetune_core.storage import comparisons as comparison_rows
from finetune_core.storage import database
from finetune_core.storage import models as model_rows
from finetune_core.storage import panels as panel_rows
from finetune_core.wording import counted, metric_title
from finetune_core.workspace import comparisons, jobs
from finetune_core.workspace.answers import SystemAnswer, answer_of
from finetune_core.workspace.comparisons import ComparisonView, details_of, is_ungraded
from finetune_core.workspace.generation import checked

__all__ = ["BUNDLED_CHAT", "PanelParams", "Passage"]

_SECONDS_PER_CALL = {True: 1.0, False: 6.0}  # of services, which answer several at once, and on this machine
OF_ANSWERS = ("faithfulness", "answer_relevancy", "factual_correctness", "judged_correctness")
"""The grades by which one answer to a question is better than another; those of passages say nothing of the answer."""


class Change(StrEnum):
    """What the second system's passages did to an answer."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = "equal"


@dataclass(frozen=True)
class PanelView:
    """A finished panel; `summary` is what `evaluation.answer_panel.panel_summary` found, with the panel's parameters."""

    id: str
    comparison: ComparisonView
    summary: dict[str, Any]

    @property
    def params(self) -> PanelParams:
        """What it was started with."""
        return PanelParams.model_validate(self.summary["params"])

    @property
    def before(self) -> dict[str, Any]:
        """The first system: its name, metrics and facts."""
        found: dict[str, Any] = self.summary["systems"][0]
        return found

    @property
    def after(self) -> dict[str, Any]:
        """The second system."""
        found: dict[str, Any] = self.summary["systems"][1]
        return found

    @property
    def judge(self) -> dict[str, Any] | None:
        """What is known of the judge's work over both systems; None without one."""
        judged = [system["facts"]["judge"] for system in self.summary["systems"] if "judge" in system["facts"]]
        return joined_judge(judged)


@dataclass(frozen=True)
class JudgeOffer:
    """A model that can grade; `problem` says why it cannot now, "" if it can. `calibration` is None for a general one."""

    reference: str
    title: str
    problem: str = ""
    calibration: dict[str, Any] | None = None


@dataclass(frozen=True)
class Estimate:
    """What a panel will about take. `basis` says where the time comes from."""

    num_questions: int
    answering: Effort
    judging: Effort
    num_with_answer: int
    num_with_quote: int
    seconds: float
    basis: Literal["measured", "guessed"]

    @property
    def num_calls(self) -> int:
        """To both models."""
        return self.answering.num_calls + self.judging.num_calls

    @property
    def num_tokens(self) -> int:
        """Given to and taken from both models."""
        both = (self.answering, self.judging)
        return sum(one.input_tokens + one.output_tokens for one in both)

    @property
    def cost_usd(self) -> float | None:
        """Of both; None where a price is unknown."""
        costs = (self.answering.cost_usd, self.judging.cost_usd)
        return None if None in costs else sum(cost or 0.0 for cost in costs)


@dataclass(frozen=True)
class AnswerRow:
    """One question of a panel with both answers and the passages each rests on; `score`s are means of the grades of answers,
    else similarities."""

    question_id: str
    query: str
    expected: str
    before: SystemAnswer
    after: SystemAnswer
    passages_before: tuple[Passage, ...]
    passages_after: tuple[Passage, ...]
    score_before: float | None
    score_after: float | None
    change: Change
    is_ungraded: bool


@dataclass(frozen=True)
class AnswerPage:
    """Some rows, the greatest losses first, with how many match and how many there are of each change."""

    rows: tuple[AnswerRow, ...]
    num_matching: int
    counts: dict[Change, int]
    num_ungraded: int


def joined_judge(judged: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What reports say of one judge, counts added up; noise is the largest of any; None for none."""
    if not judged:
        return None
    counts = {
        name: sum(one.get(name) or 0 for one in judged) for name in ("num_judged", "num_unreadable", "num_capped")
    }
    noise: dict[str, float] = {}
    for one in judged:
        for name, value in (one.get("noise") or {}).items():
            if value is not None:
                noise[name] = max(value, noise.get(name, 0.0))
    return {"name": judged[0]["name"], **counts, "noise": noise, "calibration": judged[0].get("calibration")}


def listing(view: ComparisonView) -> list[PanelView]:
    """The finished panels of a comparison, the newest first; [] without any."""
    return [PanelView(id_, view, summary) for id_, summary in reversed(list(view.result.get("panels", {}).items()))]


def systems(view: ComparisonView) -> dict[str, str]:
    """The systems of a comparison that find passages, key to name; {} where nothing is searched."""
    if view.result["searched"] != "passages":
        return {}
    return {system["key"]: system["name"] for system in view.result["systems"]}


def tuned_judges(project_id: str) -> list[JudgeOffer]:
    """The project's tuned judges of correctness, each with its calibration, or with what is missing for one."""
    found = []
    with database.reading() as connection:
        for row in model_rows.of_project(connection, project_id):
            if row.recipe != JUDGE_RECIPE:
                continue
            reference = MODEL_REFERENCE + row.id
            try:
                known = calibration_of(row.name, comparison_rows.measured(connection, project_id, row.id))
                found.append(JudgeOffer(reference, row.name, calibration=known))
            except ArtefactError as error:
                found.append(JudgeOffer(reference, row.name, f"{error.message} {error.hint}"))
    return found


def params_from(values: Mapping[str, Any]) -> PanelParams:
    """Check what a person chose. Raises JobError that names the first value that does not fit."""
    return checked(PanelParams, values)


def estimate(project_id: str, params: PanelParams) -> Estimate:
    """Calls, tokens, money and time. Raises what starting would raise, but for a missing key or model file."""
    _check(project_id, params)
    found = panels.plan(project_id, params)
    answering = panels.answering_effort(found, params, panels.prices_of(params.chat))
    judging = panels.judging_effort(found, params, panels.prices_of(params.judge))
    measured = _measured_seconds(project_id, params)
    seconds = sum(
        effort.num_calls * _SECONDS_PER_CALL[reference.startswith(SERVICE_REFERENCE)]
        for effort, reference in ((answering, params.chat), (judging, params.judge))
    )
    num_calls = answering.num_calls + judging.num_calls
    return Estimate(
        len(found.before),
        answering,
        judging,
        found.num_with_answer,
        found.num_with_quote,
        seconds if measured is None else measured * num_calls,
        "guessed" if measured is None else "measured",
    )


def launch(project_id: str, params: PanelParams) -> str:
    """Queue the panel and return its job; a live one of the same comparison is returned instead.

    Raises ProviderError, ArtefactError or DatasetError for what can be known before.
    """
    seen = estimate(project_id, params)
    names = systems(comparisons.get(project_id, params.comparison_id))
    title = f"Answer {counted(seen.num_questions, 'question')}: {names[params.before]} against {names[params.after]}"
    unique_key = f"panel:{project_id}:{params.comparison_id}"
    return jobs.submit(project_id, "panel", params.model_dump(mode="json"), title=title, unique_key=unique_key)


def latest_job(view: ComparisonView) -> jobs.JobView | None:
    """The newest panel job of a comparison, None if there was none."""
    found = jobs.listing(view.project_id, ("panel",), 20)
    return next((job for job in found if job.params.get("comparison_id") == view.id), None)


def delete(panel: PanelView) -> None:
    """Delete a panel for good; what was answered for it stays, so that the same panel can be had again for nothing."""
    view = panel.comparison
    with database.writing() as connection:
        panel_rows.remove(connection, view.id, panel.id)
    shutil.rmtree(panel_rows.folder(view.project_id, view.id, panel.id), ignore_errors=True)


def answers(
    panel: PanelView, change: Change | None = None, *, is_ungraded: bool = False, offset: int = 0, limit: int = 8
) -> AnswerPage:
    """The questions with both answers, those that lost most first. Raises ArtefactError if the rows are gone."""
    rows = _rows(panel)
    counts = {each: sum(row.change is each for row in rows) for each in Change}
    num_ungraded = sum(row.is_ungraded for row in rows)
    matching = [row for row in rows if change in (None, row.change) and (row.is_ungraded or not is_ungraded)]
    if change is Change.BETTER:
        matching = matching[::-1]
    return AnswerPage(tuple(matching[offset : offset + limit]), len(matching), counts, num_ungraded)


def titles(panel: PanelView) -> dict[str, str]:
    """The metrics of a panel as people write them, by name."""
    return {name: metric_title(name) for name in panel.summary["metrics"]}


def _rows(panel: PanelView) -> list[AnswerRow]:
    view, params = panel.comparison, panel.params
    folder = panel_rows.folder(view.project_id, view.id, panel.id)
    if not folder.is_dir():
        raise ArtefactError("The answers of this panel are gone.", hint="Delete the panel and start it again.")
    before, after = (details_of(folder / name) for name in (panel_rows.BEFORE_FILE, panel_rows.AFTER_FILE))
    compared = comparisons.folder_of(view)
    queries = {one.id: one.query for one in comparison_rows.read_questions(compared / comparison_rows.QUESTIONS_FILE)}
    found = {
        key: {id_: tuple(one["ids"][: params.top_k]) for id_, one in details_of(compared / f"{key}.parquet").items()}
        for key in (params.before, params.after)
    }
    wanted = {id_ for key in found for question in before for id_ in found[key][question]}
    texts = comparison_rows.searched_passages(view.project_id, view.dataset_id, sorted(wanted))
    rows = [
        _row(
            panel, id_, queries[id_], before[id_], after[id_],
            *(tuple(texts[one] for one in found[key][id_] if one in texts) for key in (params.before, params.after)),
        )
        for id_ in before
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (_gain(row), row.question_id))


def _row(
    panel: PanelView,
    question_id: str,
    query: str,
    before: dict[str, Any],
    after: dict[str, Any],
    passages_before: tuple[Passage, ...],
    passages_after: tuple[Passage, ...],
) -> AnswerRow:
    scores = _scores(before, after)
    gain = 0.0 if None in scores else (scores[1] or 0.0) - (scores[0] or 0.0)
    return AnswerRow(
        question_id,
        query,
        before["expected"],
        answer_of(panel.before["name"], "base", before),
        answer_of(panel.after["name"], "tuned", after),
        passages_before,
        passages_after,
        *scores,
        Change.EQUAL if abs(gain) < 1e-9 else Change.BETTER if gain > 0 else Change.WORSE,
        is_ungraded(before) or is_ungraded(after),
    )


def _scores(before: dict[str, Any], after: dict[str, Any]) -> tuple[float | None, float | None]:
    """The means of the answers' grades that both have, else their similarities to the true answer."""
    both = [one.get("judged", {}) for one in (before, after)]
    names = [n for n in OF_ANSWERS if all(n in one and one[n]["grade"] is not None for one in both)]
    if names:
        first, second = (sum(one[name]["grade"] for name in names) / len(names) for one in both)
        return first, second
    return before["score"], after["score"]


def _gain(row: AnswerRow) -> float:
    return 0.0 if row.score_before is None or row.score_after is None else row.score_after - row.score_before


def _check(project_id: str, params: PanelParams) -> None:
    panels.check_cap(params)
    if params.judge.startswith(MODEL_REFERENCE):
        model_id = params.judge.removeprefix(MODEL_REFERENCE)
        with database.reading() as connection:
            calibration_of(model_id, comparison_rows.measured(connection, project_id, model_id))


def _measured_seconds(project_id: str, params: PanelParams) -> float | None:
    """Seconds per call of the last panel here that the same models worked on, None if there was none."""
    for job in jobs.listing(project_id, ("panel",), 20):
        is_same = all(job.params.get(name) == getattr(params, name) for name in ("chat", "judge"))
        num_calls = job.result.get("num_asked_now", 0)
        if is_same and num_calls >= 20 and job.attempt == 1 and job.started_at and job.finished_at:
            return float((job.finished_at - job.started_at) / num_calls)
    return None
