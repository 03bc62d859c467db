"""Freezing demonstrations of every kind: split by group, looked through for leaks, the base measured where a recipe can."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from finetune_core.errors import DatasetError, ProviderError
from finetune_core.jobs.freezing import base_facts, missing_parts, power, warnings
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.run import JobRun
from finetune_core.records import Part, Split, SplitName
from finetune_core.storage import demonstrations
from finetune_core.storage.demonstrations import GatheredDemonstrations

if TYPE_CHECKING:
    from finetune_core.recipe import Recipe, Report

MAX_MEASURED = 300
"""A language model answers about one question a second here; a larger test part is measured by training and comparing."""

Parts = dict[SplitName, Part[Any]]


@dataclass(frozen=True)
class FreezingDemonstrations:
    """How one kind of demonstration is frozen."""

    RECORD: type[Any]

    def gather(self, connection: Connection, project_id: str, *, include_pending: bool) -> GatheredDemonstrations:
        """The records that count."""
        kind = self.RECORD.__name__
        return demonstrations.gather(connection, project_id, kind, include_pending=include_pending)

    def split(self, gathered: GatheredDemonstrations, seed: int) -> tuple[Parts, str, tuple[str, ...]]:
        """Keep the parts that came with a split of their own; cut the missing ones from the rest, whole groups at a time."""
        from finetune_core.evaluation.splitting import cut_groups

        kept, rule = dict(gathered.examples), "imported"
        if not kept[SplitName.TRAIN]:
            raise DatasetError(
                "There is no accepted example to train on.",
                hint="Import some on the Review page, write some, or accept some.",
            )
        if shares := missing_parts(kept):
            kept |= cut_groups(kept[SplitName.TRAIN], shares, seed)
            rule = "group"
        return {name: Part(name, kept[name]) for name in SplitName}, rule, ()

    def findings(
        self,
        run: JobRun,
        gathered: GatheredDemonstrations,
        split: Split[Any],
        manifest: dict[str, Any],
        left_out: tuple[str, ...],
        *,
        measure_base: bool,
    ) -> dict[str, Any]:
        """What the manifest says beyond counts: leaks, how the untuned model does, and warnings."""
        from finetune_core.evaluation.leakage import query_leakage
        from finetune_core.metrics.ranking import Mean

        run.progress(0.2, "Looking for leaks between the parts")
        parts = {name: split.part(name) for name in SplitName}
        leakage = query_leakage(parts, run.checkpoint, ("input", "inputs"))
        recipe = recipe_for(self.RECORD)
        base, report = _base(run, recipe, split) if measure_base and recipe else (_not_measured(recipe), None)
        metric = recipe.metrics[recipe.headline] if recipe else None
        scores = report.columns[metric.column] if report and isinstance(metric, Mean) else None
        found: dict[str, Any] = {
            "left_out": {}, "leakage": leakage.as_json(), "base": base,
            **power(run.project_id, recipe.headline if recipe else "", scores, report, metric if scores is None else None),
        }  # fmt: skip
        return found | {"warnings": warnings(manifest | found, "examples", {})}


KINDS = tuple(FreezingDemonstrations(record) for record in demonstrations.KINDS.values())


def recipe_for(record: type[Any]) -> "Recipe | None":
    """The first recipe that learns from that kind of record, or None while there is none."""
    from finetune_core import recipes

    return next((recipe for recipe in recipes.discover().values() if recipe.record is record), None)


def _not_measured(recipe: "Recipe | None") -> dict[str, Any]:
    return {
        "model": "",
        "note": "The base model was not measured." if recipe else "No recipe learns from these examples yet.",
    }


def _base(run: JobRun, recipe: "Recipe", split: Split[Any]) -> tuple[dict[str, Any], "Report | None"]:
    """How the recipe's default base model does before any training; a note where it cannot run or would take too long."""
    config = recipe.config()
    model = str(getattr(config, "base_model", ""))
    if (num := max(len(split.test), len(split.validation))) > MAX_MEASURED:
        note = (
            f"The base model was not measured: {num:,} questions would take too long; at most {MAX_MEASURED} are asked."
        )
        return {"model": model, "note": note}, None
    run.progress(0.3, f"Measuring {model} before training")
    try:
        system = recipe.systems(config, None, run)["base"]
        test = recipe.evaluate(system, split.test, config, Portion(run, 0.3, 0.7))
        validation = recipe.evaluate(system, split.validation, config, Portion(run, 0.7, 0.95))
    except ProviderError as error:
        run.say(f"The base model could not be measured: {error.message} {error.hint}")
        return {"model": model, "note": f"{error.message} {error.hint}"}, None
    return base_facts(model, recipe.headline, recipe.metrics, validation, test), test
