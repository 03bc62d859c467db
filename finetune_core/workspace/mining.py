"""Hard negatives before a run: the search for candidates, what a margin leaves of them, and pairs that look mislabelled."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from finetune_core.corpus.near_duplicates import shingles
from finetune_core.records import Part, QueryPassages
from finetune_core.storage import database, datasets, mined, reviews
from finetune_core.storage import pairs as rows
from finetune_core.storage.pairs import PairState
from finetune_core.training.embedding_config import EmbeddingConfig
from finetune_core.training.negatives import Candidates
from finetune_core.training.reranker_config import RerankerConfig
from finetune_core.workspace import jobs, runs
from finetune_core.workspace.datasets import get as dataset_version

FILTER = "hard negatives"
"""What Review says set a pair aside that was sent there from here."""
ALIKE = 0.5
"""Share of three-word runs in common from which a wrong passage looks like a copy of the right one."""
NEAR_SHARE = 0.9
"""Only candidates that score at least this share of the right passage are looked at for likeness."""


@dataclass(frozen=True)
class MinedCounts:
    """What a margin leaves of the mined candidates; a question counts as `num_usable` with enough of them."""

    num_questions: int
    num_usable: int
    num_candidates: int
    num_kept: int
    margins: dict[float, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoredPassage:
    """A passage's text with its heading, and its cosine similarity to the question."""

    text: str
    score: float


@dataclass(frozen=True)
class MinedQuestion:
    """A question, its lowest-scored right passage, and wrong passages, best first.

    `alike` (0 to 1) is the share of three-word runs that the first wrong passage has in common with the right one.
    """

    pair_id: str
    query: str
    right: ScoredPassage
    wrong: tuple[ScoredPassage, ...]
    alike: float = 0.0


def mine(project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any]) -> str:
    """Queue the search for candidates and return its job's id; it needs no margin yet. Raises what `runs.launch` raises."""
    row = dataset_version(project_id, dataset_id)
    checked = _checked(project_id, recipe, config)
    key = _path(project_id, row.id, checked).stem
    params = {"dataset_id": row.id, "recipe": recipe, "config": checked.model_dump(mode="json")}
    title = f"Hard negatives for {row.name}"
    return jobs.submit(project_id, "mine", params, title=title, unique_key=f"mine-{project_id}-{key}")


def counts(project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any]) -> MinedCounts | None:
    """What the margin and number in `config` leave of the mined candidates, in milliseconds; None before `mine` is done.

    `margins` gives the usable questions for margins from 0 to 0.5, for a curve beside the slider.
    """
    checked, candidates, _ = _mined(project_id, dataset_id, recipe, config)
    if candidates is None:
        return None
    wanted = max(1, checked.hard_negatives)

    def usable(margin: float) -> int:
        return int((candidates.kept(margin).sum(axis=1) >= wanted).sum())

    return MinedCounts(
        num_questions=len(candidates.right_scores),
        num_usable=usable(checked.margin),
        num_candidates=int((candidates.positions >= 0).sum()),
        num_kept=int(candidates.kept(checked.margin).sum()),
        margins={step / 20: usable(step / 20) for step in range(11)},
    )


def sample(
    project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any], num: int = 5
) -> tuple[MinedQuestion, ...]:
    """Up to `num` questions, always the same ones, with the negatives that the margin leaves them; () before `mine`."""
    checked, candidates, dataset = _mined(project_id, dataset_id, recipe, config)
    if candidates is None:
        return ()
    kept_QK = candidates.kept(checked.margin)
    wanted = max(1, checked.hard_negatives)
    usable = np.flatnonzero(kept_QK.sum(axis=1) >= wanted)
    chosen = np.sort(np.random.default_rng(0).permutation(usable)[:num]).tolist()
    part = _train_part(project_id, dataset)
    return tuple(_question(part, candidates, row, np.flatnonzero(kept_QK[row])[:wanted].tolist()) for row in chosen)


