"""The read-only guard: every query that a model wrote goes to a database through here, and through nothing else.

What is run is one SELECT (see `providers.statements`), in a connection that cannot write: a SQLite file in `mode=ro` behind
an authorizer, a read-only transaction where the database has them, else only where a person says that the role of the
URL can do nothing but read. Time, rows and the size of cells are bounded.
"""

import datetime
import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_core.errors import FinetuneError, ProviderError, QueryError, QueryLimitError, QueryRefusedError
from finetune_core.providers import sqlite_files
from finetune_core.providers.statements import checked_query, sqlglot_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine
    from sqlglot import exp

ENV_REFERENCE = "env:"
"""Starts a database that is named by the environment variable that holds its URL, so that no password is kept."""
READ_ONLY_ROLE = "ayar_read_only_role"
"""A parameter of a URL, `?ayar_read_only_role=yes`: the person's word that its role may only read."""

Cell = str | int | float | bool | None
Checkpoint = Callable[[], None]
T = TypeVar("T")

_TICK_S = 0.5
_GRACE_S = 3.0
_BATCH_ROWS = 200
_MAX_TOTAL_CHARS = 50_000_000
_BEGIN: Mapping[str, Sequence[str]] = {
    "postgresql": (
        "SET TRANSACTION READ ONLY",
        "SET LOCAL statement_timeout = {timeout_ms}",
        # Where this is off, a backslash in a text means something else to the server than to the parser.
        "SET LOCAL standard_conforming_strings = on",
    ),
    "mysql": ("SET SESSION MAX_EXECUTION_TIME = {timeout_ms}", "START TRANSACTION READ ONLY"),
    "mariadb": ("SET SESSION max_statement_time = {timeout_s}", "START TRANSACTION READ ONLY"),
    "oracle": ("SET TRANSACTION READ ONLY",),
}
"""How a transaction that cannot write is begun, by SQLAlchemy's name of the database."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take: seconds, rows (more are left out, and said to be), characters of a cell (cut)."""

    timeout_s: float = 10.0
    max_rows: int = 1_000
    max_cell_chars: int = 2_000


