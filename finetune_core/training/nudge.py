"""Moving the vectors of passages towards their training questions, without a model.

Zeighami, Wellmer and Parameswaran, NUDGE: Lightweight Non-Parametric Fine-Tuning of Embeddings for Retrieval, 2024. Each
passage goes in the direction of the sum of its questions' vectors, all by the same largest distance, which is chosen on
validation. Passages that no training question is about stay where they are.

Shape suffixes: K passages that are moved, P passages, Q questions, D vector dimensions.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_core.errors import DatasetError, StopRequested
from finetune_core.providers.embedder import Vectors
from finetune_core.providers.portable_adapter import text_key
from finetune_core.recipe import Run
from finetune_core.training import checkpoints, session
from finetune_core.training.adapter_config import AdapterConfig, NudgeNorm
from finetune_core.training.adapter_data import TrainingVectors, ValidationVectors
from finetune_core.training.selection import Selection
from finetune_core.training.validation import pool_ndcg

DISTANCES = tuple(round(0.03 * step, 2) for step in range(1, 41))
"""The distances tried, in order; 1.2 turns a unit vector by 74 degrees."""


def moved_passages(passages_KD: Vectors, towards_KD: Vectors, distance: float, norm: NudgeNorm) -> Vectors:
    """Each passage moved by at most `distance` so that its dot product with its row of `towards_KD` is the largest.

    NUDGE-M adds `distance` in the direction of the row, whatever length results. NUDGE-N stays on the unit sphere: it
    turns the passage towards the row as far as the distance allows, never beyond it. A row of zeros moves nothing.
    """
    lengths_K1 = np.linalg.norm(towards_KD, axis=1, keepdims=True)
    direction_KD = towards_KD / np.maximum(lengths_K1, 1e-12)
    if norm is NudgeNorm.NUDGE_M:
        return np.asarray(passages_KD + distance * direction_KD, np.float32)
    cosine_K1 = np.clip((passages_KD * direction_KD).sum(axis=1, keepdims=True), -1.0, 1.0)
    aside_KD = direction_KD - cosine_K1 * passages_KD
    aside_KD /= np.maximum(np.linalg.norm(aside_KD, axis=1, keepdims=True), 1e-12)
    allowed = np.arccos(np.clip(1 - distance**2 / 2, -1.0, 1.0))  # the angle whose chord is `distance`
    angle_K1 = np.minimum(allowed, np.arccos(cosine_K1)) * (lengths_K1 > 0)
    return np.asarray(np.cos(angle_K1) * passages_KD + np.sin(angle_K1) * aside_KD, np.float32)


def nudge(
    vectors: TrainingVectors, validation: ValidationVectors, config: AdapterConfig, run: Run, folder: Path
) -> tuple[Path, dict[str, Any]]:
    """Try every distance, keep the best on validation; the folder with the moved vectors, and facts.

    A step is a distance: step 0 moves nothing. A run that is stopped keeps the best of those tried. Raises DatasetError
    without validation questions.
    """
    if not validation.pool.queries:
        raise DatasetError(
            "The dataset has no validation question, so no distance can be chosen.",
            hint="Freeze a version with a validation part, or choose another adapter.",
        )
    started = time.monotonic()
    towards_PD = np.zeros_like(vectors.passages)
    for query_D, right in zip(vectors.queries, vectors.right, strict=True):
        towards_PD[list(right)] += query_D
    place = {text: position for position, text in enumerate(vectors.passage_texts)}
    rows = [(row, place[text]) for row, text in enumerate(validation.pool.passages) if text in place]
    pool_rows, own_rows = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [])
    selection, is_stopped = Selection(), False
    run.remember(total_steps=len(DISTANCES))
    for step, distance in enumerate((0.0, *DISTANCES)):
        moved_PD = moved_passages(vectors.passages, towards_PD, distance, config.nudge_norm)
        passages_PD = validation.passages.copy()
        passages_PD[pool_rows] = moved_PD[own_rows]
        value = pool_ndcg(validation.queries, passages_PD, validation.pool)
        selection.take(step, value)
        try:
            if step:
                run.log(step, distance=distance, **{session.VALIDATION_METRIC: value})
            run.progress(step / len(DISTANCES), f"Distance {distance:g}")
        except StopRequested:
            is_stopped = True
            break
    distance = (0.0, *DISTANCES)[selection.best_step]
    moved_PD = moved_passages(vectors.passages, towards_PD, distance, config.nudge_norm)
    best = folder / f"best-{selection.best_step}"
    checkpoints.keep_only(folder, set())
    checkpoints.write_whole(best, lambda part: _write(part, vectors.passage_texts, moved_PD))
    return best, {
        "best_step": selection.best_step,
        "best_validation": selection.best_value,
        "last_step": selection.last_step,
        "total_steps": len(DISTANCES),
        "train_seconds": time.monotonic() - started,
        "stopped": is_stopped,
        "distance": distance,
        "num_moved": len(vectors.passage_texts),
    }


def _write(folder: Path, texts: tuple[str, ...], moved_KD: Vectors) -> None:
    from safetensors.numpy import save_file

    keys = np.frombuffer(b"".join(map(text_key, texts)), np.uint8).reshape(-1, 16)
    tensors: dict[str, NDArray[Any]] = {"document.keys": keys, "document.vectors": np.ascontiguousarray(moved_KD)}
    save_file(tensors, folder / "adapter.safetensors")
