"""`serve`: answer Playground questions until nobody asks any more."""

from typing import Annotated

import typer

from finetune_core.jobs import serving


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def serve(
        idle_s: Annotated[
            float, typer.Option("--idle-s", min=1, help="Leave after so many seconds without a question.")
        ] = serving.IDLE_S,
    ) -> None:
        """Answer the dashboard's Playground. It starts this by itself; run by hand it is of little use."""
        serving.serve(idle_s)
