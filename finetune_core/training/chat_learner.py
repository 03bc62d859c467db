"""A chat model with a LoRA adapter (Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021) that learns."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_core.errors import TrainingError
from finetune_core.providers.bundled import BUNDLED_CHAT
from finetune_core.providers.chat_model import chat_folder, decoder_layers, load_chat_model, precision, quiet_peft
from finetune_core.providers.chat_template import ChatTemplate
from finetune_core.training.chat_config import ChatTuningConfig, TuningMethod

if TYPE_CHECKING:
    from finetune_core.models.chat_losses import AnswerRow
    from finetune_core.models.chat_trainer import Loss
    from finetune_core.models.resumable_trainer import ResumableTrainer

VALIDATION_LOSS = "validation_loss"
PART_TOKENS = {"cpu": 512, "cuda": 4096}
"""Tokens computed at once, padding included: what decides how much memory a step takes.

A processor is as quick with few tokens as with many, and fewer together need less padding; a GPU wants many.
"""
HUB_NAME = {BUNDLED_CHAT: "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""What others call a bundled model: an adapter names its base model."""


class ChatLearner:
    """Learns from `train`, is measured on `validation`; both may be set after the tokenizer was asked for their tokens."""

    metric = VALIDATION_LOSS
    lower_is_better = True

    def __init__(self, config: ChatTuningConfig) -> None:
        import torch
        from peft import LoraConfig, get_peft_model

        from finetune_core.models.chat_losses import AnswerLoss, PreferenceLoss
        from finetune_core.models.weights import LearnedWeights

        self.config = config
        self.train: Sequence[AnswerRow] = ()
        self.validation: Sequence[AnswerRow] = ()
        base, self.tokenizer = load_chat_model(
            chat_folder(config.base_model), config.base_model, four_bit=_checked_four_bit(config)
        )
        self.template = ChatTemplate(self.tokenizer, config.base_model)
        torch.manual_seed(config.seed)  # an adapter starts at random
        lora = LoraConfig(
            task_type="CAUSAL_LM",
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules="all-linear",
        )
        self.heard = decoder_layers(base)
        with quiet_peft():
            self.model: Any = get_peft_model(base, lora)
        self.model.peft_config["default"].base_model_name_or_path = HUB_NAME.get(config.base_model, config.base_model)
        if config.gradient_checkpointing:
            self.model.enable_input_require_grads()
        self.weights = LearnedWeights(self.model)
        pad = self.tokenizer.pad_token_id
        self.loss: Loss = PreferenceLoss(pad, config.dpo_beta) if needs_rejected(config) else AnswerLoss(pad)

    def trainer(self, arguments: dict[str, Any]) -> "ResumableTrainer":
        """The trainer of chat models."""
        from transformers import TrainingArguments

        from finetune_core.models.chat_trainer import ResumableChatTrainer

        sampler = arguments.pop("batch_sampler")
        plan = list(sampler(range(len(self.train)), self.config.batch_size))
        return ResumableChatTrainer(
            rows=self.train,
            plan=plan,
            loss=self.loss,
            max_part_tokens=part_tokens(),
            model=self.model,
            args=TrainingArguments(
                **arguments,
                bf16=precision() == "bfloat16",
                activation_checkpointing=self.config.gradient_checkpointing,
                activation_checkpointing_kwargs={"use_reentrant": False},
                remove_unused_columns=False,
            ),
        )

    def measure(self, checkpoint: Callable[[], None]) -> dict[str, float]:
        """The loss on the validation examples, as in training; NaN without any."""
        import torch

        from finetune_core.models.chat_trainer import parts

        weight = self.loss.weight(self.validation)
        if not weight:
            return {VALIDATION_LOSS: float("nan")}
        total = 0.0
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            for part in parts(self.validation, part_tokens()):
                checkpoint()
                total += float(self.loss(self.model, part))
        self.model.train(was_training)
        return {VALIDATION_LOSS: total / weight}

    def save(self, folder: Path) -> None:
        """Write the adapter in peft's format."""
        self.model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # peft's card is empty; Ayar writes its own


def part_tokens() -> int:
    """How many tokens are computed at once here."""
    import torch

    return PART_TOKENS["cuda" if torch.cuda.is_available() else "cpu"]


def needs_rejected(config: ChatTuningConfig) -> bool:
    """Whether it is learned from pairs of answers."""
    return config.method is TuningMethod.DPO


def _checked_four_bit(config: ChatTuningConfig) -> bool:
    import torch

    if config.four_bit and not (torch.cuda.is_available() and importlib.util.find_spec("bitsandbytes")):
        missing = "bitsandbytes" if torch.cuda.is_available() else "a GPU"
        raise TrainingError(
            f"4-bit weights need {missing}, which this machine does not have.",
            hint="Switch 4-bit weights off, or install the package: pip install bitsandbytes"
            if missing == "bitsandbytes"
            else "Switch 4-bit weights off, or tune on a machine with a GPU.",
        )
    return config.four_bit
