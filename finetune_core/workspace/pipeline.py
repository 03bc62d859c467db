"""How far a project has come, from documents to a verdict, and the one thing to do next."""

from dataclasses import dataclass
from enum import StrEnum

from finetune_core.evaluation.verdict import Outcome
from finetune_core.storage import database
from finetune_core.storage.overview import Overview, overview

__all__ = ["NextStep", "Overview", "Pipeline", "look"]


class NextStep(StrEnum):
    """The one thing to do next; in the order in which a project comes by them."""

    ADD_DOCUMENTS = "add documents"
    WRITE_QUESTIONS = "write questions"
    WRITE_QUERIES = "write queries"
    REVIEW = "review"
    FREEZE = "freeze"
    TRAIN = "train"
    WATCH = "watch"
    COMPARE = "compare"
    TRY = "try"
    IMPROVE = "improve"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The counts of each step, the next step, and the sentence of the newest comparison ("" if there is none)."""

    counts: Overview
    next_step: NextStep
    verdict: str


def look(project_id: str) -> Pipeline:
    """The project as it stands now."""
    with database.reading() as connection:
        counts = overview(connection, project_id)
    verdict = counts.newest_comparison["verdict"]["sentence"] if counts.newest_comparison else ""
    return Pipeline(counts, next_step(counts), verdict)


def next_step(counts: Overview) -> NextStep:
    """What to do next. Pairs that are for testing only do not count as something to train on."""
    num_accepted = counts.num_accepted - counts.num_test_only
    if counts.num_live_runs:
        return NextStep.WATCH
    if counts.num_models:
        if counts.newest_comparison is None:
            return NextStep.COMPARE
        is_better = counts.newest_comparison["verdict"]["outcome"] == Outcome.BETTER
        return NextStep.TRY if is_better else NextStep.IMPROVE
    if counts.num_datasets:
        return NextStep.TRAIN
    if num_accepted:
        return NextStep.FREEZE
    if counts.num_pending:
        return NextStep.REVIEW
    if counts.has_only_choices:
        return NextStep.WRITE_QUERIES
    return NextStep.WRITE_QUESTIONS if counts.num_documents or counts.num_chunks else NextStep.ADD_DOCUMENTS
