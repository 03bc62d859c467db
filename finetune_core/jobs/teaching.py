"""What a teacher, a strong model, is asked for: answers, grades or calls; and how what it gives is kept, waiting for review."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection

from finetune_core.errors import DatasetError
from finetune_core.jobs import answer_writers, call_writers, grading_writers
from finetune_core.jobs.answer_writers import AnswerTask
from finetune_core.jobs.call_writers import CallTask
from finetune_core.jobs.chat_writers import WritingParams
from finetune_core.jobs.grading_writers import GradingTask
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.writing import Call, Plan, planned
from finetune_core.storage import demonstrations
from finetune_core.storage.demonstrations import NewDemonstration
from finetune_core.storage.generations import Asked, GenerationState
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.synthesis.taught import Taught

PROMPTS = {"Chat": answer_writers.PROMPT, "ToolCall": "", "Judgement": "", "Comparison": ""}
"""By kind of record, the prompt that a project may have its own edition of; "" where the student's own has to be asked."""
NOUNS = {"Chat": "answer", "ToolCall": "call", "Judgement": "score", "Comparison": "preference"}
SET_ASIDE_BY = "teacher"
"""What sets examples aside that the teacher gave and that cannot be right."""

_NOTHING = {
    "Chat": (
        "There is no question to answer: none is accepted.",
        "Accept questions on the Review page, or take the pending ones too.",
    ),
    "ToolCall": ("There is no text to call functions for.", "Paste or upload some."),
    "Judgement": ("There is no answer to score.", "Record or import chats first, or upload answers."),
    "Comparison": (
        "There are no two different answers to one question to compare.",
        "Have several answers recorded for each question, or upload pairs of answers.",
    ),
}  # fmt: skip


class TeachingParams(WritingParams):
    """Who teaches, what it is asked for, and within which bounds."""

    generator: Literal["endpoint", "gguf"] = "endpoint"
    temperature: float = Field(0.2, ge=0, le=2)
    task: Annotated[AnswerTask | GradingTask | CallTask, Field(discriminator="record")]


def open_writer(run: JobRun, params: TeachingParams) -> Any:
    """The writer of that kind, ready. Raises ProviderError."""
    task = params.task
    if isinstance(task, AnswerTask):
        return answer_writers.open_writer(run, params, task)
    if isinstance(task, CallTask):
        return call_writers.open_writer(params, task)
    return grading_writers.open_writer(params, task)


def sketched_writer(project_id: str, params: TeachingParams) -> Any:
    """The same with the same key, but unable to write: for estimates."""
    task = params.task
    if isinstance(task, AnswerTask):
        return answer_writers.sketched_writer(project_id, params, task)
    if isinstance(task, CallTask):
        return call_writers.sketched_writer(params, task)
    return grading_writers.sketched_writer(params, task)


def plan(connection: Connection, project_id: str, params: TeachingParams, writer: Any) -> Plan[Any]:
    """The calls that are missing. Raises DatasetError where there is nothing to ask about."""
    task, num_each = params.task, 1
    chosen: Sequence[Any]
    if isinstance(task, AnswerTask):
        chosen, num_each = answer_writers.subjects(connection, project_id, task, params.seed), task.num_answers
    elif isinstance(task, CallTask):
        chosen = call_writers.subjects(project_id, task)
    else:
        chosen = grading_writers.subjects(connection, project_id, task)
    if not chosen:
        message, hint = _NOTHING[task.record]
        raise DatasetError(message, hint=hint)
    return planned(connection, project_id, chosen, num_each, writer)


class TaughtKeeper:
    """Keeps what a teacher gave as demonstrations that wait for review; for `jobs.writing`."""

    def __init__(self, project_id: str, generator: str, record: str, noun: str) -> None:
        self.project_id, self.generator, self.record, self.noun = project_id, generator, record, noun

    def avoid(self, call: Call[Any]) -> Sequence[str]:
        """Nothing: a question is to be answered, whatever was answered before."""
        return ()

    def keep(self, connection: Connection, call: Call[Any], written: Sequence[Taught]) -> list[Asked]:
        """Add the examples; one with a reason against it is set aside, for a person to correct."""
        given = [
            NewDemonstration(
                one.example, PairSource.GENERATED, call.subject.split, PairState.ASIDE if one.reason else PairState.PENDING,
                self.generator, SET_ASIDE_BY if one.reason else "",
            )
            for one in written
            if one.example is not None
        ]  # fmt: skip
        demonstrations.add(connection, self.project_id, given)
        return [
            Asked(
                call.subject.id, number, GenerationState.UNUSABLE if one.reason else GenerationState.WRITTEN,
                None if one.example is None else one.example.id, one.reason,
            )
            for number, one in zip(call.numbers, written, strict=True)
        ]  # fmt: skip
