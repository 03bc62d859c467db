"""The router's defaults on two intent sets of people's own words, beside what needs no training.

    python -m tests.benchmarks.router                       # a few minutes on two quiet cores
    python -m tests.benchmarks.router --set method=choices  # tunes the embedding model instead: much longer

clinc150-small (Larson et al., 2019): 150 intents, 50 training queries for each, and queries that are for none of them.
snips-7 (Coucke et al., 2018): 7 intents; its second part is used as the test alone, so that C is chosen by
cross-validation. Both are looked for in `../shared/data/router`. Every cache is empty at the start, so the time includes
encoding.
"""

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from finetune_core import recipes
from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Part, Passage, Split, SplitName
from finetune_core.workspace.runs import parsed_settings
from tests.training_fixtures import RecordedRun

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "router"
NAMES = {
    "train": SplitName.TRAIN, "val": SplitName.VALIDATION, "test": SplitName.TEST, "validate": SplitName.TEST,
}  # fmt: skip


def labelled_split(name: str) -> Split[Labelled]:
    """One of the sets as it was split by its authors; the names of its intents are all that describes the choices."""
    path = next(FOLDER.glob(f"{name}/norm/items.jsonl*"))
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in text.decode().splitlines()]
    labels = sorted({row["label"] for row in rows} - {"oos"})
    corpus = Corpus(tuple(Passage(label, label.replace("_", " "), label) for label in labels))
    parts: dict[SplitName, list[Labelled]] = {part: [] for part in SplitName}
    for row in rows:
        label = OUT_OF_SCOPE if row["label"] == "oos" else row["label"]
        parts[NAMES[row["split"]]].append(Labelled(row["id"], row["text"], label, row["id"]))
    train, validation, test = (Part(part, tuple(parts[part]), corpus) for part in SplitName)
    return Split(train, validation, test, name)


def measure(name: str, settings: dict[str, Any]) -> None:
    """Train, score every system and print a table."""
    recipe, split = recipes.get("router"), labelled_split(name)
    num_outside = sum(example.label == OUT_OF_SCOPE for example in split.test.examples)
    with tempfile.TemporaryDirectory() as temporary:
        run = RecordedRun(Path(temporary))
        config = recipe.config(**settings)
        started = time.perf_counter()
        model = recipe.train(split, config, run)
        seconds = time.perf_counter() - started
        print(
            f"\n{name}: {len(split.train):,} training and {len(split.validation):,} validation queries; tested on "
            f"{len(split.test) - num_outside:,} in scope and {num_outside:,} out of scope; training with encoding "
            f"{seconds:.0f} s\n{model.facts}\n\n| | {' | '.join(recipe.metrics)} | ms a query |",
            flush=True,
        )
        for key, system in recipe.systems(config, model, run).items():
            report = recipe.evaluate(system, split.test, config, run)
            values = " | ".join(f"{metric(report.columns):.4f}" for metric in recipe.metrics.values())
            print(f"| {key} | {values} | {report.facts.get('latency_ms', 0):.1f} |", flush=True)


def main() -> None:
    """Both sets, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["snips-7", "clinc150-small"])
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    for name in options.only:
        measure(name, parsed_settings("router", options.settings))


if __name__ == "__main__":
    main()
