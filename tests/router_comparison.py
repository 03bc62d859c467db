"""A finished comparison of a tuned router with its baselines, from the shared small training."""

from dataclasses import replace

from finetune_core import recipes
from finetune_core.evaluation.side_by_side import Circumstances, Entry, Measures, compare
from finetune_core.records import Part, Split
from finetune_core.storage import artefacts, comparisons, database, datasets
from finetune_core.storage.datasets import DatasetRow
from finetune_core.wording import metric_title
from tests.training_fixtures import Trained

ROLES = {"majority": "floor", "llm": "floor", "base": "base", "tuned": "tuned"}


def add_router_comparison(project_id: str, routed: Trained, identity: str = "routed") -> str:
    """Score the shared router and keep the comparison in the project; returns its id."""
    recipe = recipes.get("router")
    test = routed.split.test
    reports = {
        key: recipe.evaluate(system, test, routed.config, routed.run)
        for key, system in recipe.systems(routed.config, routed.model, routed.run).items()
    }
    entries = [
        Entry(
            key,
            report.system,
            ROLES[key],
            report,
            against="base" if key == "tuned" else "",
            beside=tuple(reports) if key == "tuned" else (),
        )
        for key, report in reports.items()
    ]
    titles = {name: metric_title(name) for name in recipe.metrics}
    summary = compare(entries, Measures(recipe.metrics, recipe.headline, titles, searched="choices"), Circumstances())
    summary |= {"dataset": {"id": "d", "name": "v1"}, "recipes": ["router"]}
    _add_choices(project_id, test)
    target = comparisons.folder(project_id, identity)
    with artefacts.publish(target, {"kind": "comparison", "summary": summary}) as folder:
        comparisons.write_questions(folder / comparisons.QUESTIONS_FILE, test)
        for entry in entries:
            comparisons.write_report(folder / f"{entry.key}.parquet", entry.report)
    row = comparisons.ComparisonRow(identity, project_id, "job", "d", "router", summary, database.now())
    with database.writing() as connection:
        comparisons.add(connection, row)
    return identity


def _add_choices(project_id: str, test: Part) -> None:
    """A dataset version of which only the choices are read."""
    nothing = replace(test, examples=())
    manifest = {"name": "v1", "hash": "d"}
    with artefacts.publish(datasets.folder(project_id, "d"), manifest) as folder:
        manifest["corpora"] = datasets.write_split(folder, Split(nothing, nothing, nothing, "d"))
    with database.writing() as connection:
        datasets.add(connection, project_id, DatasetRow("d", "v1", manifest, database.now()))
