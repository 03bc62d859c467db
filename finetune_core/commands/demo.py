"""`demo`: the whole job on the demo corpus, from documents to a verdict."""

from typing import Annotated

import typer

from finetune_core.commands.compare import summary_of, text_of
from finetune_core.commands.output import Json, emit, note
from finetune_core.workspace import demo as demos
from finetune_core.workspace.jobs import JobView


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        project: Annotated[
            str, typer.Option("--project", help="Project to use; made if missing.")
        ] = demos.PROJECT_NAME,
        as_json: Json = False,
    ) -> None:
        """Do the whole job on Python's own language reference, in minutes, and end with the verdict, whatever it is."""
        done = demos.whole_job(project, _tell)
        value = {
            "project": done.project.name,
            "dataset": done.dataset,
            "run": done.run_id,
            "num_train": done.num_train,
            "seconds": round(done.seconds, 1),
            "comparison": summary_of(done.comparison),
            "verdict": done.comparison.result["verdict"]["sentence"],
        }
        table = text_of(done.comparison).partition("\n\n")[2]
        text = f"{table}\n\nTook {done.seconds:.0f} s; {done.num_train} training pairs.\n\n{value['verdict']}"
        emit(value, as_json, text)


def _tell(step: str, job: JobView) -> None:
    note(f"{step} [{job.progress:4.0%}] {job.message or job.state}")
