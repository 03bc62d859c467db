"""How far the bundled model gets on Spider's development databases: parsed, run and right queries of base and tuned.

    python -m tests.benchmarks.text_to_sql                      # at most an hour on two quiet cores
    python -m tests.benchmarks.text_to_sql --set base_model=FOLDER --set epochs=3

spider-dev (Yu et al., 2018) with its SQLite databases is looked for in `../shared/data/text2sql`. Tuned on its fold `train`,
two databases of which choose the step, and scored on its fold `eval`: no database is in two of them. The questions are a
seeded sample, balanced over the databases. What was learned and answered lies in the folder `--work`, so that a run that
was ended goes on where it stood.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from finetune_core import recipes
from finetune_core.metrics.bootstrap import paired_interval, value_interval
from finetune_core.recipe import Report
from finetune_core.records import Part, Split, SplitName, SqlQuestion
from finetune_core.workspace.runs import parsed_settings
from tests.training_fixtures import RecordedRun

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "text2sql" / "spider-dev"
VALIDATION = ("museum_visit", "employee_hire_evaluation")
SHOWN = ("right_sql", "exact_match", "runs", "parses")


def spider_split(num_train: int, num_validation: int, num_test: int, seed: int = 0) -> Split[SqlQuestion]:
    """At most so many questions of each part, as many from each database as there are."""
    found: dict[SplitName, dict[str, list[SqlQuestion]]] = {name: defaultdict(list) for name in SplitName}
    for line in (FOLDER / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        name, path = row["db_id"], FOLDER / "database" / row["db_id"]
        question = SqlQuestion(
            row["id"], row["question"], path.with_suffix(".schema.sql").read_text(encoding="utf-8"), row["gold_sql"][0],
            name, f"sqlite:///{path.with_suffix('.sqlite')}",
        )  # fmt: skip
        fold = SplitName.TEST if row["fold"] == "eval" else SplitName.TRAIN
        found[SplitName.VALIDATION if name in VALIDATION else fold][name].append(question)
    wanted = {SplitName.TRAIN: num_train, SplitName.VALIDATION: num_validation, SplitName.TEST: num_test}
    train, validation, test = (Part(name, _balanced(found[name], wanted[name], seed)) for name in SplitName)
    return Split(train, validation, test, f"spider-dev-{num_train}-{num_validation}-{num_test}-{seed}")


def _balanced(by_database: dict[str, list[SqlQuestion]], num: int, seed: int) -> tuple[SqlQuestion, ...]:
    """One question of each database after the other, until there are `num`, or no more."""
    draw = np.random.default_rng(seed)
    queues = [[questions[at] for at in draw.permutation(len(questions))] for questions in by_database.values()]
    chosen: list[SqlQuestion] = []
    while any(queues) and len(chosen) < num:
        chosen += [queue.pop() for queue in queues if queue]
    return tuple(chosen[:num])


def print_table(reports: dict[str, Report]) -> None:
    """The rates of each system with their intervals, and what tuning gained."""
    recipe = recipes.get("text_to_sql")
    print(f"\n| | {' | '.join(SHOWN)} |\n|---|{'---|' * len(SHOWN)}")
    for name, report in reports.items():
        cells = []
        for metric in SHOWN:
            found = value_interval(report.columns, report.groups, recipe.metrics[metric])
            cells.append(f"{found.difference:.3f} [{found.low:.3f}, {found.high:.3f}]")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    for metric in SHOWN:
        base, tuned = reports["base"], reports["tuned"]
        gain = paired_interval(base.columns, tuned.columns, base.groups, recipe.metrics[metric])
        print(f"{metric}: tuned - base {gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}], n = {gain.num_rows}")


def main() -> None:
    """Tune, answer, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--train", type=int, default=240)
    parser.add_argument("--validation", type=int, default=16)
    parser.add_argument("--test", type=int, default=332)
    parser.add_argument("--work", type=Path, default=Path(".ayar") / "benchmarks" / "text_to_sql")
    arguments = parser.parse_args()
    recipe = recipes.get("text_to_sql")
    chosen = {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "evaluations": 3,
        "max_tokens": 1536,
        "max_answer_tokens": 96,
    }
    config = recipe.config(**chosen | parsed_settings("text_to_sql", arguments.settings))
    split = spider_split(arguments.train, arguments.validation, arguments.test)
    run = RecordedRun(arguments.work, seed=config.seed)
    print(
        f"{len(split.train)} questions to learn from, {len(split.validation)} to choose by, {len(split.test)} to be tested on, "
        f"over {len({each.group for each in split.train.examples})}, {len({each.group for each in split.validation.examples})} "
        f"and {len({each.group for each in split.test.examples})} databases; {config}",
        flush=True,
    )
    started = time.perf_counter()
    model = recipe.train(split, config, run)
    print(f"tuned in {time.perf_counter() - started:.0f} s: {model.facts}\n{run.metrics}", flush=True)
    reports = {}
    for name, system in recipe.systems(config, model, run).items():
        started = time.perf_counter()
        reports[name] = recipe.evaluate(system, split.test, config, run)
        print(f"{name}: {time.perf_counter() - started:.0f} s, {reports[name].facts}", flush=True)
    print_table(reports)
    for detail in reports["tuned"].details[:12]:
        print(json.dumps(detail, ensure_ascii=False))


if __name__ == "__main__":
    main()
