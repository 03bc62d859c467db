"""What a person gave a job to work on, too large for its parameters: JSON lines that lie with the project, named by content."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from finetune_core.errors import StorageError
from finetune_core.records import content_id
from finetune_core.storage import database


def keep(project_id: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Write the rows, once for the same ones; the name they are read by."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    name = content_id("inputs", text)
    path = _path(project_id, name)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return name


def read(project_id: str, name: str) -> list[dict[str, Any]]:
    """The rows that were kept under that name. Raises StorageError if they are gone."""
    try:
        lines = _path(project_id, name).read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise StorageError(
            "What this job was given to work on is gone.", hint="Give it again, and start anew."
        ) from error
    return [json.loads(line) for line in lines if line]


def _path(project_id: str, name: str) -> Path:
    return database.home() / "projects" / project_id / "inputs" / f"{name}.jsonl"
