"""`worker`: run jobs until there are none."""

from typing import Annotated

import typer

from finetune_core.commands.output import Json, emit
from finetune_core.jobs.worker import IDLE_S, work


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker(
        idle_s: Annotated[
            float, typer.Option("--idle-s", min=0, help="Leave after so many seconds without a job.")
        ] = IDLE_S,
        only_if_none: Annotated[
            bool, typer.Option("--only-if-none", help="Leave at once if a worker is alive.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Run queued jobs, each in a process of its own. The dashboard starts one by itself."""
        num_jobs = work(idle_s=idle_s, only_if_none=only_if_none)
        emit({"num_jobs": num_jobs}, as_json, f"Jobs run: {num_jobs}.")