@dataclass(frozen=True, slots=True)
class ResultTable:
    """What a query gave. `is_cut`: there were more rows, or longer cells, than the limits allow."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_cut: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of a table point to `other_columns` of the table `other`."""

    columns: tuple[str, ...]
    other: str
    other_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table or view: `columns` maps name to type ("" if the database gives none), in order."""

    name: str
    columns: Mapping[str, str]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def statement(self) -> str:
        """The CREATE TABLE statement that would make it, on one line, with the quotes that SQL asks for only."""
        parts = [" ".join(filter(None, (quoted(name), kind))) for name, kind in self.columns.items()]
        if self.primary_key:
            parts.append(f"PRIMARY KEY ({_listed(self.primary_key)})")
        parts += [
            f"FOREIGN KEY ({_listed(key.columns)}) REFERENCES {quoted(key.other)}"
            + (f" ({_listed(key.other_columns)})" if key.other_columns else "")
            for key in self.foreign_keys
        ]
        return f"CREATE TABLE {quoted(self.name)} ({', '.join(parts)});"


class Database:
    """A database that can be read and not written. `reference` is what was given for it, and holds no password."""

    def __init__(self, reference: str) -> None:
        """Connects to nothing yet. Raises ProviderError if `reference` names no database, or one without a way to guard it.

        `reference` is `env:NAME`, the path of a SQLite file, or a URL as SQLAlchemy has them.
        """
        self.reference = reference
        self._url, self._is_role_read_only = _read_reference(reference)
        self.kind = self._url.get_backend_name()
        self.dialect = sqlglot_dialect(self.kind)
        if self.kind != "sqlite" and self.kind not in _BEGIN and not self._is_role_read_only:
            raise ProviderError(
                f"Ayar knows no way to read a {self.kind} database without being able to write to it.",
                hint=f"Use a role that may only read, and say so with ?{READ_ONLY_ROLE}=yes at the end of the URL.",
            )

    @property
    def name(self) -> str:
        """The database's own name, to group questions by: the file's without its ending, or the one in the URL."""
        name = self._url.database or self._url.host or self.kind
        return Path(name).stem if self.kind == "sqlite" else name

    def query(self, sql: str, limits: Limits | None = None, checkpoint: Checkpoint | None = None) -> ResultTable:
        """What the SELECT in `sql` gives.

        Raises QueryRefusedError if it is not one SELECT or would do more than read, QueryLimitError if it takes too long,
        QueryError if the database cannot run it, ProviderError if the database cannot be reached.
        """
        limits = limits or Limits()
        text = self._text(sql, checked_query(sql, self.dialect))
        return _within(limits.timeout_s, lambda: self._run(text, limits), checkpoint)

    def tables(self, checkpoint: Checkpoint | None = None) -> tuple[TableShape, ...]:
        """The tables and views, by name. Raises ProviderError if the database cannot be reached."""
        return _within(60.0, self._inspect, checkpoint)

    def engine(self) -> "Engine":
        """A SQLAlchemy engine for looking at tables; its connections are closed after use.

        SQLite files are open in `mode=ro`, transactions of PostgreSQL are read-only. Raises ProviderError without a driver.
        """
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool

        if self.kind == "sqlite":
            path = Path(self._url.database or "")
            return create_engine("sqlite://", creator=lambda: sqlite_files.open_read_only(path), poolclass=NullPool)
        options: dict[str, Any] = {"postgresql_readonly": True} if self.kind == "postgresql" else {}
        try:
            return create_engine(self._url, poolclass=NullPool, execution_options=options)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ProviderError(
                f"The driver for {self._url.drivername} is not installed.",
                hint="Install it into Ayar's environment with pip, or name another driver in the URL.",
            ) from error

    def _text(self, sql: str, query: "exp.Query") -> str:
        """What is sent: as it was written for SQLite, which compiles one statement and asks the authorizer.

        Elsewhere it is what the parser understood, written anew without comments, some of which MySQL would run.
        """
        return sql if self.kind == "sqlite" else query.sql(dialect=self.dialect, comments=False)

    def _run(self, sql: str, limits: Limits) -> ResultTable:
        started = time.monotonic()
        try:
            with self._connected(limits.timeout_s) as connection:
                options = {"no_parameters": True, "stream_results": True, "max_row_buffer": _BATCH_ROWS}
                with connection.execution_options(**options).exec_driver_sql(sql) as result:
                    columns = tuple(map(str, result.keys()))
                    rows, is_cut = _fetch(result, limits)
        except Exception as error:
            raise self._explained(error, time.monotonic() - started, limits) from error
        return ResultTable(columns, rows, is_cut, time.monotonic() - started)

    def _connected(self, timeout_s: float) -> "Connection":
        """A connection that cannot write; what it did is rolled back when it is closed."""
        try:
            connection = self.engine().connect()
        except FinetuneError:
            raise
        except Exception as error:
            raise self._unreachable(error) from error
        if self.kind == "sqlite":
            sqlite_files.hold(connection.connection.driver_connection, timeout_s)  # type: ignore[arg-type]
        for statement in _BEGIN.get(self.kind, ()):
            connection.exec_driver_sql(
                statement.format(timeout_ms=max(1, round(1000 * timeout_s)), timeout_s=timeout_s)
            )
        return connection

    def _inspect(self) -> tuple[TableShape, ...]:
        from sqlalchemy import inspect
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self.engine().connect() as connection:
                inspector = inspect(connection)
                names = sorted({*inspector.get_table_names(), *inspector.get_view_names()})
                return tuple(_shape(inspector, name) for name in names)
        except SQLAlchemyError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ProviderError:
        return ProviderError(
            f"The database {self.name} cannot be reached: {self._said(error)}",
            hint="Check the URL, that the server runs, and that its role may connect and read.",
            retryable=True,
        )

    def _said(self, error: Exception) -> str:
        """The database's own words, on one line, without the password."""
        text = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        return text.replace(str(self._url.password), "***") if self._url.password else text

    def _explained(self, error: Exception, seconds: float, limits: Limits) -> FinetuneError:
        if isinstance(error, FinetuneError):
            return error
        said = self._said(error)
        if seconds >= limits.timeout_s or said == "interrupted":
            return _too_long(limits.timeout_s)
        if "not authorized" in said or "prohibited" in said or "read-only" in said.lower():
            return QueryRefusedError(
                f"This query was not run: the database would have to do more than read ({said}).",
                hint="Only a single SELECT that reads tables is run; ask for one.",
            )
        return QueryError(f"The database could not run this query: {said}.", hint="Check its tables and columns.")


def check_reference(reference: str) -> None:
    """Raise ProviderError for a reference that may not be kept, because it holds a password, or that names no database."""
    from sqlalchemy.engine import make_url

    Database(reference)
    if "://" in reference and make_url(reference.strip()).password:
        raise ProviderError(
            "This URL holds a password, and Ayar keeps none.",
            hint=f"Put the URL into an environment variable or the file .env, and name it here, such as {ENV_REFERENCE}SHOP_URL.",
        )


