"""Databases that imported questions are asked over: kept with the project, read through the read-only guard alone."""

import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from finetune_core.corpus.interchange.row_formats import Brought
from finetune_core.errors import DatasetError
from finetune_core.providers.database import Database
from finetune_core.records import file_sha256
from finetune_core.storage import database

MAX_UNPACKED_BYTES = 2_000_000_000
MAX_FILES = 20_000


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder that a `.zip` holds, in a place that is gone afterwards; any other path as it is.

    Raises DatasetError for what is no zip, is too large once unpacked, or would reach outside its folder.
    """
    if path.suffix.lower() != ".zip":
        yield path
        return
    with TemporaryDirectory() as target:
        _unpack(path, Path(target))
        inside = [each for each in Path(target).iterdir() if not each.name.startswith((".", "__"))]
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() and inside[0].name != "database" else Path(target)


def with_databases(project_id: str, brought: Iterable[Brought]) -> list[Brought]:
    """The questions, each with the URL of a copy of its database that lies with the project, and with its schema.

    Raises ProviderError for a file that is no SQLite database.
    """
    known: dict[str, tuple[str, str]] = {}
    found = []
    for one in brought:
        path = one.example.database
        if path and "://" not in path:
            if path not in known:
                known[path] = _kept(project_id, Path(path))
            url, schema = known[path]
            example = replace(one.example, database=url, schema=one.example.schema or schema)
            found.append(replace(one, example=example))
        else:
            found.append(one)
    return found


def _kept(project_id: str, path: Path) -> tuple[str, str]:
    """URL and CREATE TABLE statements of a copy, which is made once for the same bytes."""
    schema = "\n".join(table.statement for table in Database(str(path)).tables())
    target = database.home() / "projects" / project_id / "databases" / file_sha256(path)[:16] / path.name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".part")
        shutil.copyfile(path, partial)
        partial.replace(target)
    return f"sqlite:///{target}", schema


def _unpack(path: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            size_bytes = sum(each.file_size for each in members)
            if len(members) > MAX_FILES or size_bytes > MAX_UNPACKED_BYTES:
                raise DatasetError(
                    f"{path.name} holds {len(members):,} files of {size_bytes:,} bytes; at most {MAX_FILES:,} of "
                    f"{MAX_UNPACKED_BYTES:,} are unpacked.",
                    hint="Pack only the questions, tables.json and the folder database.",
                )
            archive.extractall(target)  # never outside: it takes drives, roots and .. out of names
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise DatasetError(f"{path.name} cannot be unpacked: {error}.", hint="Pack the folder anew as zip.") from error
