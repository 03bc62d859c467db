"""Have one language model answer from what two retrieval systems find, and grade the answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_core.errors import DatasetError
from finetune_core.jobs import panels
from finetune_core.jobs.capped_chat import SharedPurse, capped
from finetune_core.jobs.panels import PanelParams, Plan
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.writing import Purse
from finetune_core.providers.chat import CapReachedError
from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.recipe import Report, Run
from finetune_core.records import SERVICE_REFERENCE
from finetune_core.storage import artefacts, comparisons, database, generations
from finetune_core.storage import panels as panel_rows
from finetune_core.storage.generations import Spend

HEAVY = True
Params = PanelParams
ANSWERED, GRADED = 0.4, 0.97
KEPT = "kept"


def is_heavy(params: PanelParams) -> bool:
    """Whether a model works on this machine; services alone leave it to others."""
    return not all(not one or one.startswith(SERVICE_REFERENCE) for one in (params.chat, params.judge))


@dataclass(frozen=True)
class _Session:
    """One attempt at one panel: what it asks, and what it pays from. Answers are kept beside the panels of the comparison,
    so that none is asked for twice, be it by a restart or by another panel."""

    run: JobRun
    params: PanelParams
    plan: Plan
    purse: SharedPurse

    def opened(self, reference: str, run: Run) -> ChatModel:
        chat, prices = panels.opened(reference, run), panels.prices_of(reference)
        # A service tells the run itself what it was paid.
        is_service = reference.startswith(SERVICE_REFERENCE)
        return capped(chat, self.purse, prices, (lambda _: None) if is_service else self._paid)

    def _paid(self, paid: Spend) -> None:
        with database.writing() as connection:
            generations.add_spend(connection, self.run.project_id, self.run.job_id, "this machine", paid)

    def portion(self, start: float, end: float) -> Portion:
        step = Portion(self.run, start, end)
        step.workdir = panel_rows.folder_of_all(self.run.project_id, self.params.comparison_id) / KEPT
        step.workdir.mkdir(parents=True, exist_ok=True)
        return step


def execute(run: JobRun, params: PanelParams) -> dict[str, Any]:
    """Answer, grade, and keep the summary with the comparison. What was answered is never asked again.

    Once the cap is reached, what is there is compared and the rest counted as missing. Raises ProviderError or ArtefactError
    if a model is not there or fails, DatasetError if the cap left no answer at all.
    """
    from finetune_core.recipes._grading import check_judge

    panels.check_cap(params)
    check_judge(params.judge, run)
    found = panels.plan(run.project_id, params)
    with database.reading() as connection:
        spent = generations.spent(connection, job_id=run.job_id)
    purse = SharedPurse(Purse(params.max_tokens, params.max_cost_usd, spent))
    session = _Session(run, params, found, purse)
    reports = _graded(session, _answered(session))
    run.progress(GRADED, "Working out intervals")
    return _finish(session, reports)


def _answered(session: _Session) -> list[Report]:
    """The reports of both systems, with what needs no judge."""
    from finetune_core.evaluation.answer_panel import answers_report, requests_of
    from finetune_core.evaluation.asking import KeptAnswers, ask_all
    from finetune_core.recipes._embedders import open_embedder

    params, plan, step = session.params, session.plan, session.portion(0.0, ANSWERED)
    both = [requests_of(part, params.answer_tokens) for part in (plan.before, plan.after)]
    step.progress(0.0, "Loading the model that answers")
    chat = session.opened(params.chat, step)
    try:
        kept = step.workdir / f"answers-{chat.fingerprint}.jsonl"
        try:
            # In turn, so that a cap leaves questions answered for both.
            ask_all(chat, [one for pair in zip(*both, strict=True) for one in pair], step, kept)
        except CapReachedError as reached:
            session.run.say(f"{reached.message} What is answered is kept.")
        known = KeptAnswers(kept)
        answers = [known.answers(requests) for requests in both]
        if all(one is None for one in answers[0]):
            raise DatasetError("The cap left no question answered.", hint="Start again with a higher cap.")
        embedder = open_embedder(params.embedder, step)
        prices = panels.prices_of(params.chat)
        names = [_name(plan, key) for key in (params.before, params.after)]
        return [
            answers_report(name, part, given, chat, embedder, step, prices)
            for name, part, given in zip(names, (plan.before, plan.after), answers, strict=True)
        ]
    finally:
        chat.close()


def _graded(session: _Session, reports: list[Report]) -> list[Report]:
    from finetune_core.recipes._embedders import open_embedder
    from finetune_core.recipes._grading import graded

    if not session.params.judge:
        return reports
    found, middle = [], (ANSWERED + GRADED) / 2
    for report, part, (start, end) in zip(
        reports, (session.plan.before, session.plan.after), ((ANSWERED, middle), (middle, GRADED)), strict=True
    ):
        step = session.portion(start, end)
        step.progress(0.0, f"Grading the answers of {report.system}")
        embedder = open_embedder(session.params.embedder, step)
        found.append(
            graded(
                report, part, session.params.judge, embedder, step, max_answers=len(part), opened=session.opened
            )
        )  # fmt: skip
    return found


def _finish(session: _Session, reports: list[Report]) -> dict[str, Any]:
    from finetune_core.evaluation.answer_panel import NOT_ASKED, panel_summary, same_passages

    run, params, plan = session.run, session.params, session.plan
    before, after = reports
    summary = panel_summary(before, after, same_passages(plan.before, plan.after))
    summary |= {
        "params": params.model_dump(mode="json"),
        "num_with_answer": plan.num_with_answer,
        "num_with_quote": plan.num_with_quote,
        "is_capped": any(one["note"] == NOT_ASKED for report in reports for one in report.details)
        or any(report.facts.get("judge", {}).get("num_capped") for report in reports),
        "spent": vars_of(session.purse.spent),
        "created_at": database.now(),
    }
    target = panel_rows.folder(run.project_id, params.comparison_id, params.identity)
    if target.is_dir():
        artefacts.remove(target)
    with artefacts.publish(target, {"kind": "panel", "summary": summary}) as folder:
        _write(folder, reports)
    with run.writing() as connection:
        panel_rows.put(connection, params.comparison_id, params.identity, summary)
    return {
        "comparison_id": params.comparison_id,
        "panel_id": params.identity,
        "is_capped": summary["is_capped"],
        "num_asked_now": session.purse.num_answered,
    }


def _write(folder: Path, reports: list[Report]) -> None:
    for name, report in zip((panel_rows.BEFORE_FILE, panel_rows.AFTER_FILE), reports, strict=True):
        comparisons.write_report(folder / name, report)


def vars_of(spent: Spend) -> dict[str, Any]:
    """What was spent, as JSON."""
    return {"input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens, "cost_usd": spent.cost_usd}


def _name(plan: Plan, key: str) -> str:
    return next(str(system["name"]) for system in plan.comparison.result["systems"] if system["key"] == key)
