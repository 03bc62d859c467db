"""Freezing labelled queries: gathered with the choices, split so that wordings of one question stay together."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from finetune_core.errors import DatasetError, ProviderError
from finetune_core.jobs.freezing import base_facts, missing_parts, power, warnings
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.run import JobRun
from finetune_core.records import Labelled, Part, Split, SplitName
from finetune_core.storage import labelled
from finetune_core.storage.labelled import GatheredQueries
from finetune_core.wording import counted

if TYPE_CHECKING:
    from finetune_core.recipe import Report

RECORD = Labelled
ROUTER = "router"  # the recipe whose untuned system shows where a version starts from
GAIN_METRIC = "accuracy"  # macro-F1 is no mean over queries, so what it can show is not known in advance
MIN_CHOICES = 2
FEW_TRAINING = 5
"""A choice with fewer training queries than this is named in a warning."""
Parts = dict[SplitName, Part[Labelled]]


def gather(connection: Connection, project_id: str, *, include_pending: bool) -> GatheredQueries:
    """The queries that count. Raises DatasetError with fewer than two choices."""
    found = labelled.gather(connection, project_id, include_pending=include_pending)
    if len(found.choices) < MIN_CHOICES:
        raise DatasetError(
            f"A router needs at least {MIN_CHOICES} choices; this project has {len(found.choices)}.",
            hint="Add choices on the Review page, or import them.",
        )
    return found


def split(gathered: GatheredQueries, seed: int) -> tuple[Parts, str, tuple[str, ...]]:
    """Keep the parts that came with a split of their own; cut the missing ones from the rest, whole groups at a time."""
    from finetune_core.evaluation.splitting import cut_groups

    kept, rule = dict(gathered.examples), "imported"
    if not kept[SplitName.TRAIN]:
        raise DatasetError(
            "There is no accepted query to train on.",
            hint="Write some on the Review page, import some, or accept some.",
        )
    if shares := missing_parts(kept):
        kept |= cut_groups(kept[SplitName.TRAIN], shares, seed)
        rule = "group"
    return {name: Part(name, kept[name], gathered.choices) for name in SplitName}, rule, ()


def findings(
    run: JobRun,
    gathered: GatheredQueries,
    split: Split[Labelled],
    manifest: dict[str, Any],
    left_out: tuple[str, ...],
    *,
    measure_base: bool,
) -> dict[str, Any]:
    """What the manifest says beyond counts: queries by choice, leaks, how the untuned router does, and warnings."""
    from finetune_core.evaluation.leakage import query_leakage

    run.progress(0.2, "Looking for leaks between the parts")
    leakage = query_leakage({name: split.part(name) for name in SplitName}, run.checkpoint)
    base, report = _base(run, split, measure_base)
    found: dict[str, Any] = {
        "num_by_choice": _by_choice(split),
        "num_out_of_scope": {name.value: _num_for(split.part(name), "") for name in SplitName},
        "untaught": [one.title for one in gathered.choices if not _num_for(split.train, one.id)],
        "left_out": {}, "leakage": leakage.as_json(), "base": base,
        **power(run.project_id, GAIN_METRIC, _hits(report), report),
    }  # fmt: skip
    said = warnings(manifest | found, "queries", {})
    if found["untaught"]:
        named = ", ".join(found["untaught"][:5])
        said.append(f"{len(found['untaught'])} of {len(gathered.choices)} choices have no training query: {named}.")
    return found | {"warnings": said + _thin(found["num_by_choice"])}


def _by_choice(split: Split[Labelled]) -> list[dict[str, Any]]:
    """For each choice its name and how many queries of each part are for it; out of scope has a count of its own."""
    nums = {name: Counter(example.label for example in split.part(name).examples) for name in SplitName}
    return [
        {"choice": one.title, **{name.value: nums[name][one.id] for name in SplitName}} for one in split.train.corpus
    ]


def _thin(by_choice: list[dict[str, Any]]) -> list[str]:
    """What is to be said of choices that few queries teach, or that none tests."""
    few = [one["choice"] for one in by_choice if 0 < one["train"] < FEW_TRAINING]
    untested = [one["choice"] for one in by_choice if not one["test"]]
    said = []
    if few:
        said.append(
            f"{counted(len(few), 'choice')} with fewer than {FEW_TRAINING} training queries: {_named(few)}. A router learns "
            "from about 10 for each on."
        )
    if untested:
        said.append(
            f"{counted(len(untested), 'choice')} without a test query, so nothing is proved of: {_named(untested)}."
        )
    return said


def _named(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")


def _num_for(part: Part[Labelled], label: str) -> int:
    return sum(example.label == label for example in part.examples)


def _hits(report: "Report | None") -> Any:
    return None if report is None else (report.columns["predicted"] == report.columns["true"]).astype(float)


def _base(run: JobRun, split: Split[Labelled], measure_base: bool) -> tuple[dict[str, Any], "Report | None"]:
    """How the untuned router does, choosing the nearest description; a note where it cannot run."""
    from finetune_core import recipes
    from finetune_core.storage import database, projects

    with database.reading() as connection:
        project = projects.find(connection, project_id=run.project_id)
    model = project.base_model if project else ""
    if not measure_base or not model:
        return {"model": model, "note": "The base model was not measured."}, None
    recipe = recipes.get(ROUTER)
    config = recipe.config(base_model=model)
    run.progress(0.3, f"Measuring {model} before training")
    try:
        system = recipe.systems(config, None, run)["base"]
        test = recipe.evaluate(system, split.test, config, Portion(run, 0.3, 0.7))
        validation = recipe.evaluate(system, split.validation, config, Portion(run, 0.7, 0.95))
    except ProviderError as error:
        run.say(f"The base model could not be measured: {error.message} {error.hint}")
        return {"model": model, "note": f"{error.message} {error.hint}"}, None
    return base_facts(model, recipe.headline, recipe.metrics, validation, test), test
