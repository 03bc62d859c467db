"""Rows of a batch to what the shared-passages loss takes: questions, distinct passages, and which belongs to which."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finetune_core.training.batches import TrainingRow, batch_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SharedPassagesCollator:
    """Turns features `{"row": index}` into tokens of the questions, tokens of the passages, and labels (Q, U).

    A label says of a passage whether it is the row's own (1), wrong (0), or right but another row's (-1).
    """

    valid_label_columns: tuple[str, ...] = ("label",)  # the trainer asks every collator for it

    def __init__(self, transformer: "SentenceTransformer", rows: Sequence[TrainingRow]) -> None:
        self.transformer = transformer
        self.rows = rows

    def __call__(self, features: Sequence[Mapping[str, int]]) -> dict[str, Any]:
        """The batch as the trainer takes it."""
        import torch

        from finetune_core.models.ranking_loss import MASKED, OWN, WRONG

        indices = [feature["row"] for feature in features]
        queries, passages = batch_texts(self.rows, indices)
        place = {text: position for position, text in enumerate(passages)}
        labels_QU = torch.full((len(queries), len(passages)), WRONG)
        for number, index in enumerate(indices):
            right = [place[text] for text in self.rows[index].right if text in place]
            labels_QU[number, right] = MASKED
            labels_QU[number, place[self.rows[index].positive]] = OWN
        batch: dict[str, Any] = {"label": labels_QU}
        for column, texts in (("question", queries), ("passage", passages)):
            for key, value in self.transformer.preprocess(texts).items():
                batch[f"{column}_{key}"] = value
        return batch
