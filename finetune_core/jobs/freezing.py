"""What freezing says of every kind of example: what its test set can show, measured on the base, and the warnings."""

import math
from collections.abc import Mapping
from typing import Any

from finetune_core.recipe import Metric, Report, measured
from finetune_core.records import SplitName

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
FEW_TEST = 50


def missing_parts(kept: dict[SplitName, Any]) -> dict[SplitName, float]:
    """The shares of the parts that no file brought, training taking the rest; {} where every part came with examples."""
    shares = {SplitName.VALIDATION: VALIDATION_SHARE, SplitName.TEST: TEST_SHARE}
    missing = {name: share for name, share in shares.items() if not kept[name]}
    return {SplitName.TRAIN: 1 - sum(missing.values()), **missing} if missing else {}


def base_facts(
    model: str, headline: str, metrics: Mapping[str, Metric], validation: Report, test: Report
) -> dict[str, Any]:
    """What the base reaches before any training: the headline on validation, every metric on the test part.

    A metric that is not defined there is None: manifests are JSON, which has no NaN.
    """
    values = {name: float(metric(test.columns)) for name, metric in measured(metrics, test.columns).items()}
    chosen = float(metrics[headline](validation.columns)) if validation.ids else math.nan
    return {
        "model": model,
        "metric": headline,
        "validation": chosen if math.isfinite(chosen) else None,
        "test": {name: value if math.isfinite(value) else None for name, value in values.items()},
    }


def power(
    project_id: str, metric: str, scores: Any, test: Report | None, whole: Metric | None = None
) -> dict[str, Any]:
    """The smallest gain in `metric` the test set can show, and what that assumes.

    `scores` (N,) is the base's value of that metric for each test example; None where the base was not measured, and for a
    metric that single examples have no value of: then `whole` is that metric.
    """
    from finetune_core.metrics.bootstrap import (
        ASSUMED_SPREAD,
        smallest_detectable_gain,
        smallest_detectable_gain_of,
    )
    from finetune_core.storage import comparisons, database

    if test is None:
        return {"smallest_detectable_gain": None, "gain_metric": metric, "gain_assumes": ""}
    with database.reading() as connection:
        seen = comparisons.spreads(connection, project_id)
    spread = max(seen, default=ASSUMED_SPREAD)
    if seen:
        models = "one tuned model" if len(seen) == 1 else f"the most changed of {len(seen)} tuned models"
        said = f"This assumes that a run changes single questions as much as {models} of this project did."
    else:
        said = (
            f"This assumes that a run changes the scores of single questions {spread:g} times as much as they differ among "
            "themselves; nobody knows before the first comparison. A run that changes little shows smaller gains."
        )
    gain = (
        smallest_detectable_gain_of(whole, test.columns, test.groups, spread=spread)
        if whole is not None
        else smallest_detectable_gain(scores, test.groups, spread=spread)
    )
    return {"smallest_detectable_gain": gain, "gain_metric": metric, "gain_assumes": said}


def warnings(manifest: dict[str, Any], noun: str, left_out: dict[str, str]) -> list[str]:
    """What a person should know before training on this version; `left_out` says in words why examples were left out."""
    said = []
    if manifest["split_rule"] == "section":
        said.append(
            "There are fewer than 10 documents, so train, validation and test are sections of the same documents; "
            "results say less about documents never seen."
        )
    if manifest["leakage"]["is_leaking"]:
        said += [line for line in manifest["leakage"]["sentences"] if line.endswith("that is leakage.")]
    if manifest["num_never_reviewed"]:
        total = sum(manifest[f"num_{name}"] for name in SplitName)
        said.append(f"{manifest['num_never_reviewed']:,} of {total:,} {noun} were never reviewed.")
    if manifest["num_test"] < FEW_TEST:
        said.append(f"The test set has only {manifest['num_test']} questions: only large differences will show.")
    said += [f"{num:,} {noun} were left out: they {left_out[why]}." for why, num in manifest["left_out"].items() if num]
    return said
