"""Writing questions over a person's own database: which tables it has, what the writing takes, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.jobs import chat_writers, sql_writers
from finetune_core.jobs.sql_writers import PROMPT_OF, SqlWritingParams
from finetune_core.providers.database import Database, check_reference
from finetune_core.records import SqlQuestion
from finetune_core.storage import database
from finetune_core.wording import counted
from finetune_core.workspace import generation, jobs
from finetune_core.workspace.generation import Estimate, GeneratorView, Outcome

__all__ = ["PROMPT_OF", "SqlWritingParams"]

JOB = "write_sql"
DEFAULT_GENERATOR = "endpoint"
_TOKENS_PER_QUESTION = 80
_SECONDS_PER_CALL = {"endpoint": 6.0, "gguf": 10.0}


@dataclass(frozen=True, slots=True)
class TableView:
    """A table or view of a database; `statement` is the CREATE TABLE that a model is shown."""

    name: str
    statement: str


def generators() -> list[GeneratorView]:
    """What can write questions with SQL, the best first."""
    return [view for view in generation.generators() if view.kind in PROMPT_OF]


def tables(reference: str) -> list[TableView]:
    """The tables of a database, by name.

    `reference` is the path of a SQLite file, `env:NAME` for a variable that holds a URL, or a URL without a password.
    Raises ProviderError if there is no such database, if it cannot be guarded, or if the reference holds a password.
    """
    check_reference(reference)
    return [TableView(one.name, one.statement) for one in Database(reference).tables()]


def params_from(values: Mapping[str, Any]) -> SqlWritingParams:
    """Checked parameters. Raises JobError that names the first value that does not fit, ProviderError as `tables` does."""
    params = generation.checked(SqlWritingParams, values)
    check_reference(params.database)
    return params


def estimate(project_id: str, params: SqlWritingParams) -> Estimate:
    """Tokens, money and time of what is still to do; `num_chunks` counts tables.

    Raises what starting it would raise, but for a missing key.
    """
    params = _with_prompt(project_id, params)
    writer = sql_writers.sketched_writer(project_id, params)
    with database.reading() as connection:
        plan = sql_writers.plan(connection, project_id, params, writer)
    return generation.guess(plan, writer, params, _TOKENS_PER_QUESTION, _SECONDS_PER_CALL[params.generator])


def start(project_id: str, params: SqlWritingParams) -> str:
    """Queue the writing with the prompt now in force and return its job; a live one of the project is returned instead.

    Raises ProviderError for what can be known before.
    """
    params = _with_prompt(project_id, params)
    seen = estimate(project_id, params)
    chat_writers.check_cap(params)
    num_left = seen.num_questions - seen.num_done
    title = f"Write {counted(num_left, 'question')} with SQL over {counted(seen.num_chunks, 'table')}"
    return jobs.submit(project_id, JOB, params.model_dump(mode="json"), title=title, unique_key=f"{JOB}:{project_id}")


def latest_job(project_id: str) -> jobs.JobView | None:
    """The newest writing over a database in the project, or None."""
    return generation.latest_job(project_id, JOB)


def outcome(project_id: str) -> Outcome:
    """What the writing came to so far in this project; unusable are those whose query did not run or gave nothing."""
    return generation.outcome(project_id, SqlQuestion.__name__)


def _with_prompt(project_id: str, params: SqlWritingParams) -> SqlWritingParams:
    """The same with the edition of the prompt that is in force now, so that a later edit never changes a queued job."""
    view = generation.prompt(project_id, PROMPT_OF[params.generator])
    return params.model_copy(update={"prompt_version": view.version if view.is_own else 0})
