"""Take a tuned model out of Ayar: as a folder anywhere on this machine, or as a zip to download."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, field_validator

from finetune_core.errors import ArtefactError
from finetune_core.jobs.run import JobRun
from finetune_core.storage import artefacts, database
from finetune_core.storage import models as model_rows
from finetune_core.storage.models import ModelRow

HEAVY = False
BLOCK_BYTES = 1 << 20


class Params(BaseModel):
    """Which model, and an absolute path of a folder that does not exist or is empty; "" makes a zip to download.

    `card` is the text of its model card, kept as README.md beside the weights.
    """

    model_id: str
    to: str = ""
    card: str = ""

    @field_validator("to")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and not Path(value).is_absolute():
            raise ValueError(f"{value} is not an absolute path")
        return value


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Check the model's files, copy them, and check the copies. The result names `path`, `size_bytes` and `sha256`.

    Raises ArtefactError if the model is gone or damaged, or the folder holds something else.
    """
    with database.reading() as connection:
        row = model_rows.find(connection, params.model_id)
    if row is None:
        raise ArtefactError(f"There is no model {params.model_id!r}.", hint="Choose one from the Models page.")
    source = model_rows.folder(row.project_id, row.id)
    run.progress(0.05, "Checking the model's files")
    manifest = artefacts.verify(source)
    if params.to:
        return _to_folder(run, row, source, manifest, params)
    return _to_zip(run, row, source, manifest, params.card)


def zip_path(project_id: str, model_id: str) -> Path:
    """Where the zip of a model lies once it was made."""
    return database.home() / "projects" / project_id / "exports" / f"{model_id}.zip"


def require_free(folder: Path, model_id: str) -> bool:
    """Whether `folder` already holds this very export, whole. Raises ArtefactError if it holds anything else."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        if (folder / artefacts.MANIFEST).is_file() and artefacts.verify(folder).get("model_id") == model_id:
            return True
        raise ArtefactError(f"{folder} exists and is not empty.", hint="Name a folder that does not exist yet.")
    return False


def _to_folder(run: JobRun, row: ModelRow, source: Path, manifest: dict[str, Any], params: Params) -> dict[str, Any]:
    target = Path(params.to)
    if not require_free(target, row.id):
        copied = {key: value for key, value in manifest.items() if key != "files"} | {"model_id": row.id}
        with artefacts.publish(target, copied) as temporary:
            for done, name in enumerate(manifest["files"]):
                run.progress(0.1 + 0.8 * done / len(manifest["files"]), f"Copying {name}")
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, temporary / name)
            _check_copies(temporary, manifest)
            if params.card:
                (temporary / "README.md").write_text(params.card, encoding="utf-8")
    return {"path": str(target), "size_bytes": artefacts.size_bytes(target), "sha256": ""}


def _to_zip(run: JobRun, row: ModelRow, source: Path, manifest: dict[str, Any], card: str) -> dict[str, Any]:
    target = zip_path(row.project_id, row.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    top = re.sub(r"[^\w.-]+", "-", row.name).strip("-.") or row.id
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # weights do not compress
            for done, name in enumerate([*manifest["files"], artefacts.MANIFEST]):
                run.progress(0.1 + 0.6 * done / (len(manifest["files"]) + 1), f"Packing {name}")
                if name != "README.md" or not card:
                    _pack(run, archive, source / name, f"{top}/{name}")
            if card:
                archive.writestr(f"{top}/README.md", card)
        run.progress(0.8, "Checking the zip")
        _check_zip(run, partial, top, manifest, skip="README.md" if card else "")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return {"path": str(target), "size_bytes": target.stat().st_size, "sha256": artefacts.sha256_of(target)}


def _pack(run: JobRun, archive: zipfile.ZipFile, path: Path, name: str) -> None:
    with path.open("rb") as read, archive.open(zipfile.ZipInfo.from_file(path, name), "w", force_zip64=True) as write:
        while block := read.read(BLOCK_BYTES):
            write.write(block)
            run.checkpoint()


def _check_copies(folder: Path, manifest: dict[str, Any]) -> None:
    for name, expected in manifest["files"].items():
        if artefacts.sha256_of(folder / name) != expected["sha256"]:
            raise ArtefactError(
                f"The copy of {name} is not like the original.", hint="Check the disk, then export again."
            )


def _check_zip(run: JobRun, path: Path, top: str, manifest: dict[str, Any], skip: str) -> None:
    import hashlib

    with zipfile.ZipFile(path) as archive:
        for name, expected in manifest["files"].items():
            if name == skip:
                continue
            digest = hashlib.sha256()
            with archive.open(f"{top}/{name}") as stream:
                while block := stream.read(BLOCK_BYTES):
                    digest.update(block)
                    run.checkpoint()
            if digest.hexdigest() != expected["sha256"]:
                raise ArtefactError(
                    f"{name} in the zip is not like the original.", hint="Check the disk, then export again."
                )
