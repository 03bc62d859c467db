"""What a model wrote is run only if it is one SELECT: the part of the guard that reads the text, for any database."""

import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from finetune_core.errors import QueryRefusedError

if TYPE_CHECKING:
    from sqlglot import exp

MAX_CHARS = 20_000
DIALECTS = {"postgresql": "postgres", "mariadb": "mysql", "mssql": "tsql", "awsathena": "athena", "spark": "spark"}
"""What sqlglot calls the dialects of SQLAlchemy that it calls otherwise."""

_HARMFUL = {
    "load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "regexp",  # SQLite
    "set_config", "nextval", "setval", "txid_current", "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema",
    "cursor_to_xml", "schema_to_xml", "database_to_xml", "table_to_xml", "xmlparse",  # PostgreSQL
    "load_file", "sleep", "benchmark", "get_lock", "release_lock", "release_all_locks", "master_pos_wait",  # MySQL
    "openrowset", "opendatasource", "openquery", "xp_cmdshell", "read_csv", "read_csv_auto", "read_parquet", "read_text",
    "read_blob", "read_json", "read_json_auto", "glob", "getvariable", "url", "file", "s3", "remote", "executable",
}  # fmt: skip
"""Functions that reach beyond the tables: files, other servers, the session, or a pattern that never ends.

The word GLOB between two values is no call of a function, and stays allowed.
"""
_HARMFUL_PREFIXES = ("pg_", "lo_", "dblink", "sys_", "utl_", "dbms_", "xp_", "sp_")
_HARMLESS = {"pg_typeof", "pg_size_pretty"}


def sqlglot_dialect(sqlalchemy_dialect: str) -> str:
    """The name under which sqlglot knows a dialect of SQLAlchemy, "" (its own, tolerant one) where it knows none."""
    from sqlglot.dialects.dialect import Dialect

    name = DIALECTS.get(sqlalchemy_dialect, sqlalchemy_dialect)
    return name if Dialect.get(name) else ""


def parse_statements(sql: str, dialect: str = "sqlite") -> "list[exp.Expr]":
    """The statements in `sql`, comments apart. Raises QueryRefusedError, saying where, if it cannot be parsed."""
    _be_quiet()
    import sqlglot
    from sqlglot import exp

    if len(sql) > MAX_CHARS:
        raise QueryRefusedError(
            f"This query has {len(sql):,} characters; at most {MAX_CHARS:,} are read.",
            hint="Ask for less in one query.",
        )
    if "\0" in sql or re.search("[\ud800-\udfff]", sql):
        raise _refused("it holds a character that no query can hold")
    try:
        found = sqlglot.parse(sql, read=dialect or None)
    except sqlglot.errors.SqlglotError as error:
        raise _refused(f"it cannot be parsed: {_plain(str(error))}") from error
    except RecursionError as error:
        raise _refused("it is nested too deeply") from error
    except Exception as error:  # the parser stumbles over some of the garbage that models write
        raise _refused("it cannot be parsed") from error
    return [each for each in found if each is not None and not isinstance(each, exp.Semicolon)]


def checked_query(sql: str, dialect: str = "sqlite") -> "exp.Query":
    """The one SELECT (or UNION, or WITH ... SELECT) that `sql` is. Raises QueryRefusedError if it is anything else.

    Nothing in it may write, lock, create, call a function that reaches beyond the tables, or set a variable, however deep
    inside and however spelled: what is checked is the tree that the parser made, not the text.
    """
    from sqlglot import exp

    statements = parse_statements(sql, dialect)
    if len(statements) != 1:
        raise _refused("it is empty" if not statements else f"it holds {len(statements)} statements; 1 is allowed")
    query = statements[0]
    if not isinstance(query, exp.Query):
        raise _refused(f"it is {_kind(query)}, not a SELECT")
    try:
        for node in query.walk():
            for reason in _objections(node):
                raise _refused(reason)
    except RecursionError as error:
        raise _refused("it is nested too deeply") from error
    return query


def _objections(node: "exp.Expr") -> Iterator[str]:
    from sqlglot import exp

    if isinstance(node, _forbidden()):
        yield f"it holds {_kind(node)}"
    if isinstance(node, exp.CTE) and not isinstance(node.this, exp.Query | exp.Values):
        yield f"a part of its WITH is {_kind(node.this)}"
    if isinstance(node, exp.SetOperation) and not isinstance(node.this, exp.Query | exp.Values):
        yield f"it starts with {_kind(node.this)}, not a SELECT"
    if isinstance(node, exp.PropertyEQ) and isinstance(node.this, exp.Parameter | exp.SessionParameter):
        yield "it sets a variable"
    if isinstance(node, exp.Func):
        name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
        is_operator = isinstance(node, exp.Binary)
        if name not in _HARMLESS and not is_operator and (name in _HARMFUL or name.startswith(_HARMFUL_PREFIXES)):
            yield f"it calls {name}, which does more than read tables"


@cache
def _forbidden() -> "tuple[type[exp.Expr], ...]":
    """Everything that is a statement and no query, and the two parts of a SELECT that do more than read."""
    from sqlglot import exp

    names = (
        "Into", "Lock", "Insert", "Update", "Delete", "Merge", "Copy", "Create", "Drop", "Alter", "TruncateTable", "Command",
        "Pragma", "Attach", "Detach", "Set", "SetItem", "Use", "LoadData", "Analyze", "Transaction", "Commit", "Rollback", "Kill",
        "Grant", "Revoke", "Describe", "Show", "Cache", "Uncache", "Refresh", "Declare", "Execute", "Block", "Comment",
        "Export", "Put", "Get", "Summarize", "Returning", "Semicolon", "NextValueFor",
    )  # fmt: skip
    return tuple(found for name in names if (found := getattr(exp, name, None)) is not None)


def _kind(node: "exp.Expr") -> str:
    from sqlglot import exp

    name = node.name.upper() if isinstance(node, exp.Command) and node.name else type(node).__name__.upper()
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"


def _refused(reason: str) -> QueryRefusedError:
    return QueryRefusedError(
        f"This query was not run: {reason}.", hint="Only a single SELECT that reads tables is run; ask for one."
    )


def _plain(text: str) -> str:
    """A parser's message on one line, without the codes that underline in a terminal."""
    return " ".join(re.sub(r"\x1b\[\d*m", "", text).split())[:300]


@cache
def _be_quiet() -> None:
    """sqlglot warns in the log of each statement it keeps as text; here that is no news, but a refusal."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
