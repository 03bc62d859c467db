"""Multiple-negatives ranking over the distinct passages of a batch, each encoded once.

Source: Henderson et al., Efficient Natural Language Response Suggestion for Smart Reply, 2017 (as in sentence-transformers'
MultipleNegativesRankingLoss, whose value this is when every question has a passage of its own). Three differences, all of
them about work that need not be done and answers that are not wrong:

- Several questions may share a passage, which is then read once instead of once for each.
- Passages known to be right for a question are masked, instead of counting as wrong answers.
- Questions and passages go through the model apart and in order of length. sentence-transformers pads questions to the
  length of the longest passage, which on a CPU doubles the work.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

OWN, WRONG, MASKED = 1, 0, -1
CPU_CHUNK_TOKENS = 1024  # what goes through the model together on a CPU: little, so that little is padded


class SharedPassagesRankingLoss(nn.Module):
    """Cross-entropy of each question's own passage among all passages of the batch; cosine similarity times `scale`.

    With `both_ways` the mean of that and of each passage's own question among all questions (the symmetric loss).
    """

    def __init__(self, model: Any, scale: float, both_ways: bool = False) -> None:
        super().__init__()
        self.model = model
        self.scale = scale
        self.both_ways = both_ways

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor) -> Tensor:
        """The loss of a batch: features of questions and of passages, and labels (Q, U) of OWN, WRONG or MASKED."""
        questions, passages = (normalize(self._embed(features), dim=-1) for features in sentence_features)
        scores_QU = self.scale * questions @ passages.T
        own_Q = (labels == OWN).float().argmax(dim=1)
        loss = cross_entropy(scores_QU.masked_fill(labels == MASKED, -torch.inf), own_Q)
        if not self.both_ways:
            return loss
        # Row i asks which question belongs to the passage of question i; others it answers as well are masked.
        is_right_QQ = (labels != WRONG).T[own_Q]
        itself = torch.arange(len(own_Q), device=labels.device)
        is_right_QQ[itself, itself] = False
        back = cross_entropy(scores_QU.T[own_Q].masked_fill(is_right_QQ, -torch.inf), itself)
        return (loss + back) / 2

    def _embed(self, features: dict[str, Any]) -> Tensor:
        mask = features["attention_mask"]
        if mask.device.type != "cpu" or not bool(mask[:, 0].all()):
            embedded: Tensor = self.model(features)["sentence_embedding"]
            return embedded
        lengths = mask.sum(dim=1)
        order = torch.argsort(lengths, descending=True, stable=True)
        parts: list[Tensor] = []
        start = 0
        while start < len(order):
            width = int(lengths[order[start]])
            rows = order[start : start + max(1, CPU_CHUNK_TOKENS // width)]
            parts.append(self.model(_rows(features, rows, width))["sentence_embedding"])
            start += len(rows)
        return torch.cat(parts)[torch.argsort(order)]


def _rows(features: dict[str, Any], rows: Tensor, width: int) -> dict[str, Any]:
    return {
        key: value[rows, :width] if isinstance(value, Tensor) and value.ndim == 2 else value
        for key, value in features.items()
    }
