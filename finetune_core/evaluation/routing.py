"""Routing: every query gets a score for each choice and the decision whether it belongs to any, and a report of both.

Every router decides by one rule: the choice with the highest score, or "out of scope" if that score is below the
router's threshold. What a score is differs (a cosine similarity, the logit of a classifier), so thresholds do too; each
is chosen on validation by the same rule (see `training.scope`).

Shape suffixes: Q queries, C choices, L choices that a classifier has met, D vector dimensions.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from finetune_core.evaluation.deployment import deployed_bytes
from finetune_core.evaluation.retrieval import Encoder
from finetune_core.metrics import classification
from finetune_core.recipe import Columns, Metric, Report, Run
from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Part, content_id

Floats = NDArray[np.float64]
Checkpoint = Callable[[], None]

HEADLINE = "macro_f1"
NEVER = float("-inf")
"""The threshold of a router that never says "out of scope"."""
NUM_SHOWN = 10
NUM_TIMED = 8

ROUTING_METRICS: dict[str, Metric] = {
    "macro_f1": classification.MacroF1(),
    "accuracy": classification.Accuracy(),
    "in_scope_accuracy": classification.InScopeAccuracy(),
    "out_of_scope_precision": classification.Precision(classification.OUT_OF_SCOPE),
    "out_of_scope_recall": classification.Recall(classification.OUT_OF_SCOPE),
}
"""Every metric of a routing report, as functions of its columns `true`, `predicted` and `top`."""


@dataclass(frozen=True)
class Routes:
    """The scores of each choice for each query (Q, C), in the order of the choices, and the least that is in scope.

    -inf: this choice cannot be chosen; a row of NaN: the query could not be routed. `seconds` is the time it took,
    `facts` what else is worth knowing (tokens, cost), as JSON values.
    """

    scores: Floats
    threshold: float
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def tops(self) -> Floats:
        """The position of the best choice, the first of equal ones; `OUT_OF_SCOPE` if none can be chosen, NaN if not routed."""
        best_Q = self._best
        if not self.scores.shape[1]:
            return np.full(len(self.scores), float(classification.OUT_OF_SCOPE))
        tops_Q = np.where(np.isneginf(best_Q), classification.OUT_OF_SCOPE, self.scores.argmax(axis=1))
        return np.where(np.isnan(best_Q), np.nan, tops_Q)

    @property
    def decisions(self) -> Floats:
        """The position of the chosen choice, or `OUT_OF_SCOPE`; NaN if not routed."""
        return np.where(self._best < self.threshold, classification.OUT_OF_SCOPE, self.tops)

    @property
    def _best(self) -> Floats:
        best_Q: Floats = self.scores.max(axis=1, initial=NEVER)
        return best_Q


class Router(Protocol):
    """Anything that sends queries to choices."""

    @property
    def name(self) -> str:
        """How the report calls it."""

    def route(self, queries: Sequence[str], choices: Corpus, run: Run) -> Routes:
        """Scores and threshold for each query; deterministic for models, ties in the order of the choices."""


@dataclass(frozen=True)
class ConstantRouter:
    """Sends every query to the same choice, or says "out of scope" to all: what any router has to beat."""

    name: str
    label: str

    def route(self, queries: Sequence[str], choices: Corpus, run: Run) -> Routes:
        """Score 1 for its choice; a choice that is not there cannot be chosen."""
        scores_QC = np.full((len(queries), len(choices)), NEVER)
        if self.label in choices.positions:
            scores_QC[:, choices.positions[self.label]] = 1.0
        return Routes(scores_QC, NEVER, 0.0)


@dataclass(frozen=True)
class DescriptionRouter:
    """Sends a query to the choice whose name and description lie nearest to it: cosine similarity of an embedder's vectors.

    This is what an embedding selector does without any training, and what one with a tuned embedder does.
    """

    name: str
    embedder: Encoder
    threshold: float = NEVER

    @property
    def fingerprint(self) -> str:
        """Changes whenever the decisions would."""
        return content_id("descriptions", str(getattr(self.embedder, "fingerprint", "")), repr(self.threshold))

    def route(self, queries: Sequence[str], choices: Corpus, run: Run) -> Routes:
        """The cosine similarity (Q, C) of queries and choices."""
        return _timed(self, queries, choices, run)

    def scores(self, queries: Sequence[str], choices: Corpus, checkpoint: Checkpoint | None = None) -> Floats:
        """The cosine similarity (Q, C) of queries and choices."""
        choices_CD = self.embedder.encode_passages([choice.full_text for choice in choices], checkpoint)
        queries_QD = self.embedder.encode_queries(queries, checkpoint)
        return (queries_QD @ choices_CD.T).astype(np.float64).round(6)


@dataclass(frozen=True)
class HeadRouter:
    """Sends a query to the choice with the highest logit of a linear classifier over an embedder's vectors.

    `labels` are the ids of the C choices that the rows of `weights` (C, D) and `biases` (C,) stand for. A choice that the
    classifier has never met cannot be chosen. Below `threshold` the highest logit means "out of scope" (Hendrycks et al.,
    Scaling Out-of-Distribution Detection for Real-World Settings, 2022: the maximum logit).
    """

    name: str
    embedder: Encoder
    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    threshold: float = NEVER

    def route(self, queries: Sequence[str], choices: Corpus, run: Run) -> Routes:
        """The logits (Q, C) of the choices asked about."""
        return _timed(self, queries, choices, run)

    def scores(self, queries: Sequence[str], choices: Corpus, checkpoint: Checkpoint | None = None) -> Floats:
        """The logits (Q, C) of the choices asked about."""
        queries_QD = self.embedder.encode_queries(queries, checkpoint).astype(np.float64)
        logits_QL = (queries_QD @ self.weights.T.astype(np.float64) + self.biases).round(6)
        scores_QC = np.full((len(queries), len(choices)), NEVER)
        for column, label in enumerate(self.labels):
            if label in choices.positions:
                scores_QC[:, choices.positions[label]] = logits_QL[:, column]
        return scores_QC


@dataclass(frozen=True, slots=True)
class RankedChoice:
    """A choice with the score a router gives it."""

    id: str
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class RoutingAnswer:
    """What a router makes of one query: the choices with a score, best first, and what it decides.

    `decision` is the id of the best choice, or `OUT_OF_SCOPE` ("") where its score is below `threshold`; `threshold` is
    None for a router that never says so. `score_kind` tells what a score is: "similarity" (-1 to 1), "logit" (any number)
    or "choice" (1 for the one named). `seconds` is the time it took, `cost_usd` what it cost, None where that is unknown.
    """

    ranked: tuple[RankedChoice, ...]
    decision: str
    threshold: float | None
    score_kind: str
    seconds: float
    cost_usd: float | None = None

    @property
    def is_out_of_scope(self) -> bool:
        """Whether none of the choices is for this query."""
        return self.decision == OUT_OF_SCOPE


def answer_routing(router: Router, query: str, choices: Corpus, run: Run) -> RoutingAnswer:
    """Route one query; `ranked` holds every choice that can be chosen and is empty if the query could not be routed."""
    routes = router.route([query], choices, run)
    scores_C, decision = routes.scores[0], routes.decisions[0]
    ranked = tuple(
        RankedChoice(choices.passages[position].id, choices.passages[position].title, float(scores_C[position]))
        for position in _order(scores_C)
    )
    is_choice = decision >= 0  # neither out of scope nor NaN
    return RoutingAnswer(
        ranked=ranked,
        decision=choices.passages[int(decision)].id if is_choice else OUT_OF_SCOPE,
        threshold=routes.threshold if np.isfinite(routes.threshold) else None,
        score_kind={DescriptionRouter: "similarity", HeadRouter: "logit"}.get(type(router), "choice"),
        seconds=routes.seconds,
        cost_usd=routes.facts.get("cost_usd"),
    )


def evaluate_routing(router: Router, part: Part[Labelled], run: Run) -> Report:
    """One row per query of `part`, its choices being the part's corpus.

    Columns: `true`, `predicted` and `top` as `metrics.classification` has them, the classes being positions in the corpus;
    `true` is NaN for a label that no choice has. Details per query: `ids` and `scores` of the first 10 choices that can
    be chosen, `decision` (a choice's id, "" for out of scope, null if not routed), and `rank`: 1 where the decision is
    right, else the rank of the right choice behind it, null if it has none. Facts: `num_searched` (choices),
    `num_out_of_scope` (queries labelled so), `threshold`, `seconds` (with encoding), `latency_ms` (one query at a time,
    encoding included), `deployed_bytes`, and what the router adds, such as `cost_usd_per_query`.
    """
    labels = [example.label for example in part.examples]
    routes = router.route([example.query for example in part.examples], part.corpus, run)
    facts = {
        "num_searched": len(part.corpus),
        "num_out_of_scope": labels.count(OUT_OF_SCOPE),
        "threshold": routes.threshold if np.isfinite(routes.threshold) else None,
        "seconds": routes.seconds,
        "latency_ms": _latency_ms(router, part, run),
        "deployed_bytes": deployed_bytes(router),
    }
    return Report(
        system=router.name,
        ids=tuple(example.id for example in part.examples),
        groups=tuple(example.group for example in part.examples),
        columns=routing_columns(routes, labels, part.corpus),
        details=tuple(
            _detail(scores_C, decision, label, part.corpus)
            for scores_C, decision, label in zip(routes.scores, routes.decisions, labels, strict=True)
        ),
        facts={
            key: value for key, value in {**facts, **routes.facts}.items() if value is not None or key == "threshold"
        },
    )


def routing_columns(routes: Routes, labels: Sequence[str], choices: Corpus) -> Columns:
    """The columns of a report (each (Q,)) for queries with these labels."""
    positions = {
        **{key: float(at) for key, at in choices.positions.items()},
        OUT_OF_SCOPE: float(classification.OUT_OF_SCOPE),
    }
    true_Q = np.array([positions.get(label, np.nan) for label in labels], dtype=np.float64)
    return {"true": true_Q, "predicted": routes.decisions, "top": routes.tops}


def class_summary(columns: Columns, choices: Corpus) -> dict[str, Any]:
    """Per-class figures and the confusion matrix of a report, as plain JSON, from its columns alone.

    `classes`: for each choice, then "out of scope" (id ""), `id`, `name`, `num_true`, `num_predicted`, `recall` and
    `precision` (null where there is nothing to count). `matrix[i][j]`: how often class i was predicted as class j.
    `confused`: the wrong cells that are not empty, `{true, predicted, num}` by position, most frequent first.
    """
    matrix_CC = classification.confusion(columns, len(choices))
    true_C, predicted_C, right_C = matrix_CC.sum(axis=1), matrix_CC.sum(axis=0), matrix_CC.diagonal()
    names = [(choice.id, choice.title or choice.id) for choice in choices] + [(OUT_OF_SCOPE, "")]
    wrong_CC = matrix_CC - np.diag(right_C)
    cells = sorted(np.argwhere(wrong_CC > 0).tolist(), key=lambda cell: (-wrong_CC[cell[0], cell[1]], cell))
    return {
        "classes": [
            {
                "id": key,
                "name": name,
                "num_true": int(num_true),
                "num_predicted": int(num_predicted),
                "recall": int(right) / int(num_true) if num_true else None,
                "precision": int(right) / int(num_predicted) if num_predicted else None,
            }
            for (key, name), num_true, num_predicted, right in zip(names, true_C, predicted_C, right_C, strict=True)
        ],
        "matrix": matrix_CC.tolist(),
        "confused": [
            {"true": true, "predicted": predicted, "num": int(wrong_CC[true, predicted])} for true, predicted in cells
        ],
    }


def _timed(router: DescriptionRouter | HeadRouter, queries: Sequence[str], choices: Corpus, run: Run) -> Routes:
    run.progress(0.0, f"{router.name}: encoding {len(queries):,} queries")
    started = time.perf_counter()
    scores_QC = router.scores(queries, choices, run.checkpoint)
    return Routes(scores_QC, router.threshold, time.perf_counter() - started)


def _order(scores_C: Floats) -> list[int]:
    """Positions of the choices that can be chosen, best first, ties in order."""
    return [int(position) for position in np.argsort(-scores_C, kind="stable") if np.isfinite(scores_C[position])]


def _detail(scores_C: Floats, decision: float, label: str, choices: Corpus) -> dict[str, Any]:
    order = _order(scores_C)
    ids = [choices.passages[position].id for position in order]
    decided = None if np.isnan(decision) else OUT_OF_SCOPE if decision < 0 else choices.passages[int(decision)].id
    listed = [OUT_OF_SCOPE, *ids] if decided == OUT_OF_SCOPE else ids
    return {
        "ids": ids[:NUM_SHOWN],
        "scores": [float(scores_C[position]) for position in order[:NUM_SHOWN]],
        "decision": decided,
        "rank": listed.index(label) + 1 if decided is not None and label in listed else None,
    }


@dataclass
class _OneAtATime:
    """An embedder that reads queries past its cache and remembers the choices, to time what a person would wait for."""

    embedder: Any
    _choices: Any = None

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Any:
        return getattr(self.embedder, "embedder", self.embedder).encode_queries(texts, checkpoint)

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Any:
        if self._choices is None:
            self._choices = self.embedder.encode_passages(texts, checkpoint)
        return self._choices


def _latency_ms(router: Router, part: Part[Labelled], run: Run) -> float | None:
    """The median time of a few queries, one at a time, models warm; None for a router without an embedder."""
    if not isinstance(router, DescriptionRouter | HeadRouter) or not len(part):
        return None
    timed = replace(router, embedder=_OneAtATime(router.embedder))
    queries = [example.query for example in part.examples[:NUM_TIMED]]
    timed.route(queries[:1], part.corpus, run)
    return 1000 * float(np.median([timed.route([query], part.corpus, run).seconds for query in queries]))
