"""Folders that are whole or absent: datasets and models, each with a manifest of its files and their SHA-256.

An artefact is written under a temporary name beside its place, its `manifest.json` last, and then renamed: a folder with a
manifest is complete, whatever was killed when.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune_core.errors import ArtefactError
from finetune_core.records import file_sha256

MANIFEST = "manifest.json"
ALLOWED_SUFFIXES = frozenset({".safetensors", ".gguf", ".json", ".jsonl", ".parquet", ".txt", ".md", ".jinja"})
"""Data; ".jinja" is a chat template, which whoever loads the model runs in a sandbox of its own."""


@contextmanager
def publish(folder: Path, manifest: dict[str, Any]) -> Iterator[Path]:
    """Give a temporary folder to write into; on leaving, complete `manifest` with the files and move it to `folder`.

    The caller may go on filling `manifest` inside the block. If the block raises, nothing is left. If `folder` was
    published before, that one stays: artefacts never change. Raises ArtefactError for a file type Ayar does not store.
    """
    _remove_leftovers(folder)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _write_manifest(temporary, manifest)
        if not (folder / MANIFEST).is_file():
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove(folder: Path) -> None:
    """Delete an artefact, its manifest first: whatever stops this halfway, what is left is no artefact."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a complete artefact. Raises ArtefactError where there is none or it cannot be read."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(
            f"{folder} has no readable {MANIFEST}: it is incomplete or was altered.",
            hint="Delete it and run the job that made it again.",
        ) from error
    return manifest


def verify(folder: Path) -> dict[str, Any]:
    """The manifest, after every file's size and SHA-256 were compared. Raises ArtefactError that names the first bad file."""
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        path = folder / name
        found = {"size_bytes": path.stat().st_size, "sha256": file_sha256(path)} if path.is_file() else None
        if found != expected:
            what = "is missing" if found is None else "was altered after it was written"
            raise ArtefactError(f"{path} {what}.", hint="Delete this artefact and run the job that made it again.")
    return manifest


def size_bytes(folder: Path) -> int:
    """The bytes of all files below `folder`; 0 if it does not exist."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths:
        if path.suffix not in ALLOWED_SUFFIXES:
            raise ArtefactError(
                f"{path.name} is a {path.suffix or 'nameless'} file; artefacts hold {', '.join(sorted(ALLOWED_SUFFIXES))} only.",
                hint="Save weights as safetensors and data as JSON or Parquet.",
            )
    manifest["files"] = {
        path.relative_to(folder).as_posix(): {"size_bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in paths
    }
    partial = folder / f"{MANIFEST}.part"
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=2, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, folder / MANIFEST)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed attempt left, and a folder without a manifest, which no `publish` can have made."""
    for leftover in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(leftover, ignore_errors=True)
    if folder.exists() and not (folder / MANIFEST).is_file():
        shutil.rmtree(folder)
