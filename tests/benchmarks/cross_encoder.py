"""A reranker against the retriever it reranks, both tuned on the same human questions of feedbackqa-uk.

    python -m tests.benchmarks.cross_encoder --folder /tmp/feedbackqa     # about an hour on two quiet cores

The embedding recipe tunes the retriever, the reranker starts from the tuned weights and learns from what that retriever
takes for right. Everything is chosen on validation questions; test questions judge, against all 956 passages. Lastly the
passages that people graded 0 to 3 (feedbackqa-uk-graded) are put in order by each. What is in `--folder` is used again.
"""

import argparse
import gzip
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from finetune_core import recipes
from finetune_core.metrics.bootstrap import paired_interval
from finetune_core.recipe import Report
from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName
from finetune_core.workspace.runs import parsed_settings
from tests.benchmarks.embedding_feedbackqa import feedbackqa
from tests.conftest import SHARED_DATA
from tests.training_fixtures import RecordedRun

GRADED = SHARED_DATA / "rerank" / "feedbackqa-uk-graded" / "norm" / "groups.jsonl.gz"


class TimedRun(RecordedRun):
    """A run that a person stops after so many minutes, or never; says every tenth step."""

    def __init__(self, folder: Path, minutes: float | None = None) -> None:
        super().__init__(folder)
        self.ends_at = time.monotonic() + 60 * minutes if minutes else None

    def log(self, step: int, **metrics: float) -> None:
        if step % 10 == 0 or "loss" not in metrics:
            print(
                time.strftime("%H:%M:%S"), step, {name: round(value, 4) for name, value in metrics.items()}, flush=True
            )
        if "loss" in metrics and self.ends_at and time.monotonic() > self.ends_at:
            self.stop_at, self.ends_at = step, None
        super().log(step, **metrics)


def tuned(name: str, run: RecordedRun, settings: dict[str, Any], split: Any) -> tuple[Any, Any]:
    """The settings and the model of a recipe, trained into the run's folder unless it is there."""
    recipe = recipes.get(name)
    config = recipe.config(**settings)
    target = run.workdir / "saved"
    if not target.is_dir():
        started = time.perf_counter()
        model = recipe.train(split, config, run)
        print(f"{name}: trained in {time.perf_counter() - started:.0f} s, {model.facts}", flush=True)
        target.mkdir()
        recipe.save(model, target)
    return config, recipe.load(target, run)


def main() -> None:
    """Train what is missing, then print a line for each system and the difference that counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument(
        "--num-test", type=int, default=0, help="only the first questions of the test part; 0 takes all"
    )
    parser.add_argument("--num-train", type=int, default=0, help="a seeded sample of the training part; 0 takes all")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--set-retriever", action="append", default=[])
    parser.add_argument("--stop-retriever", type=int, help="stop and save the retriever at this step")
    parser.add_argument("--minutes", type=float, help="stop and save the reranker after so many minutes")
    options = parser.parse_args()
    split = feedbackqa()
    retriever_run = TimedRun(options.folder / "retriever")
    retriever_run.stop_at = options.stop_retriever
    tuned("embedding", retriever_run, parsed_settings("embedding", options.set_retriever), split)
    run = TimedRun(options.folder / "reranker", options.minutes)
    run.folders["retriever"] = retriever_run.workdir / "saved"
    settings = {"retriever": "model:retriever", "base_model": "model:retriever"}
    few = replace(split, train=sampled(split.train, options.num_train))
    config, model = tuned("cross_encoder", run, settings | parsed_settings("cross_encoder", options.settings), few)
    part = replace(split.test, examples=split.test.examples[: options.num_test or None])
    compared(part, config, model, run)
    graded(config, model, run)


def sampled(part: Part[QueryPassages], num_wanted: int) -> Part[QueryPassages]:
    """So many questions of a part, drawn with a seed; the part itself for 0."""
    order = np.random.default_rng(0).permutation(len(part))[: num_wanted or None]
    return replace(part, examples=tuple(part.examples[index] for index in sorted(order.tolist())))


def compared(part: Part[QueryPassages], config: Any, model: Any, run: RecordedRun) -> None:
    """Score every system on a part and print the table."""
    recipe = recipes.get("cross_encoder")
    reports: dict[str, Report] = {}
    for name, system in recipe.systems(config, model, run).items():
        report = reports[name] = recipe.evaluate(system, part, config, run)
        values = "  ".join(f"{key} {recipe.metrics[key](report.columns):.4f}" for key in ("ndcg@10", "mrr@10", "hit@1"))
        print(f"{name:<14} {values}  {report.facts['latency_ms']:7.1f} ms", flush=True)
    print(difference(reports["base"], reports["tuned"]), flush=True)


def difference(before: Report, after: Report) -> str:
    """nDCG@10 after minus before, with the interval that the product shows."""
    metric = recipes.get("cross_encoder").metrics["ndcg@10"]
    found = paired_interval(before.columns, after.columns, before.groups, metric)
    return f"tuned - base: nDCG@10 {found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}], {found.num_rows} questions"


def graded(config: Any, model: Any, run: RecordedRun) -> None:
    """Each test question with its own three passages, which two people graded each; nDCG with the grades as gains."""
    recipe = recipes.get("cross_encoder")
    with gzip.open(GRADED, "rt", encoding="utf-8") as file:
        groups = [row for row in map(json.loads, file) if row["split"] == "test"]
    systems = recipe.systems(config, model, run)
    values: dict[str, list[float]] = {}
    for row in groups:
        passages = tuple(Passage(one["id"], one["text"], one["id"], one["title"]) for one in row["candidates"])
        halves = {one["id"]: round(2 * one["grade"]) for one in row["candidates"]}  # means of two grades are halves
        example = QueryPassages(row["id"], row["question"], halves, row["id"])
        part = Part(SplitName.TEST, (example,), Corpus(passages))
        for name in ("base", "tuned"):
            report = recipe.evaluate(systems[name], part, config, run)
            values.setdefault(name, []).append(recipe.metrics["ndcg@10"](report.columns))
    before, after = ({"ndcg@10": np.array(values[name])} for name in ("base", "tuned"))
    found = paired_interval(before, after, [row["id"] for row in groups], recipe.metrics["ndcg@10"])
    print(
        f"graded: nDCG {np.nanmean(before['ndcg@10']):.4f} -> {np.nanmean(after['ndcg@10']):.4f}, {found.difference:+.4f} "
        f"[{found.low:+.4f}, {found.high:+.4f}], {found.num_rows} questions with 3 passages",
        flush=True,
    )


if __name__ == "__main__":
    main()
