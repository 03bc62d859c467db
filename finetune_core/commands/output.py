"""What all commands share: their common options, and how they print."""

import json
import sys
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any, NoReturn

import typer

from finetune_core.workspace import jobs, projects
from finetune_core.workspace.jobs import JobState, JobView

Project = Annotated[str, typer.Option("--project", help="Name of the project.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]

FAILED_EXIT_CODE = 1


def emit(value: Any, as_json: bool, text: str) -> None:
    """Print `value` as JSON, or else `text`, on standard output."""
    typer.echo(json.dumps(_plain(value), ensure_ascii=False, indent=2) if as_json else text)


def note(text: str) -> None:
    """Tell a person something on standard error, where it never mixes with JSON."""
    typer.echo(text, err=True)


def project_id(name: str, *, create: bool = False) -> str:
    """The id of the project called `name`; with `create`, made and announced if there is none."""
    if not create:
        return projects.by_name(name).id
    project, is_new = projects.by_name_or_new(name)
    if is_new:
        note(f"Created project {project.name!r}.")
    return project.id


def wait_and_tell(job_id: str, *, may_stop: bool = False) -> JobView:
    """Wait for a job, telling its messages on standard error; exits with 1 and the job's words if it did not end well.

    `may_stop` says that what the job had done when a person stopped it is a result as well.
    """
    view = jobs.wait(job_id, on_change=lambda seen: note(f"[{seen.progress:4.0%}] {seen.message or seen.state}"))
    if view.state is not JobState.DONE and not (may_stop and view.state is JobState.STOPPED):
        fail(view.error or f"Job {job_id} was {view.state}.", view.hint or "Start it again.")
    return view


def fail(message: str, hint: str) -> NoReturn:
    """Print what is wrong and what to do next on standard error, and exit with 1."""
    note(f"Error: {message}")
    note(f"Next:  {hint}")
    sys.exit(FAILED_EXIT_CODE)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
