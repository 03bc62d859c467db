"""The tables that a question is asked over: made short for a prompt, ordered by what the question names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from finetune_core.metrics.sql import schema_tables
from finetune_core.providers.database import quoted

_WORD = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class TableText:
    """One CREATE TABLE statement on one line, with the table's name and columns ("" and () if it cannot be parsed)."""

    statement: str
    name: str = ""
    columns: tuple[str, ...] = ()


@lru_cache(maxsize=512)
def tables_of(schema: str, dialect: str = "sqlite") -> tuple[TableText, ...]:
    """The tables of a schema in its order, each without comments, and without quotes where SQL needs none."""
    statements = re.split(r";\s*(?=CREATE\b|$)", schema, flags=re.IGNORECASE)
    return tuple(_table(statement, dialect) for statement in statements if statement.strip())


def fitted_schema(schema: str, question: str, max_chars: int, dialect: str = "sqlite") -> tuple[str, int]:
    """The schema in at most about `max_chars` characters, and how many tables were left out for that.

    Whole tables stay: those that the question names most, with the tables that these point to, in the schema's order. The
    first of them stays however long it is.
    """
    tables = tables_of(schema, dialect)
    if sum(len(table.statement) + 1 for table in tables) <= max_chars:
        return "\n".join(table.statement for table in tables), 0
    kept: set[int] = set()
    used = 0
    for at in _wanted(tables, question):
        if kept and used + len(tables[at].statement) > max_chars:
            continue
        kept.add(at)
        used += len(tables[at].statement) + 1
    return "\n".join(tables[at].statement for at in sorted(kept)), len(tables) - len(kept)


def best_table(schema: str, question: str, dialect: str = "sqlite") -> TableText | None:
    """The table that the question names most, the first of equals; None for a schema without tables."""
    tables = [table for table in tables_of(schema, dialect) if table.name]
    return max(tables, key=lambda table: _overlap(table, question), default=None)


def named_columns(table: TableText, question: str) -> tuple[str, ...]:
    """The columns of the table all of whose words stand in the question, in the table's order."""
    words = words_of(question)
    return tuple(column for column in table.columns if (own := words_of(column)) and own <= words)


def words_of(text: str) -> frozenset[str]:
    """The words of a text or a name in lower case, `customerNames` and `customer_name` alike, in the singular of English."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return frozenset(re.sub(r"ies$", "y", word).rstrip("s") or word for word in _WORD.findall(spaced.lower()))


def _table(statement: str, dialect: str) -> TableText:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(statement, read=dialect or None)
    except (SqlglotError, RecursionError):
        return TableText(" ".join(statement.split()) + ";")
    for name in tree.find_all(exp.Identifier):
        name.set("quoted", quoted(name.name) != name.name)
    text = tree.sql(dialect=dialect or None, comments=False) + ";"
    for table, columns in schema_tables(text, dialect).items():
        return TableText(text, table, columns)
    return TableText(text)


def _overlap(table: TableText, question: str) -> tuple[int, int]:
    """How many words of the question are in the table's name, twice, and in its columns; then the fewer other columns."""
    words = words_of(question)
    in_columns = words & frozenset().union(*map(words_of, table.columns), frozenset[str]())
    return 2 * len(words & words_of(table.name)) + len(in_columns), -len(table.columns)


def _wanted(tables: Sequence[TableText], question: str) -> list[int]:
    """Positions of the tables, those wanted most first: each is followed by the tables it points to."""
    order = sorted(range(len(tables)), key=lambda at: _overlap(tables[at], question), reverse=True)
    by_name = {table.name.lower(): at for at, table in enumerate(tables) if table.name}
    found: dict[int, None] = {}
    for at in order:
        found.setdefault(at)
        if not _overlap(tables[at], question)[0]:
            continue
        for other in re.findall(r"REFERENCES\s+[\"`\[]?(\w+)", tables[at].statement, flags=re.IGNORECASE):
            if other.lower() in by_name:
                found.setdefault(by_name[other.lower()])
    return list(found)
