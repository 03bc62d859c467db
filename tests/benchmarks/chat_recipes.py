"""How far the bundled chat model gets on public data: base against tuned, the median of several trainings.

    python -m tests.benchmarks.chat_recipes restaurants8k        # 46 minutes of one core
    python -m tests.benchmarks.chat_recipes bfcl                 # 95 minutes of one core beside other work
    python -m tests.benchmarks.chat_recipes feedbackqa
    python -m tests.benchmarks.chat_recipes pandalm
    python -m tests.benchmarks.chat_recipes spider
    python -m tests.benchmarks.chat_recipes spider --set base_model=FOLDER --train 2000 --test 332     # a larger model

Each training draws its own examples and starts from its own numbers; all are tested on the same ones. What was learned and
answered lies in the folder `--work`, so that a run that was ended goes on where it stood. The times do not count the tuned
model held to a grammar.
"""

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_core import recipes
from finetune_core.metrics.bootstrap import paired_interval, value_interval
from finetune_core.recipe import Recipe, Report
from finetune_core.records import Split
from finetune_core.workspace.runs import parsed_settings
from tests.benchmarks.chat_data import TASKS, Size
from tests.training_fixtures import RecordedRun

COMMON = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "evaluations": 2}


@dataclass(frozen=True)
class Benchmark:
    """What is measured on one set of data: how much of it, how, and which metrics are printed, the first decides."""

    size: Size
    num_trainings: int
    shown: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


BENCHMARKS = {
    "restaurants8k": Benchmark(
        Size(192, 16, 100), 3, ("field_f1", "exact_match", "schema_valid", "right_function"), {"max_tokens": 512}
    ),
    "bfcl": Benchmark(
        Size(64, 8, 80), 3, ("right_function", "schema_valid", "field_f1", "right_refusal"), {"max_tokens": 512}
    ),
    "feedbackqa": Benchmark(
        Size(128, 8, 160), 1, ("weighted_kappa", "mean_absolute_error", "bias", "spearman", "answered"),
        {"max_tokens": 512},
    ),
    "pandalm": Benchmark(
        Size(80, 8, 100), 1, ("agreement", "kappa", "coverage", "flip_rate"), {"max_tokens": 512}
    ),
    "spider": Benchmark(
        Size(160, 8, 120), 1, ("right_sql", "exact_match", "runs", "parses"),
        {"max_tokens": 1536, "max_answer_tokens": 96},
    ),
}  # fmt: skip


def measured(recipe: Recipe, name: str, split: Split[Any], config: Any, model: Any, run: RecordedRun) -> Report:
    """The report of one system, with how long it took."""
    started = time.perf_counter()
    report = recipe.evaluate(recipe.systems(config, model, run)[name], split.test, config, run)
    print(f"{name}: {time.perf_counter() - started:.0f} s for {len(split.test)} examples", flush=True)
    return report


def row(recipe: Recipe, shown: tuple[str, ...], name: str, report: Report) -> str:
    """A line of the table: each metric with its interval."""
    cells = []
    for metric in shown:
        found = value_interval(report.columns, report.groups, recipe.metrics[metric])
        cells.append(f"{found.difference:.3f} [{found.low:.3f}, {found.high:.3f}]")
    return f"| {name} | {' | '.join(cells)} |"


def print_gains(recipe: Recipe, shown: tuple[str, ...], base: Report, tuned: list[Report]) -> None:
    """What tuning gained by each metric, of all trainings; the training in the middle is the one that counts."""
    for metric in shown:
        gains = [paired_interval(base.columns, report.columns, base.groups, recipe.metrics[metric]) for report in tuned]
        middle = sorted(gains, key=lambda gain: gain.difference)[len(gains) // 2]
        each = ", ".join(f"{gain.difference:+.3f}" for gain in gains)
        print(
            f"{metric}: {middle.difference:+.3f} [{middle.low:+.3f}, {middle.high:+.3f}], "
            f"n = {middle.num_rows} (trainings: {each})",
            flush=True,
        )


def main() -> None:
    """Measure the base, tune and measure as often as asked, print."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(BENCHMARKS))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    for name in (*Size._fields, "trainings"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--work", type=Path, default=Path(".ayar") / "benchmarks" / "chat_recipes")
    arguments = parser.parse_args()
    chosen = BENCHMARKS[arguments.task]
    asked = {name: getattr(arguments, name) for name in Size._fields if getattr(arguments, name) is not None}
    size, num_trainings = chosen.size._replace(**asked), arguments.trainings or chosen.num_trainings
    recipe_name, read = TASKS[arguments.task]
    recipe = recipes.get(recipe_name)
    config = recipe.config(**COMMON | chosen.settings | parsed_settings(recipe_name, arguments.settings))
    splits = [read(size, seed) for seed in range(num_trainings)]
    counts = [(len(part), len({one.group for one in part.examples})) for part in
              (splits[0].train, splits[0].validation, splits[0].test)]  # fmt: skip
    print(
        f"{arguments.task}: (examples, groups) {counts} to learn from, to choose by, to be tested on\n{config}",
        flush=True,
    )
    work = arguments.work / f"{arguments.task}-{'-'.join(map(str, size))}"
    run = RecordedRun(work / "untuned")
    others = [name for name in recipe.systems(config, None, run) if name != "base"]
    untuned = {name: measured(recipe, name, splits[0], config, None, run) for name in ["base", *others]}
    tuned = [
        tuned_reports(recipe, split, config.model_copy(update={"seed": seed}), work / f"training-{seed}")
        for seed, split in enumerate(splits)
    ]
    print(f"\n| | {' | '.join(chosen.shown)} |\n|---|{'---|' * len(chosen.shown)}")
    rows = untuned | {f"{name}, {seed}": report for seed, each in enumerate(tuned) for name, report in each.items()}
    print("\n".join(row(recipe, chosen.shown, name, report) for name, report in rows.items()))
    for name in tuned[0]:  # "tuned" against "base", "tuned with grammar" against "base with grammar"
        before = name.replace("tuned", "base")
        print(f"{name} - {before}")
        print_gains(recipe, chosen.shown, untuned[before], [each[name] for each in tuned])
    for said in tuned[0]["tuned"].details[:8]:
        print(json.dumps(said, ensure_ascii=False)[:400])
    print(f"{time.perf_counter() - started:.0f} s in all")


def tuned_reports(recipe: Recipe, split: Split[Any], config: Any, folder: Path) -> dict[str, Report]:
    """Tune with the seed of `config`, and measure the tuned model in each way it can be asked."""
    run, started = RecordedRun(folder, seed=config.seed), time.perf_counter()
    model = recipe.train(split, config, run)
    losses = run.metrics.get("validation_loss")
    print(f"training {config.seed}: {time.perf_counter() - started:.0f} s, {losses}, {model.facts}", flush=True)
    names = [name for name in recipe.systems(config, model, run) if name.startswith("tuned")]
    return {name: measured(recipe, name, split, config, model, run) for name in names}


if __name__ == "__main__":
    main()
