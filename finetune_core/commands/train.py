"""`train` and `runs`: start a training and see how trainings went."""

from typing import Annotated, Any

import typer

from finetune_core import recipes
from finetune_core.commands.output import Json, Project, emit, project_id, wait_and_tell
from finetune_core.workspace import runs


def register(app: typer.Typer) -> None:
    """Add the commands `train` and `runs`."""
    app.command("train")(train)
    app.command("runs")(show_runs)


def train(
    project: Project,
    dataset: Annotated[str, typer.Option("--dataset", help="Name or id of the dataset version.")],
    recipe: Annotated[str, typer.Option("--recipe", help="What to tune.")] = "embedding",
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting of the recipe: name=value.")] = None,
    tuner: Annotated[
        str, typer.Option("--tuner", help="Where a chat model is tuned: local, openai or modal; as --set tuner=….")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="What to call the model.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the run has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Tune a model on a dataset version."""
    config = runs.parsed_settings(recipe, settings or []) | ({"tuner": tuner} if tuner else {})
    run_id = runs.launch(project_id(project), dataset, recipe, config, name)
    if wait:
        wait_and_tell(run_id, may_stop=True)
    view = runs.get(run_id)
    value: dict[str, Any] = {"run": run_id, "state": view.state}
    if view.model_id:
        value |= {"model": view.model_id, "best_step": view.best_step}
        value |= {"headline": recipes.get(view.recipe).headline, "validation": view.steering.best}
        value |= {"measured": view.steering.name}
    emit(value, as_json, f"Run {run_id} is {view.state}.")


def show_runs(project: Project, as_json: Json = False) -> None:
    """List the runs of a project, newest first."""
    views = runs.listing(project_id(project))
    rows = [
        {
            "run": view.id,
            "name": view.name,
            "recipe": view.recipe,
            "dataset": view.dataset_id,
            "state": view.state,
            "headline": recipes.get(view.recipe).headline,
            "measured": view.steering.name,
            "base_validation": view.steering.base,
            "best_validation": view.steering.best,
            "best_step": view.best_step,
            "model": view.model_id,
        }
        for view in views
    ]
    lines = [f"{view.id}  {view.state:<9}  {view.name:<32}  {_came_to(view)}" for view in views]
    emit(rows, as_json, "\n".join(lines) or "No runs yet.")


def _came_to(view: runs.RunView) -> str:
    found = view.steering
    return f"{_number(found.base)} -> {_number(found.best)}{' (loss)' if found.is_loss else ''}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
