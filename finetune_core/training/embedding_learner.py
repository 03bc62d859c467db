"""An embedding model as a training session sees it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_core.errors import TrainingError
from finetune_core.providers.embedder import encode, load_transformer
from finetune_core.training.batches import TrainingRow
from finetune_core.training.embedding_config import EmbeddingConfig, Loss
from finetune_core.training.session import VALIDATION_METRIC
from finetune_core.training.validation import ValidationPool, pool_ndcg

if TYPE_CHECKING:
    from finetune_core.models.resumable_trainer import ResumableTrainer


class EmbeddingLearner:
    """Learns from `rows`, is measured on `pool`; `prefixes` are the (question, passage) prefixes in force."""

    metric = VALIDATION_METRIC
    lower_is_better = False

    def __init__(
        self, config: EmbeddingConfig, prefixes: tuple[str, str], rows: Sequence[TrainingRow], pool: ValidationPool
    ) -> None:
        from finetune_core.models.dropout import set_dropout
        from finetune_core.models.weights import WholeWeights

        self.config, self.prefixes, self.rows, self.pool = config, prefixes, rows, pool
        self.model = load_transformer(config.base_model)
        self.model.max_seq_length = min(config.max_tokens, self.model.max_seq_length or config.max_tokens)
        set_dropout(self.model, config.dropout)
        self.weights = WholeWeights(self.model)
        self.heard = (self.model[0],)

    def trainer(self, arguments: dict[str, Any]) -> "ResumableTrainer":
        """The trainer of embedding models, with the loss chosen."""
        from datasets import Dataset
        from sentence_transformers import SentenceTransformerTrainingArguments

        from finetune_core.models.resumable_trainer import ResumableEmbeddingTrainer
        from finetune_core.training.collator import SharedPassagesCollator

        is_cached = self.config.loss is Loss.CACHED
        collator: Any = None if is_cached else SharedPassagesCollator(self.model, self.rows)
        columns: dict[str, Any] = _columns(self.rows) if is_cached else {"row": list(range(len(self.rows)))}
        return ResumableEmbeddingTrainer(
            model=self.model,
            args=SentenceTransformerTrainingArguments(**arguments),
            train_dataset=Dataset.from_dict(columns),
            data_collator=collator,
            loss=self._loss(),
        )

    def measure(self, checkpoint: Callable[[], None]) -> dict[str, float]:
        """nDCG@10 on the pool."""
        query_prefix, passage_prefix = self.prefixes
        queries_QD = encode(self.model, [query_prefix + text for text in self.pool.queries], checkpoint)
        passages_PD = encode(self.model, [passage_prefix + text for text in self.pool.passages], checkpoint)
        return {VALIDATION_METRIC: pool_ndcg(queries_QD, passages_PD, self.pool)}

    def save(self, folder: Path) -> None:
        """Write a folder of sentence-transformers, with the prefixes as the model's own prompts."""
        query_prefix, passage_prefix = self.prefixes
        self.model.prompts = {"query": query_prefix, "document": passage_prefix}
        self.model.default_prompt_name = None
        self.model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)

    def _loss(self) -> Any:
        from sentence_transformers.sentence_transformer import losses

        from finetune_core.models.ranking_loss import SharedPassagesRankingLoss

        config, transformer = self.config, self.model
        loss: Any
        if config.loss is Loss.CACHED:
            loss = losses.CachedMultipleNegativesRankingLoss(transformer, scale=config.scale)
        else:
            loss = SharedPassagesRankingLoss(transformer, config.scale, both_ways=config.loss is Loss.SYMMETRIC)
        if not config.matryoshka_dims:
            return loss
        full = self.model.get_embedding_dimension() or 0
        if max(config.matryoshka_dims) > full:
            raise TrainingError(
                f"A Matryoshka size is {max(config.matryoshka_dims)}; vectors of {config.base_model} have {full}.",
                hint=f"Choose sizes of at most {full}.",
            )
        return losses.MatryoshkaLoss(transformer, loss, sorted({full, *config.matryoshka_dims}, reverse=True))


def _columns(rows: Sequence[TrainingRow]) -> dict[str, list[str]]:
    columns = {"anchor": [row.query for row in rows], "positive": [row.positive for row in rows]}
    for number in range(len(rows[0].negatives)):
        columns[f"negative_{number + 1}"] = [row.negatives[number] for row in rows]
    return columns
