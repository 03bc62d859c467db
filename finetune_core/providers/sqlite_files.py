"""SQLite files opened so that nothing can be written to them, nor to anything else through them."""

import contextlib
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from finetune_core.errors import ProviderError

_MAX_VALUE_BYTES = 4_000_000
_MAX_PATTERN_CHARS = 200  # a long pattern of LIKE may take for ever, between two calls of the progress handler
_STEPS_BETWEEN_LOOKS = 5_000
_DENIED_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}


def open_read_only(path: Path) -> sqlite3.Connection:
    """The database file in `mode=ro`. Raises ProviderError if there is none, or it is no database."""
    if not path.is_file():
        raise ProviderError(f"There is no database file {path}.", hint="Check the path; it has to be a SQLite file.")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, check_same_thread=False)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise ProviderError(
            f"{path.name} cannot be opened as a SQLite database: {error}.",
            hint="Check that the file is a SQLite database, not encrypted, and that its folder can be read.",
        ) from error
    # Some files hold text in an old encoding: shown with a mark is better than not at all.
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def hold(connection: sqlite3.Connection, timeout_s: float) -> None:
    """From now on `connection` only reads tables and calls functions, and gives up after `timeout_s` seconds."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _MAX_PATTERN_CHARS)
    # SQLAlchemy brings a REGEXP of Python's, which no limit on time can end.
    connection.create_function("regexp", 2, None)
    _meet_virtual_tables(connection)
    deadline = time.monotonic() + timeout_s
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_LOOKS)
    connection.set_authorizer(_permit)


def _permit(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """SQLite asks this for each thing a statement would do, when it compiles it."""
    if action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _DENIED_FUNCTIONS:
        return sqlite3.SQLITE_OK
    # Full-text tables ask whether the file changed since they last looked.
    if action == sqlite3.SQLITE_PRAGMA and first in {"data_version", "page_size"} and second is None:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _meet_virtual_tables(connection: sqlite3.Connection) -> None:
    """Full-text and other virtual tables declare themselves when first named, which the authorizer would not permit."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'").fetchall()
    for (name,) in found:
        with contextlib.suppress(sqlite3.Error):  # of a module that is not there: its tables cannot be read
            connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall()
