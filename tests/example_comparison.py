"""A project with a frozen dataset version and tuned models, small enough to check by hand and without any real model.

The "embedder" places a text by how often it says alpha, beta and gamma; a tuned model weighs those words.
"""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from finetune_core import recipes
from finetune_core.evaluation import retrieval
from finetune_core.recipe import Recipe
from finetune_core.records import Corpus, Part, Passage, QueryPassages, Split, SplitName
from finetune_core.storage import artefacts, database, datasets, models
from finetune_core.storage.datasets import DatasetRow
from finetune_core.storage.models import ModelRow
from finetune_core.workspace import projects

WORDS = ("alpha", "beta", "gamma", "delta")


@dataclass(frozen=True)
class WordEmbedder:
    """Counts of the words, weighed, at unit length."""

    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)

    @property
    def fingerprint(self) -> str:
        return f"words-{self.weights}"

    def encode_queries(self, texts, checkpoint=None):
        counts = np.array([[text.count(word) for word in WORDS] for text in texts], np.float32).reshape(-1, len(WORDS))
        vectors = counts * np.array(self.weights, np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    encode_passages = encode_queries


class NoChoices(BaseModel):
    """A recipe without settings."""


def systems(config, model, run):
    found = {
        "bm25": retrieval.Bm25Retriever(),
        "base": retrieval.DenseRetriever("base", WordEmbedder()),
    }
    return found if model is None else {**found, "tuned": retrieval.DenseRetriever("tuned", model)}


def load(path: Path, run) -> WordEmbedder:
    return WordEmbedder(tuple(json.loads((path / "weights.json").read_text())))


def not_here(*_, **__):
    raise AssertionError("a comparison has no use for this")


RECIPE = Recipe(
    name="words",
    title="Words",
    summary="Weighs words.",
    source="none",
    record=QueryPassages,
    config=NoChoices,
    headline=retrieval.HEADLINE,
    metrics=retrieval.RETRIEVAL_METRICS,
    train=not_here,
    systems=systems,
    evaluate=lambda system, part, config, run: retrieval.evaluate_retrieval(system, part, run),
    answer=not_here,
    save=not_here,
    load=load,
    exports={},
)


@pytest.fixture
def words_recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The only recipe there is."""
    monkeypatch.setattr(recipes, "get", lambda name: RECIPE)
    return RECIPE


def corpus() -> Corpus:
    """Three passages of each of 15 documents; the text of the n-th says its words in one of several proportions."""
    passages = []
    for number, counts in enumerate(itertools.islice(itertools.product(range(4), repeat=4), 1, 46)):
        text = " ".join(f"{word} " * count for word, count in zip(WORDS, counts, strict=True))
        passages.append(
            Passage(f"p{number}", " ".join(text.split()), document=f"doc{number // 3}", title=f"Part {number}")
        )
    return Corpus(tuple(passages))


def example(searched: Corpus, number: int, prefix: str = "q") -> QueryPassages:
    """A question on passage `number` that says delta twice too often: what weighs delta less does better."""
    passage = searched.passages[number]
    return QueryPassages(f"{prefix}{number}", f"{passage.text} delta delta", {passage.id: 1}, group=passage.document)


def split() -> Split[QueryPassages]:
    """36 test questions of 12 documents, the other 9 passages for learning; all 45 passages are searched."""
    searched = corpus()
    parts = {
        SplitName.TEST: range(36),
        SplitName.TRAIN: range(36, 42),
        SplitName.VALIDATION: range(42, 45),
    }
    made = {
        name: Part(name, tuple(example(searched, number) for number in numbers), searched)
        for name, numbers in parts.items()
    }
    return Split(made[SplitName.TRAIN], made[SplitName.VALIDATION], made[SplitName.TEST], "f" * 16)


def add_dataset(project_id: str, whole: Split[QueryPassages] | None = None, name: str = "v1", **facts) -> str:
    """Freeze `whole` as `name`; returns its id."""
    whole = whole or split()
    identity = datasets.fingerprint({part.name: part for part in (whole.train, whole.validation, whole.test)})
    manifest = {
        "name": name,
        "hash": identity,
        "num_train": 6,
        "num_validation": 3,
        "num_test": len(whole.test),
        **facts,
    }
    with artefacts.publish(datasets.folder(project_id, identity), manifest) as folder:
        manifest["corpora"] = datasets.write_split(folder, whole)
    with database.writing() as connection:
        datasets.add(connection, project_id, DatasetRow(identity, name, manifest, database.now()))
    return identity


def add_model(
    project_id: str,
    dataset_id: str,
    name: str,
    weights: tuple[float, ...],
    run_id: str,
    *,
    recipe: str = "words",
    config: dict | None = None,
) -> str:
    """A tuned model as a run would have left it; returns its id."""
    manifest = {"recipe": recipe, "config": config or {}}
    with artefacts.publish(models.folder(project_id, f"m-{run_id}"), manifest) as folder:
        (folder / "weights.json").write_text(json.dumps(weights))
    row = ModelRow(f"m-{run_id}", project_id, run_id, recipe, dataset_id, name, manifest, 1)
    with database.writing() as connection:
        models.add(connection, row)
    return row.id


def foreign_split() -> Split[QueryPassages]:
    """40 test questions on other documents, which say alpha too often: what plays delta down does worse there."""
    texts = []
    for number, counts in enumerate(itertools.islice(itertools.product(range(3), repeat=4), 1, 81, 2)):
        words = " ".join(f"{word} " * count for word, count in zip(WORDS, counts, strict=True))
        texts.append(Passage(f"f{number}", f"Chapter {number}. {' '.join(words.split())}", f"far{number // 2}"))
    searched = Corpus(tuple(texts))
    asked = tuple(
        QueryPassages(f"g{number}", f"{passage.text} alpha alpha", {passage.id: 1}, passage.document)
        for number, passage in enumerate(texts)
    )
    empty = Part(SplitName.TRAIN, (), searched)
    return Split(empty, Part(SplitName.VALIDATION, (), searched), Part(SplitName.TEST, asked, searched), "g" * 16)


@dataclass(frozen=True)
class Example:
    """The ids of an example project."""

    project_id: str
    dataset_id: str
    good: str
    bad: str


@pytest.fixture
def compared(words_recipe: Recipe) -> Example:
    """A project with a dataset and two tuned models: run-good plays the superfluous word down, run-bad up."""
    project_id = projects.create("Library").id
    dataset_id = add_dataset(project_id, num_never_reviewed=7)
    good = add_model(project_id, dataset_id, "careful", (1.0, 1.0, 1.0, 0.5), "run-good")
    bad = add_model(project_id, dataset_id, "careless", (1.0, 1.0, 1.0, 2.0), "run-bad")
    return Example(project_id, dataset_id, good, bad)
