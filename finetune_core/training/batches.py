"""Which rows learn together: every other passage of a batch serves a question as a wrong answer, so none may be right."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetune_core.records import Part, QueryPassages

ROWS_PER_PASSAGE = 8  # questions that learn from one reading of their passage


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One question with one passage that answers it, and passages that do not.

    Texts are whole (heading and prefix included). `right` holds the texts of all passages known to answer the question,
    wherever in the data: none of them may stand in a batch with it as anything but its own `positive`.
    """

    query: str
    positive: str
    negatives: tuple[str, ...]
    right: frozenset[str]


def training_rows(
    part: Part[QueryPassages],
    query_prefix: str = "",
    passage_prefix: str = "",
    negatives: Mapping[str, Sequence[str]] | None = None,
) -> list[TrainingRow]:
    """One row for each question and relevant passage that is in the corpus, in the order of the examples.

    `negatives` maps example id to ids of wrong passages; rows keep as many as the poorest of the mapped questions has,
    because a batch needs the same number of texts in every row. Questions without any are left out of the mapping and
    so out of the rows.
    """
    text_of = {passage.id: passage_prefix + passage.full_text for passage in part.corpus}
    right_of: dict[str, set[str]] = {}
    for example in part.examples:
        texts = (text_of[passage] for passage in example.relevant if passage in text_of)
        right_of.setdefault(example.query, set()).update(texts)
    width = min((len(ids) for ids in negatives.values()), default=0) if negatives else 0
    rows = []
    for example in part.examples:
        if negatives is not None and example.id not in negatives:
            continue
        wrong = tuple(text_of[passage] for passage in (negatives or {}).get(example.id, ())[:width])
        right = frozenset(right_of[example.query])
        for passage in example.relevant:
            if passage in text_of:
                rows.append(TrainingRow(query_prefix + example.query, text_of[passage], wrong, right))
    return rows


def plan_batches(
    rows: Sequence[TrainingRow], batch_size: int, num_epochs: int, seed: int, rows_per_passage: int = 1
) -> list[list[int]]:
    """The rows of every batch of every epoch, decided before the first step, so that a restart finds the same plan.

    A batch has up to `batch_size` right passages, each with up to `rows_per_passage` rows that share it. Within a batch
    no question occurs twice and no passage is right for a question that it is not paired with. What does not fit waits
    for the next batch. A batch of one passage without negatives teaches nothing and is left out.
    """
    plan: list[list[int]] = []
    for epoch in range(num_epochs):
        rng = np.random.default_rng([seed, epoch])
        order = deque(_groups(rows, rng, rows_per_passage))
        while order:
            batch = _next_batch(rows, order, batch_size)
            if len({rows[index].positive for index in batch}) > 1 or rows[batch[0]].negatives:
                plan.append(batch)
    return plan


def _groups(rows: Sequence[TrainingRow], rng: np.random.Generator, size: int) -> list[list[int]]:
    """Rows that share a passage, in groups of up to `size`, everything in random order; no group asks a thing twice."""
    by_passage: dict[str, list[list[int]]] = {}
    for index in rng.permutation(len(rows)).tolist():
        groups = by_passage.setdefault(rows[index].positive, [])
        is_new = not groups or len(groups[-1]) == size
        if is_new or any(rows[other].query == rows[index].query for other in groups[-1]):
            groups.append([index])
        else:
            groups[-1].append(index)
    found = [group for groups in by_passage.values() for group in groups]
    return [found[number] for number in rng.permutation(len(found)).tolist()]


def _next_batch(rows: Sequence[TrainingRow], order: deque[list[int]], batch_size: int) -> list[int]:
    batch: list[int] = []
    waiting: list[list[int]] = []
    queries: set[str] = set()
    passages: set[str] = set()
    right: set[str] = set()
    num_groups = 0
    while order and num_groups < batch_size:
        group = order.popleft()
        asked = {rows[index].query for index in group}
        own = {text for index in group for text in (rows[index].positive, *rows[index].negatives)}
        answers = {text for index in group for text in rows[index].right}
        if not (queries.isdisjoint(asked) and right.isdisjoint(own) and passages.isdisjoint(answers)):
            waiting.append(group)
            continue
        num_groups += 1
        batch += group
        queries |= asked
        passages |= own
        right |= answers
    order.extendleft(reversed(waiting))
    return batch


def batch_texts(rows: Sequence[TrainingRow], batch: Sequence[int]) -> tuple[list[str], list[str]]:
    """The questions of a batch, one for each row, and its distinct passages, right and wrong, in order of appearance."""
    passages = {text: None for index in batch for text in (rows[index].positive, *rows[index].negatives)}
    return [rows[index].query for index in batch], list(passages)
