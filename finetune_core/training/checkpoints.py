"""Folders that appear whole or not at all: what a run needs to go on after it was killed, and its best weights so far."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from finetune_core.errors import StorageError

_PART = ".part"


def write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary folder, force it to disk, then give it its name; replaces nothing half-way.

    Does nothing if `folder` exists. Raises StorageError if the disk is full; then nothing is left.
    """
    if folder.exists():
        return
    from safetensors import SafetensorError

    temporary = folder.with_name(folder.name + _PART)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        write(temporary)
        for path in temporary.rglob("*"):
            _force_to_disk(path)
        temporary.rename(folder)
        _force_to_disk(folder.parent)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, OSError) and error.errno not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, None}:
            raise
        raise StorageError(
            f"A checkpoint could not be written to {folder.parent}: {reason}.",
            hint="Free some space on that disk, then resume: the run goes on from its last whole checkpoint.",
        ) from error


def latest(folder: Path, kind: str) -> Path | None:
    """The folder `kind-<step>` of the highest step in `folder`, or None."""
    found = [path for path in folder.glob(f"{kind}-*") if path.suffix != _PART and path.is_dir()]
    return max(found, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def keep_only(folder: Path, names: set[str]) -> None:
    """Delete every folder in `folder` that is not named."""
    for path in folder.iterdir():
        if path.is_dir() and path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def _force_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
