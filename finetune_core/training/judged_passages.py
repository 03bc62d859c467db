"""What a reranker learns from: questions, each with passages and how right each of them is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from finetune_core.providers.reranker import Reranker
from finetune_core.recipe import Run
from finetune_core.records import Part, QueryPassages
from finetune_core.training.batches import TrainingRow, plan_batches
from finetune_core.training.negatives import barred_positions
from finetune_core.training.reranker_config import RerankerLoss


@dataclass(frozen=True, slots=True)
class JudgedPassages:
    """A question and its passages, right ones first; `labels` has one number for each, 0 to 1 unless a teacher gave them."""

    query: str
    passages: tuple[str, ...]
    labels: tuple[float, ...]
    num_right: int


def judged_passages(
    part: Part[QueryPassages], mined: Mapping[str, Sequence[str]] | None, num_random: int, seed: int, *, one_right: bool
) -> list[JudgedPassages]:
    """A row for each question, or with `one_right` for each right passage, in the order of the examples.

    A grade above 0 is right, its label its share of the highest grade of the part; passages graded 0 join the wrong ones.
    `mined` maps example id to hard negatives, questions without any are left out; None mines none. `num_random` passages
    are drawn besides, never one that is right for the question nor a near-duplicate of one that is.
    """
    text_of = [passage.full_text for passage in part.corpus]
    highest = max((grade for example in part.examples for grade in example.relevant.values()), default=1)
    barred = barred_positions(part, lambda: None) if num_random else [set[int]()] * len(part)
    rows = []
    for number, example in enumerate(part.examples):
        grades = {
            part.corpus.positions[p]: grade for p, grade in example.relevant.items() if p in part.corpus.positions
        }
        right = [position for position, grade in grades.items() if grade > 0]
        if not right or (mined is not None and example.id not in mined):
            continue
        wrong = [part.corpus.positions[passage] for passage in (mined or {}).get(example.id, ())]
        wrong += [position for position, grade in grades.items() if grade <= 0]
        wrong += _drawn(len(text_of), barred[number] | set(wrong) | set(right), num_random, [seed, number])
        for chosen in [[position] for position in right] if one_right else [right]:
            texts = tuple(text_of[position] for position in [*chosen, *wrong])
            labels = tuple(grades[position] / highest for position in chosen) + (0.0,) * len(wrong)
            rows.append(JudgedPassages(example.query, texts, labels, len(chosen)))
    return rows


def _drawn(num_passages: int, barred: set[int], num_wanted: int, seed: list[int]) -> list[int]:
    """Up to `num_wanted` positions outside `barred`; tries a bounded number of times, which only tiny corpora notice."""
    rng = np.random.default_rng(seed)
    tried = dict.fromkeys(rng.integers(num_passages, size=20 * num_wanted).tolist())
    return [position for position in tried if position not in barred][:num_wanted]


def taught(rows: Sequence[JudgedPassages], teacher: Reranker, run: Run) -> list[JudgedPassages]:
    """The rows with the teacher's scores as labels. Scores are cached, so a restart asks for none twice."""
    found = []
    for number, row in enumerate(rows):
        run.progress(0.0, f"Asking the teacher: {number:,} of {len(rows):,} questions")
        scores = teacher.score(row.query, row.passages, run.checkpoint)
        found.append(replace(row, labels=tuple(float(score) for score in scores)))
    return found


def plan_questions(rows: Sequence[JudgedPassages], batch_size: int, num_epochs: int, seed: int) -> list[list[int]]:
    """The rows of every batch of every epoch, decided before the first step.

    No question occurs twice in a batch and no passage is right for one and wrong for another question in it, so that
    losses that take the passages of other questions for wrong ones are never misled.
    """
    right: dict[str, set[str]] = {}
    for row in rows:
        right.setdefault(row.query, set()).update(row.passages[: row.num_right])
    plain = [
        TrainingRow(row.query, row.passages[0], row.passages[row.num_right :], frozenset(right[row.query]))
        for row in rows
    ]
    return plan_batches(plain, batch_size, num_epochs, seed)


class JudgedCollator:
    """Turns features `{"row": index}` into the columns that a loss of sentence-transformers takes, texts as they are."""

    valid_label_columns: tuple[str, ...] = ("label",)  # the trainer asks every collator for it

    def __init__(self, rows: Sequence[JudgedPassages], loss: RerankerLoss) -> None:
        self.rows, self.loss = rows, loss

    def __call__(self, features: Sequence[Mapping[str, int]]) -> dict[str, Any]:
        """The batch as the trainer takes it."""
        import torch

        rows = [self.rows[feature["row"]] for feature in features]
        match self.loss:
            case RerankerLoss.BINARY | RerankerLoss.MSE:
                pairs = [(row.query, passage) for row in rows for passage in row.passages]
                labels = torch.tensor([label for row in rows for label in row.labels])
                return {"query": [pair[0] for pair in pairs], "passage": [pair[1] for pair in pairs], "label": labels}
            case RerankerLoss.LIST_NET | RerankerLoss.LAMBDA:
                return {
                    "query": [row.query for row in rows],
                    "passages": [list(row.passages) for row in rows],
                    "label": [torch.tensor(row.labels) for row in rows],
                }
        width = min(len(row.passages) for row in rows)
        batch: dict[str, Any] = {"query": [row.query for row in rows]}
        for column in range(width):
            batch[f"passage_{column}"] = [row.passages[column] for row in rows]
        if self.loss is RerankerLoss.MARGIN_MSE:
            labels_QN = torch.tensor([row.labels[:width] for row in rows])
            batch["label"] = labels_QN[:, :1] - labels_QN[:, 1:]
        return batch
