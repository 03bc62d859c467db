"""Tuning a router: a classifier over frozen vectors, or the embedding of queries and choices.

Nothing is drawn by lot but the folds of a split without validation queries, and those come from the seed. What was
finished before a restart is read back from the run's folder, so that a killed run ends where an undisturbed one does.

Shape suffixes: N training queries, Q queries held out, D vector dimensions, C choices.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import DatasetError, StopRequested
from finetune_core.evaluation.retrieval import Encoder
from finetune_core.evaluation.routing import (
    HEADLINE,
    NEVER,
    ROUTING_METRICS,
    DescriptionRouter,
    HeadRouter,
    Router,
    Routes,
    routing_columns,
)
from finetune_core.recipe import Run
from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Part, QueryPassages, Split
from finetune_core.training import checkpoints
from finetune_core.training.contrastive import train_embedder
from finetune_core.training.embedding_config import EmbeddingConfig
from finetune_core.training.logistic import fit_logistic
from finetune_core.training.routing_config import RoutingConfig
from finetune_core.training.scope import choose_threshold

Vectors = NDArray[np.float32]
T = TypeVar("T")

NUM_FOLDS = 5
VALIDATION_METRIC = f"validation_{HEADLINE}"


@dataclass(frozen=True)
class TrainedRouter:
    """The outcome.

    `labels`, `weights` (C, D) and `biases` (C,) are those of a classifier, or `folder` holds the tuned embedding model;
    the other is empty. `threshold` and `base_threshold` are those of the tuned and of the untuned router, by one rule on
    the same queries. `majority` is the most frequent label of the training queries.
    """

    threshold: float
    base_threshold: float
    majority: str
    labels: tuple[str, ...] = ()
    weights: Vectors = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    biases: Vectors = field(default_factory=lambda: np.zeros(0, np.float32))
    folder: Path | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _HeldOut:
    """Queries that the threshold is chosen on; the first `num_judged` are what the validation figure is measured on.

    They are the validation queries, then the training queries labelled out of scope, from which nothing is learned. In a
    split without validation queries they are all training queries, and a classifier meets each in the fold that leaves it
    out.
    """

    examples: tuple[Labelled, ...]
    num_judged: int
    choices: Corpus
    is_validation: bool

    def judge(self, routes: Routes, kept_share: float) -> tuple[float, float]:
        """(threshold, macro-F1 with it) of these scores."""
        labels = [example.label for example in self.examples]
        threshold = choose_threshold(routes, routing_columns(routes, labels, self.choices)["true"], kept_share)
        judged = Routes(routes.scores[: self.num_judged], threshold, 0.0)
        columns = routing_columns(judged, labels[: self.num_judged], self.choices)
        return threshold, ROUTING_METRICS[HEADLINE](columns)


def train_head(split: Split[Labelled], embedder: Encoder, config: RoutingConfig, run: Run) -> TrainedRouter:
    """Fit a classifier for each strength and keep the one with the best macro-F1 on the queries held out.

    Every text is encoded once. Stopped, it keeps the best so far. Raises DatasetError for fewer than 2 choices with
    training queries, StopRequested if there is nothing to keep yet, and lets JobCancelled through.
    """
    held = _held_out(split)
    taught = _taught(split)
    run.progress(0.0, f"Encoding {len(split.train) + len(split.validation):,} queries")
    vectors_ND = embedder.encode_queries([example.query for example in split.train.examples], run.checkpoint)
    base_threshold, base_value = _judge_base(held, DescriptionRouter("base", embedder), config, run)
    run.remember(total_steps=len(config.strengths), base_validation=base_value)
    steps = _Steps(split.train, vectors_ND, held, taught, embedder, config, run)
    is_stopped = False
    try:
        for number, strength in enumerate(config.strengths, start=1):
            steps.take(number, strength)
    except StopRequested:
        is_stopped = True
        if not steps.found:
            raise
    best = max(steps.found, key=lambda step: (step.validation, -step.number))
    facts = {
        "best_step": best.number, "best_validation": best.validation, "last_step": len(steps.found),
        "total_steps": len(config.strengths), "strength": best.strength, "stopped": is_stopped,
        "train_seconds": sum(step.seconds for step in steps.found), "base_validation": base_value,
    }  # fmt: skip
    facts |= _facts(split, held, taught, best.threshold)
    run.remember(**facts)
    weights, biases = steps.weights(best)
    return TrainedRouter(best.threshold, base_threshold, _majority(split.train), taught, weights, biases, facts=facts)


def train_choices(
    split: Split[Labelled], base: Encoder, settings: EmbeddingConfig, open_tuned: Callable[[Path], Encoder],
    config: RoutingConfig, run: Run,
) -> TrainedRouter:  # fmt: skip
    """Tune the embedding model so that a query lies nearest to the name and description of its choice.

    In the manner of LlamaIndex's guide to tuning a router: pairs of query and choice, the other choices of the batch
    being wrong (see `training.contrastive`). `settings` name the model `base` stands for; `open_tuned` opens the tuned
    one. Queries out of scope teach nothing; they help to choose the threshold. Raises as `train_head` does.
    """
    held = _held_out(split)
    taught = _taught(split)
    base_threshold, base_value = _judge_base(held, DescriptionRouter("base", base), config, run)
    trained = train_embedder(_as_pairs(split), settings, run)
    tuned = DescriptionRouter("tuned", open_tuned(trained.folder))
    # On queries it learned from, a model is surer than on others: without validation neither router has a threshold.
    if not held.is_validation:
        facts = {**trained.facts, **_facts(split, held, taught, NEVER), "base_validation": None, "held_out": "none"}
        return TrainedRouter(NEVER, NEVER, _majority(split.train), folder=trained.folder, facts=facts)
    routes = _undisturbed(lambda: tuned.route([example.query for example in held.examples], split.train.corpus, run))
    threshold, value = held.judge(routes, config.kept_in_scope)
    facts = {**trained.facts, "ndcg": trained.facts["best_validation"], **_facts(split, held, taught, threshold)}
    facts |= {"base_validation": base_value, "best_validation": value}
    _undisturbed(lambda: run.log(trained.facts["best_step"], **{VALIDATION_METRIC: value}))
    run.remember(base_validation=base_value, best_validation=value)
    return TrainedRouter(threshold, base_threshold, _majority(split.train), folder=trained.folder, facts=facts)


@dataclass(frozen=True)
class _Step:
    """A strength that was tried; the classifier itself lies in the run's folder."""

    number: int
    strength: float
    validation: float
    threshold: float
    loss: float
    seconds: float


