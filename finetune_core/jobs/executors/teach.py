"""Have a teacher, a strong model, answer, grade or call functions; how replies are kept, `jobs.writing` says."""

from typing import Any

from finetune_core.jobs import chat_writers, teaching
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.teaching import TaughtKeeper, TeachingParams
from finetune_core.jobs.writing import WritingSession
from finetune_core.storage import database

HEAVY = True
Params = TeachingParams
is_heavy = chat_writers.is_heavy


def execute(run: JobRun, params: TeachingParams) -> dict[str, Any]:
    """Make the calls that are missing, up to the cap.

    Raises ProviderError in the vendor's words if the service refuses or fails three times in a row, DatasetError where
    there is nothing to ask about any more.
    """
    writer = teaching.open_writer(run, params)
    try:
        with database.reading() as connection:
            planned = teaching.plan(connection, run.project_id, params, writer)
        record = params.task.record
        keeper = TaughtKeeper(run.project_id, writer.key, record, teaching.NOUNS[record])
        return WritingSession(run, params, writer, planned, keeper).work()
    finally:
        writer.close()
