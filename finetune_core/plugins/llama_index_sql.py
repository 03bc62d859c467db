"""LlamaIndex's SQL query engine over the read-only guard, for use inside one process with Ayar.

LlamaIndex runs whatever its language model writes. Here every query goes through `providers.database`: one SELECT that
only reads, or nothing.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from finetune_core.errors import QueryRefusedError
from finetune_core.evaluation.prompt_files import prompt
from finetune_core.evaluation.sql import DIALECT_TITLES, PROMPT, query_in
from finetune_core.providers.database import Database, Limits

if TYPE_CHECKING:
    from llama_index.core import SQLDatabase
    from llama_index.core.query_engine import NLSQLTableQueryEngine


def guarded_sql_database(reference: str, limits: Limits | None = None) -> "SQLDatabase":
    """A LlamaIndex `SQLDatabase` whose `run_sql` runs single SELECTs alone, within `limits`, and that inserts nothing.

    `reference` is the path of a SQLite file, `env:NAME` for a variable that holds a URL, or a URL as SQLAlchemy has them.
    Raises ProviderError if there is no such database, or no way to guard it.
    """
    found: SQLDatabase = _database_class()(Database(reference), limits or Limits())
    return found


def sql_query_engine(
    reference: str, llm: Any, *, tables: Sequence[str] = (), limits: Limits | None = None, **options: Any
) -> "NLSQLTableQueryEngine":
    """A LlamaIndex `NLSQLTableQueryEngine` that asks `llm` with the prompt that models are tuned on here.

    It asks over all tables, or over those named in `tables`. `options` are its own, such as `synthesize_response=False`.
    Raises ProviderError as `guarded_sql_database` does.
    """
    from llama_index.core import MockEmbedding
    from llama_index.core.query_engine import NLSQLTableQueryEngine

    # It wants an embedding model at hand, and asks it nothing unless tables are chosen by retrieval.
    options.setdefault("embed_model", MockEmbedding(embed_dim=1))
    database = guarded_sql_database(reference, limits)
    names = list(tables) or sorted(database.get_usable_table_names())
    return NLSQLTableQueryEngine(
        sql_database=database, llm=llm, tables=names, text_to_sql_prompt=_prompt(database.dialect), **options
    )


@functools.cache
def _database_class() -> Any:
    """Defined on first use: importing LlamaIndex takes seconds, and only this needs it."""
    from llama_index.core import SQLDatabase

    class GuardedSQLDatabase(SQLDatabase):
        def __init__(self, database: Database, limits: Limits) -> None:
            super().__init__(database.engine(), view_support=True)
            self._guarded, self._limits = database, limits
            self._statements = {table.name: table.statement for table in database.tables()}

        def run_sql(self, command: str) -> tuple[str, dict[str, Any]]:
            found = self._guarded.query(query_in(command), self._limits)
            return str(list(found.rows)), {"result": list(found.rows), "col_keys": list(found.columns)}

        def insert_into_table(self, table_name: str, data: dict[str, Any]) -> None:
            raise QueryRefusedError(
                f"Nothing was written into {table_name}: this database is only read.",
                hint="Open it with LlamaIndex's own SQLDatabase to write to it.",
            )

        def get_single_table_info(self, table_name: str) -> str:
            return self._statements[table_name]

    return GuardedSQLDatabase


def _prompt(dialect: str) -> Any:
    from llama_index.core import PromptTemplate

    title = DIALECT_TITLES.get("postgres" if dialect == "postgresql" else dialect, "")
    text = prompt(PROMPT, dialect=title, schema="{schema}", num_left_out=0, question="{query_str}")
    return PromptTemplate(text)
