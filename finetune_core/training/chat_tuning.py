"""Tuning a chat model, wherever that happens: one call for every recipe and every tuner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.errors import ProviderError
from finetune_core.providers.openai_client import open_openai
from finetune_core.recipe import Run
from finetune_core.records import ServiceKind
from finetune_core.training.chat_config import ChatTuningConfig, Tuner
from finetune_core.training.conversations import Conversation
from finetune_core.training.local_tuner import train_adapter
from finetune_core.training.modal_tuner import train_on_modal
from finetune_core.training.openai_finetuning import finetune


@dataclass(frozen=True)
class TunedChat:
    """A tuned chat model: a LoRA adapter for `base_model`, or a model that a service keeps.

    `adapter_folder` is None where a service keeps the model: then `service` names it and `model_id` is what it calls the
    model; both are "" otherwise.
    """

    base_model: str
    adapter_folder: Path | None = None
    service: str = ""
    model_id: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


Tune = Callable[[Sequence[Conversation], Sequence[Conversation], ChatTuningConfig, Run], TunedChat]


def tune_chat(
    train: Sequence[Conversation], validation: Sequence[Conversation], config: ChatTuningConfig, run: Run
) -> TunedChat:
    """Tune the model on `train`, choose the step on `validation`, with the tuner that `config` names.

    A run that was interrupted goes on where it stood; when a person asks to stop, the best so far is what is left. Raises
    DatasetError if there is nothing to learn from, TrainingError and ProviderError where the tuner cannot do it, and lets
    JobCancelled through.
    """
    return TUNERS[config.tuner](train, validation, config, run)


def _tune_locally(
    train: Sequence[Conversation], validation: Sequence[Conversation], config: ChatTuningConfig, run: Run
) -> TunedChat:
    trained = train_adapter(train, validation, config, run)
    return TunedChat(config.base_model, trained.folder, facts=trained.facts)


def _tune_at_service(
    train: Sequence[Conversation], validation: Sequence[Conversation], config: ChatTuningConfig, run: Run
) -> TunedChat:
    service = run.service(config.service)
    if service.kind is not ServiceKind.OPENAI:
        raise ProviderError(
            f"{service.name} reranks or embeds and tunes no chat models.", hint="Name an OpenAI-compatible provider."
        )
    client = open_openai(service.base_url, config.base_model, service.key_variable)
    try:
        made = finetune(train, validation, config, client, run)
    finally:
        client.close()
    facts = {**made.facts, "finetuned_model_id": made.model_id}
    return TunedChat(config.base_model, service=service.name, model_id=made.model_id, facts=facts)


def _tune_on_modal(
    train: Sequence[Conversation], validation: Sequence[Conversation], config: ChatTuningConfig, run: Run
) -> TunedChat:
    trained = train_on_modal(train, validation, config, run)
    return TunedChat(config.base_model, trained.folder, facts=trained.facts)


TUNERS: dict[Tuner, Tune] = {
    Tuner.LOCAL: _tune_locally,
    Tuner.OPENAI: _tune_at_service,
    Tuner.MODAL: _tune_on_modal,
}
