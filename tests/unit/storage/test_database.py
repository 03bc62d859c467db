"""One database for a home: made once, guarded, and explained when it cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text

from finetune_core.errors import StorageError
from finetune_core.storage import database
from finetune_core.storage.tables import metadata, project
from finetune_core.workspace import projects


def test_the_migrated_schema_is_the_declared_one() -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_four_processes_may_make_the_database_at_once(home: Path) -> None:
    script = "from finetune_core.workspace import projects; import sys; projects.create(sys.argv[1])"
    makers = [subprocess.Popen([sys.executable, "-c", script, f"P{number}"]) for number in range(4)]
    assert [maker.wait(60) for maker in makers] == [0, 0, 0, 0]
    assert [found.name for found in sorted(projects.listing(), key=lambda found: found.name)] == [
        "P0",
        "P1",
        "P2",
        "P3",
    ]


def test_a_transaction_that_raises_writes_nothing() -> None:
    def insert_and_fail() -> None:
        with database.writing() as connection:
            connection.execute(text("INSERT INTO project VALUES ('x', 'X', 'm', 1, 1, 0)"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        insert_and_fail()
    with database.reading() as connection:
        assert connection.execute(select(project)).all() == []


def test_a_database_of_a_newer_ayar_is_refused(home: Path) -> None:
    projects.create("Old")
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database._engine.cache_clear()
    with pytest.raises(StorageError, match="schema 9999") as caught:
        projects.listing()
    assert "Update Ayar" in caught.value.hint


def test_garbage_in_place_of_the_database_is_explained(home: Path) -> None:
    home.mkdir()
    (home / database.FILE_NAME).write_bytes(b"not a database at all" * 400)
    with pytest.raises(StorageError, match="is damaged"):
        projects.listing()


def test_a_full_disk_is_explained_and_keeps_what_was_there(home: Path) -> None:
    """A limit on the size of files makes every write past it fail as a full disk would."""
    projects.create("Before")
    script = """
import resource, sys
from finetune_core.errors import StorageError
from finetune_core.storage import database
from finetune_core.workspace import projects
from sqlalchemy import text
size = (database.home() / "ayar.db-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192))
try:
    with database.writing() as connection:
        for number in range(2000):
            connection.execute(text(f"INSERT INTO project VALUES ('{number}', '{number:0500}', 'm', 1, 1, 0)"))
except StorageError as error:
    sys.exit(0 if "could not be written" in error.message and "Free some space" in error.hint else 3)
sys.exit(4)
"""
    with database.reading():  # keeps the write-ahead log in place
        assert subprocess.run([sys.executable, "-c", script], timeout=300).returncode == 0
    assert [found.name for found in projects.listing()] == ["Before"]
    projects.create("After")


def test_a_home_that_cannot_be_made_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AYAR_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StorageError, match="cannot be created") as caught:
        projects.listing()
    assert "AYAR_HOME" in caught.value.hint
