"""`import-adapter`: take over an adapter of the old package."""

from pathlib import Path
from typing import Annotated

import typer

from finetune_core.commands.output import Json, Project, emit, project_id, wait_and_tell
from finetune_core.workspace import models


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("import-adapter")
    def import_adapter(
        project: Project,
        folder: Annotated[Path, typer.Argument(help="Folder with config.json and pytorch_model.bin.")],
        base_model: Annotated[str, typer.Option("--base-model", help="The embedding model it was tuned for.")] = "",
        name: Annotated[
            str, typer.Option("--name", help="What the model shall be called; the folder's name without it.")
        ] = "",
        as_json: Json = False,
    ) -> None:
        """Take over an adapter that llama-index-finetuning wrote. Its weights are converted once; no code in them runs."""
        found = project_id(project, create=True)
        job = wait_and_tell(models.import_adapter(found, folder.expanduser().absolute(), base_model, name))
        emit(job.result, as_json, f"Took over {job.result['name']} as model {job.result['model_id']}.")
