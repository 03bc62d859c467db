"""Hard negatives: passages that the base model ranks high for a question and that do not answer it.

The rule by which a margin is applied is "TopK-PercPos" (Moreira et al., NV-Retriever: Improving text embedding models
with effective hard-negative mining, 2024): a candidate must score below (1 - margin) times the right passage, because
passages that score nearly as high as the right one are often right as well.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune_core.corpus.near_duplicates import find_alike
from finetune_core.errors import TrainingError
from finetune_core.evaluation.retrieval import search
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Run
from finetune_core.records import Part, QueryPassages

NUM_CANDIDATES = 50
CANDIDATES_FILE = "candidates.safetensors"
"""In a run's folder: what was mined for it, or what an earlier search with the same settings left there for it."""


@dataclass(frozen=True)
class Candidates:
    """The wrong passages the base model ranks highest for each training question, whatever the margin.

    `positions` (Q, K) are positions in the corpus, best first, -1 where there are fewer than K; `scores` (Q, K) their
    cosine similarities; `right_scores` (Q,) that of the lowest-scored right passage, NaN without one. Q is the number
    of training questions, in the order of the examples. `embedder` is the fingerprint of the model that searched.
    """

    positions: NDArray[np.int32]
    scores: NDArray[np.float32]
    right_scores: NDArray[np.float32]
    embedder: str = ""

    def kept(self, margin: float) -> NDArray[np.bool_]:
        """Which candidates (Q, K) lie far enough below the right passage."""
        right_Q = np.nan_to_num(self.right_scores, nan=-np.inf)
        limit_Q1 = (right_Q - np.float32(margin) * np.abs(right_Q))[:, None]
        kept: NDArray[np.bool_] = (self.positions >= 0) & (self.scores <= limit_Q1)
        return kept

    def chosen(self, part: Part[QueryPassages], num_wanted: int, margin: float) -> dict[str, list[str]]:
        """For each question that has `num_wanted` kept candidates: example id to the ids of the highest-scored."""
        kept_QK = self.kept(margin)
        chosen = {}
        for row, example in enumerate(part.examples):
            positions = self.positions[row][kept_QK[row]][:num_wanted]
            if len(positions) == num_wanted:
                chosen[example.id] = [part.corpus.passages[position].id for position in positions]
        return chosen

    def save(self, path: Path) -> None:
        """Write a safetensors file, whole or not at all."""
        from safetensors.numpy import save_file

        temporary = path.with_suffix(".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"positions": self.positions, "scores": self.scores, "right_scores": self.right_scores}
        save_file(tensors, temporary, {"embedder": self.embedder})
        temporary.rename(path)

    @classmethod
    def load(cls, path: Path) -> "Candidates":
        """Read what `save` wrote."""
        from safetensors import safe_open

        with safe_open(path, "numpy") as file:
            positions, scores, right = (file.get_tensor(name) for name in ("positions", "scores", "right_scores"))
            return cls(positions, scores, right, (file.metadata() or {}).get("embedder", ""))


def mine(
    part: Part[QueryPassages],
    embedder: Embedder,
    checkpoint: Callable[[], None],
    num_candidates: int = NUM_CANDIDATES,
) -> Candidates:
    """Search every question of `part` against its whole corpus; never a right passage nor a near-duplicate of one."""
    passages = part.corpus.passages
    passages_PD = embedder.encode_passages([passage.full_text for passage in passages], checkpoint)
    queries_QD = embedder.encode_queries([example.query for example in part.examples], checkpoint)
    barred = barred_positions(part, checkpoint)
    depth = num_candidates + max((len(own) for own in barred), default=0)
    positions_QK = np.full((len(part), num_candidates), -1, np.int32)
    scores_QK = np.zeros((len(part), num_candidates), np.float32)
    right_scores_Q = np.full(len(part), np.nan, np.float32)
    found = search(queries_QD, passages_PD, depth, checkpoint) if len(part) and passages else []
    for row, (positions, scores) in enumerate(found):
        own = [part.corpus.positions[p] for p in part.examples[row].relevant if p in part.corpus.positions]
        if own:
            right_scores_Q[row] = float((passages_PD[own] @ queries_QD[row]).min())
        free = ~np.isin(positions, list(barred[row]))
        num_found = min(int(free.sum()), num_candidates)
        positions_QK[row, :num_found] = positions[free][:num_found]
        scores_QK[row, :num_found] = scores[free][:num_found]
    return Candidates(positions_QK, scores_QK, right_scores_Q, embedder.fingerprint)


def chosen_once(
    part: Part[QueryPassages], open_embedder: Callable[[], Embedder], num_wanted: int, margin: float, run: Run
) -> dict[str, list[str]]:
    """Example id to ids of `num_wanted` hard negatives, chosen once for a run and kept in its folder.

    Raises TrainingError if the margin leaves fewer than 2 questions with so many.
    """
    path = run.workdir / "negatives.json"
    if not path.is_file():
        found = _candidates_once(part, open_embedder(), run).chosen(part, num_wanted, margin)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(found), encoding="utf-8")
        partial.rename(path)
    mined: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    if len(mined) < 2:
        raise TrainingError(
            f"With a margin of {margin:g}, {len(mined)} question(s) have {num_wanted} hard negative(s).",
            hint="Choose a smaller margin or fewer hard negatives.",
        )
    return mined


def _candidates_once(part: Part[QueryPassages], embedder: Embedder, run: Run) -> Candidates:
    """Those that lie in the run's folder, if the same model searched for as many questions; else mined and put there."""
    path = run.workdir / CANDIDATES_FILE
    if path.is_file():
        known = Candidates.load(path)
        if known.embedder == embedder.fingerprint and len(known.positions) == len(part):
            return known
    run.progress(0.0, "Mining hard negatives")
    found = mine(part, embedder, run.checkpoint)
    found.save(path)
    return found


def barred_positions(part: Part[QueryPassages], checkpoint: Callable[[], None]) -> list[set[int]]:
    """For each question: positions of the passages right for it or for a twin of it, their copies and near-copies."""
    own_of = [
        {part.corpus.positions[p] for p in example.relevant if p in part.corpus.positions} for example in part.examples
    ]
    texts = [passage.full_text for passage in part.corpus]
    alike = find_alike(texts, set[int]().union(*own_of), checkpoint=checkpoint)
    right_of: dict[str, set[int]] = {}
    for example, own in zip(part.examples, own_of, strict=True):
        right_of.setdefault(example.query, set()).update(own, *(alike[position] for position in own))
    return [right_of[example.query] for example in part.examples]
