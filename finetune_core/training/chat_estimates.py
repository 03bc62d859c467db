"""What tuning a chat model would take, from a sample of its conversations; reads no weights.

Floating-point operations: as in `training.cost`, but that the base model's weights need no gradients: a forward pass costs 2
for each weight and token, the way back through the frozen weights 2 more.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from finetune_core.errors import ProviderError
from finetune_core.models.shared_prompts import cheapest_order, num_read
from finetune_core.providers import service_tokens
from finetune_core.providers.bundled import BUNDLED_CHAT
from finetune_core.providers.chat_model import bundled_chat_folder
from finetune_core.providers.embedder import resolve
from finetune_core.providers.tokens import TokenCounter
from finetune_core.recipe import Charge, Estimate, Machine
from finetune_core.training import cost
from finetune_core.training.chat_config import ChatTuningConfig, Tuner, TuningMethod
from finetune_core.training.chat_learner import part_tokens
from finetune_core.training.conversations import Conversation
from finetune_core.training.cost import ModelSize
from finetune_core.training.estimates import CHARACTERS_PER_TOKEN, VALIDATION
from finetune_core.training.openai_files import MIN_EXAMPLES

BUNDLED_SIZE = ModelSize(
    num_weights=134_515_008, num_active=106_203_456, num_layers=30, width=576, num_heads=9, vocabulary=49_152
)
USED_SHARE = 0.75
"""Of what plain matrix products reach, a step does (SmolLM2, 250 tokens, one thread)."""
RECOMPUTED = (
    6  # layers whose activations are held where they are computed again (SmolLM2: one, gradients, and gaps between)
)
ACTIVATIONS = (
    34  # float32 numbers kept for each token, layer and unit of width (llama: 4 projections, the gated MLP, norms)
)
LOGITS = 3  # float32 numbers kept for each token of an answer and of the vocabulary
LIBRARIES_BYTES = 600_000_000  # the process with torch, transformers and peft, before a weight is read
TURN_TOKENS = 5  # marks around each message


def chat_estimate(
    recipe: str,
    sample: Sequence[Conversation],
    num_train: int,
    config: ChatTuningConfig,
    machine: Machine,
) -> Estimate:
    """Time, memory and disk of a run on `num_train` conversations like those of `sample`.

    For the tuner `openai` the tokens of all epochs and, where a price for training the model was entered, what they cost; for
    `modal` nothing but the steps is known. Raises ProviderError if the base model is not there, or there is no such service.
    """
    if config.tuner is Tuner.OPENAI:
        return _at_service(sample, num_train, config, machine)
    tokens_N = _tokens(sample, config)
    fitting_N = tokens_N[tokens_N <= config.max_tokens]
    mean = float(fitting_N.mean()) if len(fitting_N) else 0.0
    num_fitting = round(num_train * len(fitting_N) / max(1, len(tokens_N)))
    num_tokens = round(config.epochs * num_fitting * mean * _share_read(sample, config))
    num_steps = config.epochs * -(-num_fitting // config.batch_size)
    warnings = _warnings(tokens_N, config)
    if config.tuner is Tuner.MODAL:
        basis = f"a GPU ({config.gpu}) at Modal, where nothing was timed"
        return Estimate(num_steps=num_steps, basis=basis, warnings=warnings)
    size = _size(config.base_model)
    if timed := machine.tokens_per_s(recipe, config.base_model):
        runs = "the last run" if timed[1] == 1 else f"the last {timed[1]} runs"
        tokens_per_s, basis = timed[0], f"{runs} of this base model on this machine"
    else:
        tokens_per_s = USED_SHARE * machine.flops() / (4 * size.num_weights)
        basis = "a short probe of this machine, and is rough until a run was timed"
    longest = int(fitting_N.max(initial=0))
    num_at_once = max(longest, min(part_tokens(), config.batch_size * longest))
    return Estimate(
        seconds=VALIDATION * num_tokens / tokens_per_s,
        basis=basis,
        num_steps=num_steps,
        memory_bytes=_memory_bytes(size, num_at_once, config),
        disk_bytes=_disk_bytes(size, config),
        warnings=warnings,
    )


def _at_service(sample: Sequence[Conversation], num_train: int, config: ChatTuningConfig, machine: Machine) -> Estimate:
    """What a service will train on, every example in every epoch, and take for it."""
    service = machine.service(config.service)
    tokens_N = _tokens(sample, config)
    num_tokens = round(config.epochs * num_train * float(tokens_N.mean())) if len(tokens_N) else 0
    cost_usd = service.prices.training_cost_usd(config.base_model, num_tokens)
    warnings = []
    if num_train < MIN_EXAMPLES:
        warnings.append(f"The service takes at least {MIN_EXAMPLES} training examples; this dataset has {num_train}.")
    if cost_usd is None:
        warnings.append(
            f"No price was entered for training {config.base_model} at {service.name}, so nobody knows what this will cost: "
            "look it up, and add it on the Settings page."
        )
    return Estimate(
        num_steps=config.epochs * -(-num_train // config.batch_size),
        charges=(Charge(service.name, 0, num_training_tokens=num_tokens, cost_usd=cost_usd),),
        warnings=tuple(warnings),
    )


def _tokens(sample: Sequence[Conversation], config: ChatTuningConfig) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Tokens of each conversation (N,): counted with the model's own tokenizer where it is at hand, else guessed.

    A service's are counted by OpenAI's vocabulary.
    """
    texts = [_text(one, config) for one in sample]
    if config.tuner is Tuner.OPENAI:
        counts = service_tokens.count_many(texts)
    else:
        counter = _counter(config)
        counts = counter.count_many(texts) if counter else [-(-len(text) // CHARACTERS_PER_TOKEN) for text in texts]
    turns = [TURN_TOKENS * (len(one.messages) + 1) for one in sample]
    return np.array(counts, dtype=np.int64).reshape(-1) + np.array(turns, dtype=np.int64).reshape(-1)


def _share_read(sample: Sequence[Conversation], config: ChatTuningConfig) -> float:
    """Which share of their tokens a training reads, as what a batch begins with is read once; judged by the letters."""
    texts = [_text(one, config) for one in sample]
    read = num_read(texts, cheapest_order(texts, config.batch_size), config.batch_size)
    return min(1.0, read / max(1, sum(map(len, texts))))


def _text(one: Conversation, config: ChatTuningConfig) -> str:
    rejected = [one.rejected] if one.rejected and config.method is TuningMethod.DPO else []
    messages = [*one.messages, one.response, *rejected]
    return "\n".join(
        [*map(str, one.tools), *(f"{m.get('content') or ''}{m.get('tool_calls') or ''}" for m in messages)]
    )


def _counter(config: ChatTuningConfig) -> TokenCounter | None:
    folder = str(bundled_chat_folder()) if config.base_model == BUNDLED_CHAT else config.base_model
    if config.base_model == BUNDLED_CHAT and not Path(folder).is_dir():
        return None
    try:
        return TokenCounter.for_model(folder)
    except ProviderError:
        return None


def _size(base_model: str) -> ModelSize:
    return BUNDLED_SIZE if base_model == BUNDLED_CHAT else cost.model_size(resolve(base_model))


def _memory_bytes(size: ModelSize, num_at_once: int, config: ChatTuningConfig) -> int:
    """The libraries, weights, the adapter with its gradients and moments, and what a part of a batch keeps for its way back.

    As if all its tokens were of answers; only those go through the output layer.
    """
    layers = RECOMPUTED if config.gradient_checkpointing else size.num_layers
    per_token = size.width * (layers * ACTIVATIONS + size.num_layers) + LOGITS * size.vocabulary
    kept = num_at_once * per_token
    return LIBRARIES_BYTES + cost.BYTES * (size.num_weights + 4 * _num_adapter_weights(size, config) + kept)


def _disk_bytes(size: ModelSize, config: ChatTuningConfig) -> int:
    """Two checkpoints of the adapter and its two moments, two best adapters, the adapter; and the bundled model, unpacked."""
    unpacked = cost.BYTES * size.num_weights
    is_missing = config.base_model == BUNDLED_CHAT and not bundled_chat_folder().is_dir()
    return cost.BYTES * _num_adapter_weights(size, config) * (2 * 3 + 3) + (unpacked if is_missing else 0)


def _num_adapter_weights(size: ModelSize, config: ChatTuningConfig) -> int:
    """About: seven matrices in each layer, of the width or up to four times that on one side."""
    return config.lora_rank * size.num_layers * size.width * 20


def _warnings(tokens_N: "np.ndarray[tuple[int], np.dtype[np.int64]]", config: ChatTuningConfig) -> tuple[str, ...]:
    share = float((tokens_N > config.max_tokens).mean()) if len(tokens_N) else 0.0
    if share < 0.01:
        return ()
    return (f"About {share:.0%} of the examples are longer than {config.max_tokens} tokens and are left out.",)