class _Steps:
    """Tries one strength after the other, and finds again what an earlier attempt tried."""

    def __init__(
        self, train: Part[Labelled], vectors_ND: Vectors, held: _HeldOut, taught: tuple[str, ...], embedder: Encoder,
        config: RoutingConfig, run: Run,
    ) -> None:  # fmt: skip
        self._run, self._config, self._held, self._taught, self._embedder = run, config, held, taught, embedder
        inside = [row for row, example in enumerate(train.examples) if example.label != OUT_OF_SCOPE]
        self._inside = [row for row in inside if train.examples[row].label in taught]
        place = {label: number for number, label in enumerate(taught)}
        self._classes = np.array([place[train.examples[row].label] for row in self._inside], np.int64)
        self._vectors_ND = vectors_ND
        self._folds_N = _folds(train, run.seed)
        self._folder = run.workdir / "training"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.found: list[_Step] = []

    def take(self, number: int, strength: float) -> None:
        """Fit, judge, write, then say so; only read what is there already."""
        from safetensors.numpy import save_file

        folder = self._folder / f"strength-{number}"
        if folder.is_dir():
            self.found.append(_Step(**json.loads((folder / "step.json").read_text(encoding="utf-8"))))
            return
        share = (number - 1) / len(self._config.strengths)
        self._run.progress(share, f"Fitting with C = {strength:g}, {number} of {len(self._config.strengths)}")
        started = time.monotonic()
        fitted = self._fit(np.array(self._inside), self._classes, strength)
        weights, biases = fitted.weights.astype(np.float32), fitted.biases.astype(np.float32)
        threshold, value = self._held.judge(self._route(weights, biases, strength), self._config.kept_in_scope)
        step = _Step(number, strength, value, threshold, fitted.loss, time.monotonic() - started)

        def write(part: Path) -> None:
            save_file({"weights": weights, "biases": biases}, part / "head.safetensors")
            (part / "step.json").write_text(json.dumps(asdict(step)), encoding="utf-8")

        checkpoints.write_whole(folder, write)
        self.found.append(step)
        best = max(self.found, key=lambda each: (each.validation, -each.number))
        self._run.remember(best_step=best.number, best_validation=best.validation)
        self._run.log(number, loss=step.loss, strength=strength, **{VALIDATION_METRIC: value})

    def weights(self, step: _Step) -> tuple[Vectors, Vectors]:
        """The classifier of a step that was taken."""
        from safetensors.numpy import load_file

        tensors = load_file(self._folder / f"strength-{step.number}" / "head.safetensors")
        return tensors["weights"], tensors["biases"]

    def _fit(self, rows: NDArray[np.int64], classes: NDArray[np.int64], strength: float) -> Any:
        return fit_logistic(self._vectors_ND[rows], classes, len(self._taught), strength, self._run.checkpoint)

    def _route(self, weights: Vectors, biases: Vectors, strength: float) -> Routes:
        """The scores of the queries held out, by a classifier that has learned from none of them."""
        queries = [example.query for example in self._held.examples]
        head = HeadRouter("tuned", self._embedder, self._taught, weights, biases)
        if self._held.is_validation:
            return head.route(queries, self._held.choices, self._run)
        scores = np.full((len(queries), len(self._held.choices)), NEVER)
        inside = np.array(self._inside)
        for fold in range(NUM_FOLDS):
            learned = self._folds_N[inside] != fold
            left_out = np.flatnonzero(self._folds_N == fold)
            if learned.all() or not learned.any():
                continue
            fitted = self._fit(inside[learned], self._classes[learned], strength)
            of_fold = replace(head, weights=fitted.weights.astype(np.float32), biases=fitted.biases.astype(np.float32))
            scores[left_out] = of_fold.route([queries[row] for row in left_out], self._held.choices, self._run).scores
        return Routes(scores, NEVER, 0.0)


