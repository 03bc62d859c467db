"""Ayar's defaults against the plain sentence-transformers script on feedbackqa-uk, tuned on its human questions.

    python -m tests.benchmarks.embedding_feedbackqa                       # 3 seeds, about an hour on two quiet cores
    python -m tests.benchmarks.embedding_feedbackqa --seeds 0 --part validation --only ayar --set learning_rate=1e-4

Train questions teach, validation questions choose the step, test questions judge; all 956 passages are searched, title
and text. The plain script is what the documentation of sentence-transformers shows: MultipleNegativesRankingLoss,
no-duplicates batches of 32, learning rate 5e-5, one epoch, 256 tokens, no validation. Runs are interleaved. Time is that
of the whole training, from loading the base model to the saved model, without Ayar's validation, which is shown apart.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune_core import recipes
from finetune_core.evaluation.retrieval import DenseRetriever
from finetune_core.providers.bundled import BUNDLED_EMBEDDER, locate
from finetune_core.providers.embedder import LocalEmbedder
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.records import Corpus, Part, Passage, QueryPassages, Split, SplitName
from finetune_core.workspace.runs import parsed_settings
from tests.conftest import SHARED_DATA
from tests.training_fixtures import RecordedRun

FOLDER = SHARED_DATA / "retrieval" / "feedbackqa-uk" / "norm"
NAMES = {"train": SplitName.TRAIN, "valid": SplitName.VALIDATION, "test": SplitName.TEST}


@dataclass(frozen=True)
class Outcome:
    """One training: where the model lies, and the seconds spent on it and on validating it."""

    folder: Path
    train_seconds: float
    validation_seconds: float
    facts: dict[str, Any]


def feedbackqa() -> Split[QueryPassages]:
    """The dataset as it was split by its authors; every part is searched against all passages."""
    lines = [json.loads(line) for line in (FOLDER / "corpus.jsonl").read_text("utf-8").splitlines()]
    corpus = Corpus(tuple(Passage(row["id"], row["text"], row["uri"], row["title"]) for row in lines))
    parts: dict[SplitName, list[QueryPassages]] = {name: [] for name in SplitName}
    for line in (FOLDER / "queries.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        relevant = dict.fromkeys(row["relevant"], 1)
        example = QueryPassages(row["id"], row["question"], relevant, corpus[row["relevant"][0]].document)
        parts[NAMES[row["split"]]].append(example)
    train, validation, test = (Part(name, tuple(parts[name]), corpus) for name in SplitName)
    return Split(train, validation, test, "feedbackqa-uk")


def plain_script(split: Split[QueryPassages], seed: int, folder: Path) -> Outcome:
    """What the documentation of sentence-transformers shows, with the settings above."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    started = time.perf_counter()
    model = SentenceTransformer(str(locate(BUNDLED_EMBEDDER)))
    pairs = [(e.query, split.train.corpus[p].full_text) for e in split.train.examples for p in e.relevant]
    rows = Dataset.from_dict({"anchor": [pair[0] for pair in pairs], "positive": [pair[1] for pair in pairs]})
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "unused"),
        num_train_epochs=1,
        per_device_train_batch_size=32,
        learning_rate=5e-5,
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        seed=seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    loss = MultipleNegativesRankingLoss(model)
    SentenceTransformerTrainer(model=model, args=arguments, train_dataset=rows, loss=loss).train()
    model.save_pretrained(str(folder / "model"))
    return Outcome(folder / "model", time.perf_counter() - started, 0.0, {})


def ayar(split: Split[QueryPassages], seed: int, folder: Path, settings: dict[str, Any]) -> Outcome:
    """The recipe, its defaults untouched but for `settings`."""
    recipe = recipes.get("embedding")
    started = time.perf_counter()
    model = recipe.train(split, recipe.config(seed=seed, **settings), RecordedRun(folder, seed))
    seconds = time.perf_counter() - started
    validation = model.facts["validation_seconds"] + model.facts["base_seconds"]
    return Outcome(model.folder, seconds - validation, validation, model.facts)


def ndcg(folder: str | Path, part: Part[QueryPassages], cache: Path) -> float:
    """nDCG@10 of a model folder on a part."""
    recipe = recipes.get("embedding")
    system = DenseRetriever("model", CachedEmbedder(LocalEmbedder(folder, max_tokens=256), cache))
    report = recipe.evaluate(system, part, None, RecordedRun(cache))
    return recipe.metrics[recipe.headline](report.columns)


def main() -> None:
    """Run, printing a line for each training and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--part", default="test", choices=["validation", "test"])
    parser.add_argument("--only", default="", choices=["", "ayar", "plain"])
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    split, settings = feedbackqa(), parsed_settings("embedding", options.settings)
    part = split.part(SplitName(options.part))
    rows: dict[str, list[tuple[float, Outcome]]] = {
        name: [] for name in ("ayar", "plain") if options.only in ("", name)
    }
    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(temporary) / "cache"
        if not options.only:
            print(
                f"base   nDCG@10 {ndcg(BUNDLED_EMBEDDER, part, cache):.4f} on {len(part)} {options.part} questions",
                flush=True,
            )
        for seed in options.seeds:
            for name, outcomes in rows.items():
                folder = Path(temporary) / f"{name}-{seed}"
                outcome = ayar(split, seed, folder, settings) if name == "ayar" else plain_script(split, seed, folder)
                value = ndcg(outcome.folder, part, cache)
                outcomes.append((value, outcome))
                print(
                    _line(f"{name:<6} seed {seed}", value, outcome.train_seconds, outcome.validation_seconds),
                    flush=True,
                )
                if outcome.facts:
                    print(
                        f"       best step {outcome.facts['best_step']} of {outcome.facts['total_steps']}, validation "
                        f"{outcome.facts['base_validation']:.4f} -> {outcome.facts['best_validation']:.4f}",
                        flush=True,
                    )
    for name, outcomes in rows.items():
        table = np.array([(value, one.train_seconds, one.validation_seconds) for value, one in outcomes])
        means = table.mean(axis=0).tolist()
        print(_line(f"{name:<6} mean  ", *means))


def _line(name: str, value: float, train: float, validation: float) -> str:
    return f"{name}  nDCG@10 {value:.4f}  training {train:6.0f} s  validation {validation:5.0f} s"


if __name__ == "__main__":
    main()
