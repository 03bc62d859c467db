"""Which rows learn together: every other passage of a batch serves a question as a wrong answer, so none may be right."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetune_core.records import Part, QueryPassages


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


def plan_batches(rows: Sequence[TrainingRow], batch_size: int, num_epochs: int, seed: int) -> list[list[int]]:
    """The rows of every batch of every epoch, decided before the first step, so that a restart finds the same plan.

    Within a batch no question occurs twice and no passage is right for a question other than its own row's. Rows that
    do not fit wait for the next batch. A batch of one row without negatives teaches nothing and is left out.
    """
    plan: list[list[int]] = []
    for epoch in range(num_epochs):
        order = deque(np.random.default_rng([seed, epoch]).permutation(len(rows)).tolist())
        while order:
            batch = _next_batch(rows, order, batch_size)
            if len(batch) > 1 or rows[batch[0]].negatives:
                plan.append(batch)
    return plan


def _next_batch(rows: Sequence[TrainingRow], order: deque[int], batch_size: int) -> list[int]:
    batch: list[int] = []
    waiting: list[int] = []
    queries: set[str] = set()
    passages: set[str] = set()
    right: set[str] = set()
    while order and len(batch) < batch_size:
        index = order.popleft()
        row = rows[index]
        own = {row.positive, *row.negatives}
        if row.query in queries or not right.isdisjoint(own) or not passages.isdisjoint(row.right):
            waiting.append(index)
            continue
        batch.append(index)
        queries.add(row.query)
        passages |= own
        right |= row.right
    order.extendleft(reversed(waiting))
    return batch
