"""The one database of an `AYAR_HOME`: SQLite in WAL mode, opened once for each process and home."""

import functools
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from finetune_core import settings
from finetune_core.errors import StorageError

__all__ = ["BATCH", "BUSY_TIMEOUT_S", "FILE_NAME", "Connection", "home", "now", "portions", "reading", "writing"]

FILE_NAME = "ayar.db"
BUSY_TIMEOUT_S = 30
BATCH = 500
"""Rows to a statement: far under SQLite's limit of bound variables."""

T = TypeVar("T")


def home() -> Path:
    """The folder of everything Ayar keeps, created if missing. Raises StorageError if it cannot be."""
    folder = settings.current().home.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be created: {error.strerror}.",
            hint="Set AYAR_HOME to a folder you may write to.",
        ) from error
    return folder


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for queries that change nothing; never waits for writers."""
    with _explained(), _engine(home()).connect() as connection:
        yield connection


@contextmanager
def writing() -> Iterator[Connection]:
    """One transaction that holds the write lock from its start, so that what it reads stays true until it commits."""
    with _explained(), _engine(home()).connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            with suppress(OperationalError):  # SQLite has rolled back by itself when the disk is full
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def portions(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """`items` in lists of `size`, the last one shorter; none for no items."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def now() -> float:
    """Seconds since the epoch, the unit of every time in the database."""
    return time.time()


@functools.cache
def _engine(folder: Path) -> Engine:
    from finetune_core.storage import migrations

    engine = create_engine(f"sqlite:///{folder / FILE_NAME}", connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _configure)
    migrations.upgrade(engine)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `writing()`, never by the driver
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "cache_size=-65536",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a person can mend into a StorageError; let everything else through."""
    try:
        yield
    except OperationalError as error:
        text = str(error.orig)
        if "full" in text or "disk I/O" in text:
            raise StorageError(
                f"The database in {home()} could not be written: {text}.",
                hint="Free some space on that disk, then try again; nothing half-written was kept.",
            ) from error
        if "locked" in text:
            raise StorageError(
                f"The database was busy for more than {BUSY_TIMEOUT_S} s.", hint="Try again in a moment."
            ) from error
        raise
    except DatabaseError as error:
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            raise StorageError(
                f"The database {home() / FILE_NAME} is damaged: {error.orig}.",
                hint="Restore it from a backup, or set AYAR_HOME to a new folder.",
            ) from error
        raise
