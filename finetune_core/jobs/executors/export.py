"""Take a tuned model out of Ayar: as a folder anywhere on this machine, or as a zip to download."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, field_validator

from finetune_core.errors import ArtefactError
from finetune_core.jobs.run import JobRun
from finetune_core.records import file_sha256
from finetune_core.storage import artefacts, database
from finetune_core.storage import models as model_rows
from finetune_core.storage.models import ModelRow

HEAVY = False
BLOCK_BYTES = 1 << 20
README = "README.md"


class Params(BaseModel):
    """Which model, and an absolute path of a folder that does not exist or is empty; "" makes a zip to download.

    `card` is the text of its model card, kept as README.md beside the weights; `kind` names one of the recipe's exports,
    "" the first of them.
    """

    model_id: str
    to: str = ""
    card: str = ""
    kind: str = ""

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
    if params.to:
        folder = Path(params.to)
        _write_folder(run, row, folder, params)
        return {"path": str(folder), "size_bytes": artefacts.size_bytes(folder), "sha256": ""}
    folder = run.workdir / "export"
    _write_folder(run, row, folder, params)
    target = zip_path(row.project_id, row.id)
    _write_zip(run, folder, target, _file_name(row))
    shutil.rmtree(folder, ignore_errors=True)
    return {"path": str(target), "size_bytes": target.stat().st_size, "sha256": file_sha256(target)}


def zip_path(project_id: str, model_id: str) -> Path:
    """Where the zip of a model lies once it was made."""
    return database.home() / "projects" / project_id / "exports" / f"{model_id}.zip"


def is_free(folder: Path, model_id: str) -> bool:
    """Whether an export may go there; False if it is there already, whole. Raises ArtefactError if something else is."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        if (folder / artefacts.MANIFEST).is_file() and artefacts.verify(folder).get("model_id") == model_id:
            return False
        raise ArtefactError(f"{folder} exists and is not empty.", hint="Name a folder that does not exist yet.")
    return True


def _write_folder(run: JobRun, row: ModelRow, target: Path, params: Params) -> None:
    """The recipe's export with a manifest of its own; every file that the model has too is compared with it."""
    from finetune_core import recipes

    if not is_free(target, row.id):
        return
    source = model_rows.folder(row.project_id, row.id)
    run.progress(0.05, "Checking the model's files")
    manifest = artefacts.verify(source)
    exports = recipes.get(row.recipe).exports
    run.progress(0.2, "Copying")
    with artefacts.publish(target, {**manifest, "model_id": row.id, "name": row.name}) as temporary:
        exports[params.kind or next(iter(exports))](source, temporary)
        run.progress(0.5, "Comparing the copies")
        for path in (path for path in temporary.rglob("*") if path.is_file()):
            expected = manifest["files"].get(path.relative_to(temporary).as_posix())
            if expected and file_sha256(path) != expected["sha256"]:
                raise ArtefactError(
                    f"The copy of {path.name} is not like the original.", hint="Check the disk, then export again."
                )
            run.checkpoint()
        if params.card:
            (temporary / README).write_text(params.card, encoding="utf-8")


def _write_zip(run: JobRun, folder: Path, target: Path, top: str) -> None:
    """Pack a published folder as `top/…`, read it back, and only then give it its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    manifest = artefacts.read_manifest(folder)
    names = [*manifest["files"], artefacts.MANIFEST]
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:  # weights do not compress
            for done, name in enumerate(names):
                run.progress(0.6 + 0.2 * done / len(names), f"Packing {name}")
                with (folder / name).open("rb") as read:
                    info = zipfile.ZipInfo.from_file(folder / name, f"{top}/{name}")
                    with archive.open(info, "w", force_zip64=True) as write:
                        shutil.copyfileobj(read, write, BLOCK_BYTES)
        run.progress(0.8, "Checking the zip")
        _check_zip(partial, top, manifest)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _check_zip(path: Path, top: str, manifest: dict[str, Any]) -> None:
    import hashlib

    with zipfile.ZipFile(path) as archive:
        for name, expected in manifest["files"].items():
            with archive.open(f"{top}/{name}") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
            if found != expected["sha256"]:
                raise ArtefactError(
                    f"{name} in the zip is not like the original.", hint="Check the disk, then export again."
                )


def _file_name(row: ModelRow) -> str:
    """The model's name as the name of a folder."""
    return re.sub(r"[^\w.-]+", "-", row.name).strip("-.") or row.id