def suspicious(
    project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any], num: int = 20
) -> tuple[MinedQuestion, ...]:
    """Up to `num` questions whose best wrong passage beats the right one or nearly repeats it, worst first.

    Either the pair is mislabelled, or the "wrong" passage answers as well. The margin plays no part. () before `mine`.
    """
    _, candidates, dataset = _mined(project_id, dataset_id, recipe, config)
    return () if candidates is None else _suspicious(project_id, dataset, candidates, num)


def send_to_review(project_id: str, questions: Sequence[MinedQuestion]) -> int:
    """Set the pairs of these questions aside for Review, with what was found; return how many are there and changed.

    One undo takes all of it back. The frozen version stays as it is.
    """
    found = {one.pair_id: one for one in questions}
    with database.writing() as connection:
        known = rows.existing_ids(connection, project_id, list(found))
        num = reviews.change_all(
            connection, reviews.PAIRS, project_id, rows.among(project_id, sorted(known)), PairState.ASIDE
        )
        rows.explain_aside(connection, project_id, FILTER, {key: _outcome(found[key]) for key in known})
    return num


def _outcome(one: MinedQuestion) -> dict[str, Any]:
    best = one.wrong[0]
    beats = f"another passage scores {best.score:.2f}, the right one {one.right.score:.2f}"
    detail = beats if best.score >= one.right.score else f"another passage repeats {one.alike:.0%} of the right one"
    return {"passed": False, "score": best.score - one.right.score, "detail": f"{detail}: {best.text[:200]}"}


def _suspicious(project_id: str, dataset_id: str, candidates: Candidates, num: int) -> tuple[MinedQuestion, ...]:
    best_Q = np.where(candidates.positions[:, 0] >= 0, candidates.scores[:, 0], -np.inf)
    lead_Q = best_Q - np.nan_to_num(candidates.right_scores, nan=np.inf)
    near = np.flatnonzero(best_Q >= NEAR_SHARE * np.nan_to_num(candidates.right_scores, nan=np.inf))
    part = _train_part(project_id, dataset_id)
    found: list[MinedQuestion] = []
    for row in near[np.argsort(-lead_Q[near], kind="stable")].tolist():
        one = _question(part, candidates, row, [0])
        if one.wrong[0].score >= one.right.score or one.alike >= ALIKE:
            found.append(one)
        if len(found) == num:
            break
    return tuple(found)


def _question(part: Part[QueryPassages], candidates: Candidates, row: int, columns: Sequence[int]) -> MinedQuestion:
    example, corpus = part.examples[row], part.corpus
    right = next((corpus[key].full_text for key in example.relevant if key in corpus.positions), "")
    wrong = tuple(
        ScoredPassage(
            corpus.passages[candidates.positions[row, column]].full_text, float(candidates.scores[row, column])
        )
        for column in columns
    )
    own, other = shingles(right), shingles(wrong[0].text)
    alike = len(own & other) / len(own) if own else 0.0
    return MinedQuestion(
        example.id, example.query, ScoredPassage(right, float(candidates.right_scores[row])), wrong, alike
    )


def _mined(
    project_id: str, dataset_id: str, recipe: str, config: Mapping[str, Any]
) -> tuple[EmbeddingConfig | RerankerConfig, Candidates | None, str]:
    row = dataset_version(project_id, dataset_id)
    checked = _checked(project_id, recipe, config)
    path = _path(project_id, row.id, checked)
    return checked, _candidates(path) if path.is_file() else None, row.id


def _checked(project_id: str, recipe: str, config: Mapping[str, Any]) -> EmbeddingConfig | RerankerConfig:
    return cast(EmbeddingConfig | RerankerConfig, runs.checked_config(project_id, recipe, config))


def _path(project_id: str, dataset_id: str, config: EmbeddingConfig | RerankerConfig) -> Path:
    return mined.path(project_id, dataset_id, *config.mined_with)


@functools.lru_cache(maxsize=4)
def _candidates(path: Path) -> Candidates:
    return Candidates.load(path)  # a file of that name is written once and never changes


@functools.lru_cache(maxsize=2)
def _train_part(project_id: str, dataset_id: str) -> Part[QueryPassages]:
    return datasets.load_split(project_id, dataset_id).train