def _held_out(split: Split[Labelled]) -> _HeldOut:
    if not len(split.validation):
        return _HeldOut(split.train.examples, len(split.train), split.train.corpus, is_validation=False)
    strangers = tuple(example for example in split.train.examples if example.label == OUT_OF_SCOPE)
    examples = (*split.validation.examples, *strangers)
    return _HeldOut(examples, len(split.validation), split.train.corpus, is_validation=True)


def _taught(split: Split[Labelled]) -> tuple[str, ...]:
    """The choices that training queries belong to, in order. Raises DatasetError for fewer than 2."""
    met = {example.label for example in split.train.examples}
    taught = tuple(choice.id for choice in split.train.corpus if choice.id in met)
    if len(taught) < 2:
        raise DatasetError(
            f"A router needs training queries for at least 2 choices; this dataset has them for {len(taught)}.",
            hint="Add queries for a second choice, then freeze a new version.",
        )
    return taught


def _judge_base(held: _HeldOut, base: Router, config: RoutingConfig, run: Run) -> tuple[float, float]:
    """(threshold, macro-F1) of the untuned router on the queries held out."""
    routes = base.route([example.query for example in held.examples], held.choices, run)
    threshold, value = held.judge(routes, config.kept_in_scope)
    run.log(0, **{VALIDATION_METRIC: value})
    return threshold, value


def _folds(train: Part[Labelled], seed: int) -> NDArray[np.int64]:
    """A fold for each training query (N,): wordings of one seed question together, each choice spread over all folds."""
    rng = np.random.default_rng([seed, 2])
    label_of = {example.group: example.label for example in reversed(train.examples)}
    groups_of: dict[str, list[str]] = {}
    for group, label in label_of.items():
        groups_of.setdefault(label, []).append(group)
    fold_of: dict[str, int] = {}
    for label in sorted(groups_of):
        groups = sorted(groups_of[label])
        for place, number in enumerate(rng.permutation(len(groups)).tolist()):
            fold_of[groups[number]] = place % NUM_FOLDS
    return np.array([fold_of[example.group] for example in train.examples], np.int64)


def _majority(train: Part[Labelled]) -> str:
    counts = Counter(example.label for example in train.examples)
    return max([choice.id for choice in train.corpus] + [OUT_OF_SCOPE], key=lambda label: counts[label])


def _facts(split: Split[Labelled], held: _HeldOut, taught: Sequence[str], threshold: float) -> dict[str, Any]:
    num_outside = sum(example.label == OUT_OF_SCOPE for example in held.examples)
    return {
        "num_rows": len(split.train),
        "num_choices": len(split.train.corpus),
        "num_untaught": len(split.train.corpus) - len(taught),
        "threshold": None if threshold == NEVER else threshold,
        "num_held_out": len(held.examples),
        "num_held_out_of_scope": num_outside,
        "held_out": "validation" if held.is_validation else "cross-validation",
    }


def _as_pairs(split: Split[Labelled]) -> Split[QueryPassages]:
    """Queries and the choice each belongs to, as questions and passages."""

    def pairs(part: Part[Labelled]) -> Part[QueryPassages]:
        inside = (example for example in part.examples if example.label in part.corpus.positions)
        examples = (QueryPassages(each.id, each.query, {each.label: 1}, each.group) for each in inside)
        return Part(part.name, tuple(examples), part.corpus)

    return Split(pairs(split.train), pairs(split.validation), pairs(split.test), split.fingerprint)


def _undisturbed(work: Callable[[], T]) -> T:
    """Do what is left when the training is over: a stop that comes now has nothing more to stop."""
    try:
        return work()
    except StopRequested:
        return work()
