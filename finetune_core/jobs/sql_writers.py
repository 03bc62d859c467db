"""From what a person chose about a database to the questions that are still to be written over its tables."""

from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from finetune_core.errors import ProviderError
from finetune_core.jobs.chat_writers import WritingParams, identity, opened_chat, prompt_text, sketched_chat
from finetune_core.jobs.writing import Plan, planned
from finetune_core.providers.chat import Chat
from finetune_core.providers.database import Database
from finetune_core.synthesis.sql_questions import SqlQuestions, TableSubject, checked_by_running, subjects

PROMPT_OF = {"endpoint": "sql_questions", "gguf": "sql_questions"}


class SqlWritingParams(WritingParams):
    """Which database, which of its tables, and how many questions about each."""

    generator: Literal["endpoint", "gguf"] = "endpoint"
    database: str = Field(min_length=1, max_length=2000, description="The path of a SQLite file, env:NAME, or a URL.")
    tables: list[str] = Field(default_factory=list, description="The tables to ask about; all where none is named.")
    questions_per_table: int = Field(5, ge=1, le=200)
    num_samples: int = Field(3, ge=0, le=10, description="Rows of each table that the model is shown.")


def open_writer(project_id: str, params: SqlWritingParams) -> SqlQuestions:
    """The writer, ready. Raises ProviderError where the service or the database is not within reach."""
    return _writer(opened_chat(params), project_id, params)


def sketched_writer(project_id: str, params: SqlWritingParams) -> SqlQuestions:
    """The same writer with the same key, but unable to write: for estimates."""
    return _writer(sketched_chat(params), project_id, params)


def plan(connection: Connection, project_id: str, params: SqlWritingParams, writer: SqlQuestions) -> Plan[TableSubject]:
    """The calls that are missing. Raises ProviderError if no table is there to ask about."""
    chosen = subjects(Database(params.database), params.tables, params.num_samples)
    if not chosen:
        raise ProviderError("There is no table to ask about.", hint="Choose a table, or a database that has some.")
    return planned(connection, project_id, chosen, params.questions_per_table, writer)


def _writer(chat: Chat, project_id: str, params: SqlWritingParams) -> SqlQuestions:
    database = Database(params.database)
    prompt = prompt_text(project_id, PROMPT_OF[params.generator], params.prompt_version)
    return SqlQuestions(
        chat, identity(params), prompt, params.language, database.dialect, checked_by_running(database),
        seed=params.seed, temperature=params.temperature,
    )  # fmt: skip
