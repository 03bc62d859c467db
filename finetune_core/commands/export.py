"""`export`: take a tuned model out as a folder."""

from pathlib import Path
from typing import Annotated

import typer

from finetune_core.commands.output import Json, Project, emit, project_id, wait_and_tell
from finetune_core.workspace import models


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def export(
        project: Project,
        model: Annotated[str, typer.Option("--model", help="Name or id of the model, or the id of its run.")],
        to: Annotated[Path, typer.Option("--to", help="Folder to write; it must not exist yet, or be empty.")],
        as_json: Json = False,
    ) -> None:
        """Copy a tuned model, its manifest and its model card into a folder that other programs load."""
        found = models.by_name(project_id(project), model)
        job = wait_and_tell(models.export(found.id, str(to.expanduser().absolute())))
        emit({"model": found.id, **job.result}, as_json, f"Exported {found.name} to {job.result['path']}.")
