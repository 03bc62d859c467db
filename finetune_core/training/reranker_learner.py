"""A cross-encoder as a training session sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finetune_core.metrics import ranking
from finetune_core.providers.reranker import load_cross_encoder, score_pairs
from finetune_core.training.judged_passages import JudgedCollator, JudgedPassages
from finetune_core.training.reranker_config import RerankerConfig, RerankerLoss
from finetune_core.training.score_mixing import mixing_weight
from finetune_core.training.session import VALIDATION_METRIC

if TYPE_CHECKING:
    from finetune_core.models.resumable_trainer import ResumableTrainer

MRR = "validation_mrr@10"


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


class RerankerLearner:
    """Learns from `rows`, is measured on `pool`; starts from the weights in `base`."""

    metric = VALIDATION_METRIC
    lower_is_better = False

    def __init__(self, config: RerankerConfig, base: str, rows: Sequence[JudgedPassages], pool: RetrievedPool) -> None:
        import torch

        from finetune_core.models.dropout import set_dropout
        from finetune_core.models.weights import WholeWeights

        self.config, self.rows, self.pool = config, rows, pool
        torch.manual_seed(config.seed)  # a new head is random
        self.model = load_cross_encoder(base, config.max_tokens)
        set_dropout(self.model, config.dropout)
        self.weights = WholeWeights(self.model)
        self.heard = (self.model[0],)

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

    def measure(self, checkpoint: Callable[[], None]) -> dict[str, float]:
        """nDCG@10 and MRR@10 of the reranked lists, with the best share of the retriever's score if it is mixed in."""
        scores_QK = self._scores(self.pool, checkpoint)
        return self.pool.measured(scores_QK + self._weight(self.pool, scores_QK) * self.pool.given)

    def weight_on(self, pool: RetrievedPool, checkpoint: Callable[[], None]) -> float:
        """The weight of the retriever's score that fits the questions of `pool` best; 0 if it is not mixed in."""
        return self._weight(pool, self._scores(pool, checkpoint)) if self.config.use_retriever_score else 0.0

    def _scores(self, pool: RetrievedPool, checkpoint: Callable[[], None]) -> NDArray[np.float64]:
        """The model's scores (Q, K) of a pool, NaN where the retriever found nothing."""
        scores_QK = np.full_like(pool.given, np.nan)
        pairs = [(q, text) for q, texts in zip(pool.queries, pool.passages, strict=True) for text in texts]
        scores_QK[~np.isnan(pool.given)] = score_pairs(self.model, pairs, checkpoint)
        return scores_QK

    def _weight(self, pool: RetrievedPool, scores_QK: NDArray[np.float64]) -> float:
        return mixing_weight(scores_QK, pool.given, pool.gains) if self.config.use_retriever_score else 0.0

    def save(self, folder: Path) -> None:
        """Write a folder of sentence-transformers, which holds the token limit and what scores go through."""
        self.model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)

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
