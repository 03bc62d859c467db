"""What a teacher, a strong model, is asked for: answers, grades or calls; and how what it gives is kept, waiting for review."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection

from finetune_core.errors import DatasetError
from finetune_core.jobs import answer_writers
from finetune_core.jobs.answer_writers import AnswerTask
from finetune_core.jobs.chat_writers import WritingParams
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.writing import Call, Plan, planned
from finetune_core.storage import demonstrations
from finetune_core.storage.demonstrations import NewDemonstration
from finetune_core.storage.generations import Asked, GenerationState
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.synthesis.taught import Taught

PROMPTS = {"Chat": answer_writers.PROMPT}
"""By kind of record, the prompt that a project may have its own edition of; "" where the student's own has to be asked."""
NOUNS = {"Chat": "answer"}
SET_ASIDE_BY = "teacher"
"""What sets examples aside that the teacher gave and that cannot be right."""


class TeachingParams(WritingParams):
    """Who teaches, what it is asked for, and within which bounds."""

    generator: Literal["endpoint", "gguf"] = "endpoint"
    temperature: float = Field(0.2, ge=0, le=2)
    task: AnswerTask


def open_writer(run: JobRun, params: TeachingParams) -> Any:
    """The writer of that kind, ready. Raises ProviderError."""
    return answer_writers.open_writer(run, params, params.task)


def sketched_writer(project_id: str, params: TeachingParams) -> Any:
    """The same with the same key, but unable to write: for estimates."""
    return answer_writers.sketched_writer(project_id, params, params.task)


def plan(connection: Connection, project_id: str, params: TeachingParams, writer: Any) -> Plan[Any]:
    """The calls that are missing. Raises DatasetError where there is nothing to ask about."""
    chosen = answer_writers.subjects(connection, project_id, params.task, params.seed)
    if not chosen:
        raise DatasetError(
            "There is no question to answer: none is accepted.",
            hint="Accept questions on the Review page, or take the pending ones too.",
        )
    return planned(connection, project_id, chosen, params.task.num_answers, writer)


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
