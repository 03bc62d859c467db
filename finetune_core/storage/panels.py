"""Panels of answers: their summaries stand in the comparison they were launched from, their rows in folders of their own."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, update

from finetune_core.errors import ArtefactError
from finetune_core.storage import comparisons, database
from finetune_core.storage.tables import comparison

BEFORE_FILE, AFTER_FILE = "before.parquet", "after.parquet"


def folder_of_all(project_id: str, comparison_id: str) -> Path:
    """Where the panels of a comparison lie, and what models answered and judges said for them."""
    return database.home() / "projects" / project_id / "panels" / comparison_id


def folder(project_id: str, comparison_id: str, panel_id: str) -> Path:
    """Where the rows of a panel lie, whether it exists or not."""
    return folder_of_all(project_id, comparison_id) / panel_id


def of(row: comparisons.ComparisonRow) -> dict[str, dict[str, Any]]:
    """The panels of a comparison by id, the newest last; {} without any."""
    return dict(row.result.get("panels", {}))


def put(connection: Connection, comparison_id: str, panel_id: str, summary: dict[str, Any]) -> None:
    """Keep a panel with its comparison, in place of one of the same id. Raises ArtefactError if the comparison is gone."""
    _change(connection, comparison_id, panel_id, summary)


def remove(connection: Connection, comparison_id: str, panel_id: str) -> None:
    """Forget a panel; its folder is the caller's to delete once this is committed."""
    _change(connection, comparison_id, panel_id, None)


def _change(connection: Connection, comparison_id: str, panel_id: str, summary: dict[str, Any] | None) -> None:
    row = comparisons.find(connection, comparison_id)
    if row is None:
        raise ArtefactError(f"The comparison {comparison_id} was deleted.", hint="Compare the models again.")
    found = {id_: one for id_, one in of(row).items() if id_ != panel_id}
    if summary is not None:
        found[panel_id] = summary
    changed = {**row.result, "panels": found}
    connection.execute(update(comparison).where(comparison.c.id == comparison_id).values(result=changed))
