"""A cross-encoder as a training session sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finetune_core.metrics import ranking
from finetune_core.providers.reranker import load_cross_encoder, score_pairs
from finetune_core.training.judged_passages import JudgedCollator, JudgedPassages
from finetune_core.training.reranker_config import RerankerConfig, RerankerLoss
from finetune_core.training.session import VALIDATION_METRIC

if TYPE_CHECKING:
    from finetune_core.models.resumable_trainer import ResumableTrainer

MRR = "validation_mrr@10"
SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Weights tried for the retriever's score, in units of how much more widely the reranker's scores are spread."""


@dataclass(frozen=True)
class RetrievedPool:
    """Validation questions with what the retriever found for each, best first.

    `gains` (Q, K) and `ideal` (Q, R) are grades; `given` (Q, K) the retriever's scores, NaN where it found fewer.
    """

    queries: tuple[str, ...]
    passages: tuple[tuple[str, ...], ...]
    given: NDArray[np.float64]
    gains: NDArray[np.float64]
    ideal: NDArray[np.float64]
    num_all_questions: int
    num_all_passages: int

    @property
    def facts(self) -> dict[str, int]:
        """What the curve was measured on."""
        return {
            "num_questions": len(self.queries),
            "num_passages": len({text for texts in self.passages for text in texts}),
            "num_all_questions": self.num_all_questions,
            "num_all_passages": self.num_all_passages,
        }

    def measured(self, scores_QK: NDArray[np.float64]) -> dict[str, float]:
        """nDCG@10 and MRR@10 of the lists sorted by these scores, ties as they were; NaN for no questions."""
        if not len(scores_QK):
            return {VALIDATION_METRIC: float("nan"), MRR: float("nan")}
        order_QK = np.argsort(-np.nan_to_num(scores_QK, nan=-np.inf), axis=1, kind="stable")
        gains_QK = np.take_along_axis(self.gains, order_QK, axis=1)
        return {
            VALIDATION_METRIC: float(np.nanmean(ranking.ndcg(gains_QK, self.ideal, 10))),
            MRR: float(np.nanmean(ranking.reciprocal_rank(gains_QK, self.ideal, 10))),
        }

    def best_weight(self, scores_QK: NDArray[np.float64]) -> float:
        """The weight of the retriever's scores with the best nDCG@10; the smallest of equals, 0 without questions."""
        if not len(scores_QK):
            return 0.0
        spread = float(np.nanstd(scores_QK)) / max(float(np.nanstd(self.given)), 1e-9)
        tried = [round(share * spread, 4) for share in SHARES]
        return max(
            tried, key=lambda weight: (self.measured(scores_QK + weight * self.given)[VALIDATION_METRIC], -weight)
        )


class RerankerLearner:
    """Learns from `rows`, is measured on `pool`; starts from the weights in `base`."""

    def __init__(self, config: RerankerConfig, base: str, rows: Sequence[JudgedPassages], pool: RetrievedPool) -> None:
        import torch

        self.config, self.rows, self.pool = config, rows, pool
        torch.manual_seed(config.seed)  # a new head is random
        self.model = load_cross_encoder(base, config.max_tokens)

    def trainer(self, arguments: dict[str, Any]) -> "ResumableTrainer":
        """The trainer of cross-encoders, with the loss chosen."""
        from datasets import Dataset
        from sentence_transformers.cross_encoder import CrossEncoderTrainingArguments

        from finetune_core.models.resumable_trainer import ResumableCrossEncoderTrainer

        collator: Any = JudgedCollator(self.rows, self.config.loss)
        return ResumableCrossEncoderTrainer(
            model=self.model,
            args=CrossEncoderTrainingArguments(**arguments),
            train_dataset=Dataset.from_dict({"row": list(range(len(self.rows)))}),
            data_collator=collator,
            loss=self._loss(),
        )

    def scores(self, checkpoint: Callable[[], None]) -> NDArray[np.float64]:
        """The model's scores (Q, K) of the pool, NaN where the retriever found nothing."""
        scores_QK = np.full_like(self.pool.given, np.nan)
        pairs = [(q, text) for q, texts in zip(self.pool.queries, self.pool.passages, strict=True) for text in texts]
        scores_QK[~np.isnan(self.pool.given)] = score_pairs(self.model, pairs, checkpoint)
        return scores_QK

    def measure(self, checkpoint: Callable[[], None]) -> dict[str, float]:
        """nDCG@10 and MRR@10 of the reranked lists, with the best share of the retriever's score if it is mixed in."""
        scores_QK = self.scores(checkpoint)
        return self.pool.measured(scores_QK + self.weight_of(scores_QK) * self.pool.given)

    def weight_of(self, scores_QK: NDArray[np.float64]) -> float:
        """The weight of the retriever's score that goes with the model's scores (Q, K) of the pool."""
        return self.pool.best_weight(scores_QK) if self.config.use_retriever_score else 0.0

    def prepare_saving(self) -> None:
        """Nothing is set: the folder holds the token limit and what scores go through."""

    def _loss(self) -> Any:
        from sentence_transformers.cross_encoder import losses

        kinds: dict[RerankerLoss, Callable[[Any], Any]] = {
            RerankerLoss.BINARY: losses.BinaryCrossEntropyLoss,
            RerankerLoss.LIST_NET: losses.ListNetLoss,
            RerankerLoss.LAMBDA: losses.LambdaLoss,
            RerankerLoss.MULTIPLE_NEGATIVES: lambda model: losses.MultipleNegativesRankingLoss(
                model, num_negatives=None
            ),
            RerankerLoss.MSE: losses.MSELoss,
            RerankerLoss.MARGIN_MSE: losses.MarginMSELoss,
        }
        return kinds[self.config.loss](self.model)
