"""Write questions over a database with the SQL that answers them; how replies are kept, `jobs.writing` says."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from finetune_core.jobs import chat_writers
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.sql_writers import SqlWritingParams, open_writer, plan
from finetune_core.jobs.writing import Call, WritingSession
from finetune_core.metrics.sql import difficulty
from finetune_core.providers.database import Database
from finetune_core.records import SqlQuestion, content_id
from finetune_core.storage import database, demonstrations, generations
from finetune_core.storage.demonstrations import NewDemonstration
from finetune_core.storage.generations import Asked, GenerationState
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.storage.tables import demonstration
from finetune_core.synthesis.sql_questions import TableSubject, WrittenSql

HEAVY = True
Params = SqlWritingParams
is_heavy = chat_writers.is_heavy


def execute(run: JobRun, params: SqlWritingParams) -> dict[str, Any]:
    """Make the calls that are missing, up to the cap; every query is run before it is kept.

    Raises ProviderError in the vendor's words if the service refuses or fails three times in a row, or the database is not
    within reach.
    """
    writer = open_writer(run.project_id, params)
    try:
        with database.reading() as connection:
            planned = plan(connection, run.project_id, params, writer)
        return WritingSession(run, params, writer, planned, _Questions(run.project_id, writer.key, params)).work()
    finally:
        writer.close()


class _Questions:
    """Keeps questions with their SQL, waiting for review, in the group of the table they were asked about."""

    record, noun = SqlQuestion.__name__, "question"

    def __init__(self, project_id: str, generator: str, params: SqlWritingParams) -> None:
        self.project_id, self.generator, self.database = project_id, generator, params.database
        opened = Database(params.database)
        self.name, self.dialect = opened.name, opened.dialect

    def avoid(self, call: Call[TableSubject]) -> Sequence[str]:
        """The table's earlier questions, where some of its numbers were written before."""
        if not min(call.numbers):
            return ()
        with database.reading() as connection:
            return generations.written_before(
                connection, self.project_id, self.generator, call.subject.id, demonstration.c.question
            )

    def keep(self, connection: Connection, call: Call[TableSubject], written: Sequence[WrittenSql]) -> list[Asked]:
        new = [self._question(call.subject, number, one) for number, one in zip(call.numbers, written, strict=True)]
        given = [
            NewDemonstration(one, PairSource.GENERATED, state=PairState.PENDING, generator=self.generator)
            for one in new
            if one is not None
        ]
        demonstrations.add(connection, self.project_id, given)
        return [
            Asked(call.subject.id, number, GenerationState.UNUSABLE, None, one.reason)
            if made is None
            else Asked(call.subject.id, number, GenerationState.WRITTEN, made.id)
            for number, one, made in zip(call.numbers, written, new, strict=True)
        ]

    def _question(self, subject: TableSubject, number: int, one: WrittenSql) -> SqlQuestion | None:
        if one.reason:
            return None
        return SqlQuestion(
            id=content_id("sql question", self.generator, subject.id, str(number)),
            question=one.question,
            schema=subject.schema,
            sql=one.sql,
            group=f"{self.name}: {subject.table}",
            database=self.database,
            difficulty=str(difficulty(one.sql, self.dialect) or ""),
        )
