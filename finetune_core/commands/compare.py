"""`compare`: base against tuned on a dataset version's test questions."""

from typing import Annotated, Any

import typer

from finetune_core.commands.output import Json, Project, emit, fail, note, project_id, wait_and_tell
from finetune_core.workspace import comparisons, contenders, out_of_domain
from finetune_core.workspace.comparisons import ComparisonView


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def compare(
        project: Project,
        dataset: Annotated[str, typer.Option("--dataset", help="Name or id of the dataset version.")],
        runs: Annotated[
            list[str] | None,
            typer.Option("--runs", help="Runs to compare with their base; with commas between, or given again."),
        ] = None,
        every: Annotated[
            bool, typer.Option("--all", help="Train what nobody tried on the version, then compare all there.")
        ] = False,
        foreign: Annotated[
            str,
            typer.Option(
                "--out-of-domain",
                help="Questions the runs were not tuned for, scored as well: demo, a version, PROJECT/VERSION, or none.",
            ),
        ] = out_of_domain.DEMO,
        to_services: Annotated[
            bool, typer.Option("--send-out-of-domain", help="Send those to model services too, where a run uses any.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Score the untuned model, each tuned one and trivial baselines on the test questions; say what the change is worth."""
        identity = project_id(project)
        named = [name.strip() for given in runs or [] for name in given.split(",") if name.strip()]
        if every == bool(named):
            fail("Either --runs or --all is needed, and not both.", "Name runs, or give --all.")
        choice = out_of_domain.named(identity, foreign, to_services=to_services)
        if every:
            _tell_estimate(identity, dataset)
            launched = contenders.compare_all(identity, dataset, choice)
        else:
            launched = comparisons.launch(identity, dataset, named, choice)
        if not launched.is_finished:
            wait_and_tell(launched.job_id)
        view = comparisons.get(identity, contenders.result(identity, launched))
        emit(summary_of(view), as_json, text_of(view))


def _tell_estimate(project: str, dataset: str) -> None:
    """Say on standard error what will be trained, and how long each takes where that is known."""
    for one in contenders.foresee(project, dataset):
        time = one.problem or ("time unknown" if one.seconds is None else f"about {one.seconds:,.0f} s")
        note(f"Training {one.recipe.title} with default settings: {time}")


def summary_of(view: ComparisonView) -> dict[str, Any]:
    """What scripts read: base and each run with metrics, differences with intervals, verdicts, and the counts."""
    result, chosen = view.result, view.tuned[0]
    return {
        "comparison": view.id,
        "dataset": view.dataset_name,
        "headline": result["headline"],
        "num_questions": result["num_questions"],
        "num_groups": result["num_groups"],
        "num_searched": result["num_searched"],
        "base": {"metrics": _values(view.system(chosen["against"]))},
        "floors": {
            system["name"]: {"metrics": _values(system)} for system in result["systems"] if system["role"] == "floor"
        },
        "runs": {system["run_id"] or system["key"]: _run(view, system) for system in view.tuned},
        "candidate": chosen["run_id"] or chosen["key"],
        "verdict": result["verdict"]["sentence"],
        "outcome": result["verdict"]["outcome"],
        "frontier": result["frontier"],
        "caveats": result["verdict"]["caveats"],
    }


def text_of(view: ComparisonView) -> str:
    """The same for people: the verdict, a table of metrics, the caveats."""
    result = view.result
    names = [system["name"] for system in result["systems"]]
    width = max(len(title) for title in result["titles"].values()) + 2
    lines = [result["verdict"]["sentence"], ""]
    lines.append(" " * width + "".join(f"{name[:20]:>22}" for name in names) + "     change (interval)")
    for metric in result["metrics"]:
        values = [system["metrics"][metric]["value"] for system in result["systems"]]
        cells = "".join(f"{'-' if value is None else format(value, '.3f'):>22}" for value in values)
        change = change_text(view.difference(result["verdict"]["system"])["metrics"][metric])
        lines.append(f"{result['titles'][metric]:<{width}}{cells}     {change}")
    lines += ["", f"{result['num_questions']:,} questions, {result['num_searched']:,} {result['searched']}."]
    if result["frontier"]:
        lines.append(result["frontier"]["sentence"])
    lines += [f"{name}: {said.get('sentence') or said['note']}" for name, said in view.out_of_domain().items()]
    return "\n".join(lines + [f"Note: {caveat}" for caveat in result["verdict"]["caveats"]])


def _run(view: ComparisonView, system: dict[str, Any]) -> dict[str, Any]:
    difference = view.difference(system["key"])
    return {
        "name": system["name"],
        "model": system["model_id"],
        "metrics": _values(system),
        "base_metrics": _values(view.system(system["against"])),
        "differences": {
            name: {key: interval[key] for key in ("difference", "low", "high", "p_value", "num_rows")}
            for name, interval in difference["metrics"].items()
        },
        "verdict": difference["verdict"],
        "out_of_domain": (view.result.get("out_of_domain") or {}).get("models", {}).get(system["key"]),
    }


def change_text(interval: dict[str, Any]) -> str:
    """A difference with its interval; "-" where it is unknown."""
    if interval["low"] is None:
        return "-"
    return f"{interval['difference']:+.3f} ({interval['low']:+.3f} to {interval['high']:+.3f})"


def _values(system: dict[str, Any]) -> dict[str, float | None]:
    return {name: metric["value"] for name, metric in system["metrics"].items()}