def quoted(name: str) -> str:
    """A name as it stands in a query: in double quotes only where SQL needs them."""
    from sqlalchemy.sql.compiler import RESERVED_WORDS

    is_plain = name.isascii() and name.isidentifier() and name.lower() not in RESERVED_WORDS
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def _read_reference(reference: str) -> "tuple[URL, bool]":
    """The URL that `reference` stands for, and whether a person says that its role may only read."""
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    given = reference.strip()
    if given.startswith(ENV_REFERENCE):
        variable = given.removeprefix(ENV_REFERENCE).strip()
        given = os.environ.get(variable, "").strip()
        if not given:
            raise ProviderError(
                f"The environment variable {variable} is not set.",
                hint=f"Set {variable} to the URL of the database, in the environment or in the file .env, and start again.",
            )
    if "://" not in given:
        if not given:
            raise ProviderError("No database is named.", hint="Give the path of a SQLite file or env:NAME.")
        return URL.create("sqlite", database=str(Path(given).expanduser())), False
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise ProviderError(
            "The URL of the database cannot be read.", hint="It has the form dialect+driver://user:password@host/name."
        ) from error
    if url.get_backend_name() == "sqlite" and (url.database or ":memory:").startswith((":memory:", "file:")):
        raise ProviderError(
            "A SQLite database has to be a file here.", hint="Give its path, such as sqlite:////data/shop.sqlite."
        )
    is_read_only = str(url.query.get(READ_ONLY_ROLE, "")).lower() in {"yes", "true", "1"}
    return url.difference_update_query([READ_ONLY_ROLE]), is_read_only


def _within(timeout_s: float, work: Callable[[], T], checkpoint: Checkpoint | None) -> T:
    """What `work` gives, or QueryLimitError: also where a server is silent, or a driver does not listen.

    It runs in a thread of its own, which ends with its connection's own time limit at the latest.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="guarded query")
    thread.start()
    deadline = time.monotonic() + timeout_s + _GRACE_S
    while thread.is_alive():
        thread.join(_TICK_S)
        if checkpoint:
            checkpoint()
        if time.monotonic() > deadline:
            raise _too_long(timeout_s)
    if errors:
        raise errors[0]
    return results[0]


def _too_long(timeout_s: float) -> QueryLimitError:
    return QueryLimitError(
        f"This query took longer than the {timeout_s:g} s it may take, and was ended.",
        hint="Ask for less, or for a part of the rows.",
    )


def _fetch(result: Any, limits: Limits) -> tuple[tuple[tuple[Cell, ...], ...], bool]:
    """At most `max_rows` rows, and at most 50 million characters of them."""
    rows: list[tuple[Cell, ...]] = []
    is_cut, total = False, 0
    while batch := result.fetchmany(min(_BATCH_ROWS, limits.max_rows + 1 - len(rows))):
        for row in batch:
            cells = [_cell(value) for value in row]
            for at, cell in enumerate(cells):
                if isinstance(cell, str):
                    if len(cell) > limits.max_cell_chars:
                        cells[at], is_cut = cell[: limits.max_cell_chars], True
                    total += min(len(cell), limits.max_cell_chars)
            rows.append(tuple(cells))
        if len(rows) > limits.max_rows or total > _MAX_TOTAL_CHARS:
            return tuple(rows[: limits.max_rows]), True
    return tuple(rows), is_cut


def _cell(value: Any) -> Cell:
    """A value as JSON can hold it."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return int(value) if value.is_finite() and value == value.to_integral_value() else _cell(float(value))
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray() | memoryview():
            return "0x" + bytes(value).hex()
        case datetime.datetime():
            return value.isoformat(sep=" ")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case list() | dict() | tuple():
            return json.dumps(value, default=str)
        case _:
            return str(value)


def _shape(inspector: Any, name: str) -> TableShape:
    return TableShape(
        name=name,
        columns={column["name"]: _type_name(column["type"]) for column in inspector.get_columns(name)},
        primary_key=tuple(inspector.get_pk_constraint(name).get("constrained_columns") or ()),
        foreign_keys=tuple(
            ForeignKey(tuple(key["constrained_columns"]), key["referred_table"], tuple(key["referred_columns"] or ()))
            for key in inspector.get_foreign_keys(name)
        ),
    )


def _type_name(kind: Any) -> str:
    try:
        name = str(kind)
    except Exception:  # a type that SQLAlchemy found and cannot name
        return ""
    return "" if name == "NULL" else name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)
