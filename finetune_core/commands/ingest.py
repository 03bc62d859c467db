"""`ingest`: read files and folders into a project's corpus."""

from pathlib import Path
from typing import Annotated, Any

import typer

from finetune_core.commands.output import Json, Project, emit, project_id, wait_and_tell
from finetune_core.workspace import corpus


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def ingest(
        project: Project,
        paths: Annotated[list[Path], typer.Argument(help="Files and folders to read.")],
        as_json: Json = False,
    ) -> None:
        """Read files and folders into the corpus; the project is made if it does not exist."""
        project_key = project_id(project, create=True)
        files: list[corpus.FileOutcome] = []
        for path in paths:
            job = wait_and_tell(corpus.ingest_path(project_key, path), may_stop=True)
            found = corpus.outcomes(project_key, job_id=job.id, limit=corpus.MAX_FILES)
            files += reversed(found.items)
        counts = corpus.chunk_counts(project_key)
        emit({"files": files, "chunks": counts}, as_json, _text(files, counts))


def _text(files: list[Any], counts: corpus.ChunkCounts) -> str:
    lines = [f"{file.state:9}  {file.name}" + (f"  ({file.reason})" if file.reason else "") for file in files]
    return "\n".join([*lines, f"The corpus now has {counts.num_included:,} chunks to search."])
