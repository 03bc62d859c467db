"""Chat models as recipes name, compare, keep and export them: any model, a service, or one that was tuned."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from shutil import copyfile
from typing import Any, Protocol

from finetune_core.errors import ArtefactError, DatasetError, ProviderError
from finetune_core.providers import bundled
from finetune_core.providers.chat import Chat
from finetune_core.providers.chat_model import base_template
from finetune_core.providers.gguf_chat import LocalGgufChat
from finetune_core.providers.openai_chat import OpenAIChat
from finetune_core.providers.openai_chat import open_chat as open_service_chat
from finetune_core.providers.portable_template import FILE_NAME as TEMPLATE_FILE
from finetune_core.providers.portable_template import ToolForm, with_tools
from finetune_core.providers.transformers_chat import ADAPTER_WEIGHTS, TransformersChat
from finetune_core.recipe import Estimate, Machine, Outline, Prices, Resources, Run
from finetune_core.recipes.embedding import SETTINGS_FILE, copy_files
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, ServiceKind, Split
from finetune_core.training.chat_config import ChatTuningConfig, Tuner, TuningMethod
from finetune_core.training.chat_estimates import chat_estimate
from finetune_core.training.chat_tuning import TunedChat, tune_chat
from finetune_core.training.conversations import Conversation

VALIDATION_LOSS = "validation_loss"
"""What chooses the step of every recipe here: for `Recipe.loss`."""
EXTRAS = ("modal",)
"""Packages beyond the core that a tuner needs: for `Recipe.extras`."""
GGUF_SUFFIX = ".gguf"


class Settings(Protocol):
    """The settings of a recipe that the models to compare depend on; `teacher` is "" for none."""

    @property
    def base_model(self) -> str: ...
    @property
    def tuner(self) -> Tuner: ...
    @property
    def service(self) -> str: ...
    @property
    def teacher(self) -> str: ...


def open_chat(reference: str, run: Resources) -> Chat:
    """The chat that `reference` names: "bundled/…", a folder, a hub name or a GGUF file; "service:" and the name of a
    model service; "model:" and the id of a chat model that was tuned in the project.

    Weights load at the first question. Raises ArtefactError or ProviderError if it is not there, or the service's key is not.
    """
    if reference.startswith(SERVICE_REFERENCE):
        return _service_chat(reference.removeprefix(SERVICE_REFERENCE), "", run)
    if reference.startswith(MODEL_REFERENCE):
        return tuned_chat(load(run.model_folder(reference.removeprefix(MODEL_REFERENCE)), run), run)
    if reference.lower().endswith(GGUF_SUFFIX):
        return LocalGgufChat(Path(reference).expanduser())
    return TransformersChat(reference, name=_shown(reference))


def tuned_chat(model: TunedChat, run: Resources) -> Chat:
    """The tuned model: its adapter on the base model, in the engine and precision of the base, or the service's model."""
    if model.service:
        return _service_chat(model.service, model.model_id, run)
    assert model.adapter_folder is not None
    return TransformersChat(model.base_model, model.adapter_folder, name=f"{_shown(model.base_model)}, tuned")


def chat_systems(config: Settings, model: TunedChat | None, run: Resources) -> dict[str, Chat]:
    """The chats to compare: "base", "tuned" if `model` is given, "teacher" if the settings name one.

    Base and tuned are the same weights in the same engine and precision, with the adapter off and on; where a service
    tunes, both are asked there.
    """
    is_service = config.tuner is Tuner.OPENAI
    base = _service_chat(config.service, config.base_model, run) if is_service else open_chat(config.base_model, run)
    found: dict[str, Chat] = {"base": base}
    if model is not None:
        found["tuned"] = tuned_chat(model, run)
    if config.teacher:
        found["teacher"] = open_chat(config.teacher, run)
    return found


def chat_prices(config: Settings, run: Resources) -> dict[str, Prices | None]:
    """What the chats of `chat_systems` charge for tokens, by the same names; None for one on this machine."""
    teacher = config.teacher.removeprefix(SERVICE_REFERENCE) if config.teacher.startswith(SERVICE_REFERENCE) else ""
    own = config.service if config.tuner is Tuner.OPENAI else ""
    services = {"base": own, "tuned": own, "teacher": teacher}
    return {name: run.service(service).prices if service else None for name, service in services.items()}


Told = Callable[[Any, Any], Sequence[Conversation]]
"""What is learned from one example under the recipe's settings: the conversations it makes."""


def learned(split: Split[Any], told: Told, config: ChatTuningConfig, run: Run) -> TunedChat:
    """Tune on what the examples of a split tell; see `training.chat_tuning.tune_chat`.

    By preference only those with a rejected answer are learned from. Raises DatasetError where none has one.
    """
    train, validation = (
        [each for one in part.examples for each in told(one, config)] for part in (split.train, split.validation)
    )
    facts: dict[str, Any] = {"has_tools": any(one.tools for one in train)}
    if config.method is not TuningMethod.DPO:
        return _noted(tune_chat(train, validation, config, run), facts)
    pairs = with_rejected(train)
    if not pairs:
        raise DatasetError(
            f"None of the {len(train):,} examples to learn from has a rejected answer, which the method dpo needs.",
            hint='Choose the method "supervised"; or edit answers on the Review page (the first one is then the rejected '
            "one) or import preferences, and freeze a new version.",
        )
    facts |= {"num_without_rejected": len(train) - len(pairs)}
    return _noted(tune_chat(pairs, with_rejected(validation), config, run), facts)


def _noted(model: TunedChat, facts: dict[str, Any]) -> TunedChat:
    return replace(model, facts={**model.facts, **facts})


def with_rejected(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Those that have a rejected answer."""
    return [one for one in conversations if one.rejected is not None]


def foreseen(recipe: str, outline: Outline, told: Told, config: ChatTuningConfig, machine: Machine) -> Estimate:
    """What `learned` would take, from the tokens its steps would read; see `training.chat_estimates`."""
    examples = outline.sample.examples
    sample = whole = [each for one in examples for each in told(one, config)]
    if config.method is TuningMethod.DPO:
        sample = with_rejected(whole)
    num_train = round(outline.num_train * len(sample) / max(1, len(examples)))
    found = chat_estimate(recipe, sample, num_train, config, machine)
    if len(sample) == len(whole):
        return found
    warning = f"The method dpo learns from examples with a rejected answer alone: about {num_train:,} of {outline.num_train:,}."
    return replace(found, warnings=(warning, *found.warnings))


def save(model: TunedChat, path: Path) -> None:
    """Write the settings, and beside them the adapter if there is one, into the empty folder `path`."""
    if model.adapter_folder is not None:
        copy_files(model.adapter_folder, path)
    kept = {**asdict(model), "adapter_folder": None}
    (path / SETTINGS_FILE).write_text(json.dumps(kept, indent=2), encoding="utf-8")


def save_with_functions(model: TunedChat, path: Path, form: ToolForm) -> None:
    """As `save`, with the base model's chat template, made to read functions in `form`, beside the adapter.

    Exports take it along. It is left out where the base model's tokenizer is not on this machine.
    """
    save(model, path)
    template = base_template(model.base_model) if model.adapter_folder is not None else ""
    if template:
        (path / TEMPLATE_FILE).write_text(with_tools(template, form), encoding="utf-8")


def load(path: Path, run: Resources) -> TunedChat:
    """What `save` wrote; weights are read when they are first needed. Raises ArtefactError if it is no tuned chat model."""
    try:
        model = TunedChat(**json.loads((path / SETTINGS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ArtefactError(
            f"{path.name} is no tuned chat model.", hint="Choose a model that a recipe for chat models tuned."
        ) from error
    return replace(model, adapter_folder=path) if (path / ADAPTER_WEIGHTS).is_file() else model


def export_adapter(artefact: Path, target: Path) -> None:
    """The LoRA adapter as peft, vLLM and others read it; whoever loads it needs the base model beside it."""
    _check_is_here(artefact)
    copy_files(artefact, target, left_out=frozenset({SETTINGS_FILE, "manifest.json"}))


def export_merged(artefact: Path, target: Path) -> None:
    """A whole model in the format of transformers, the adapter added to the base model's weights, in their precision."""
    from finetune_core.providers.chat_model import save_merged

    _check_is_here(artefact)
    base_model = json.loads((artefact / SETTINGS_FILE).read_text(encoding="utf-8"))["base_model"]
    save_merged(base_model, artefact, target)
    if (artefact / TEMPLATE_FILE).is_file():
        copyfile(artefact / TEMPLATE_FILE, target / TEMPLATE_FILE)


EXPORTS: dict[str, Callable[[Path, Path], None]] = {"LoRA adapter": export_adapter, "merged model": export_merged}
"""How a tuned chat model leaves Ayar; for `Recipe.exports`."""


def _check_is_here(artefact: Path) -> None:
    if not (artefact / ADAPTER_WEIGHTS).is_file():
        kept = json.loads((artefact / SETTINGS_FILE).read_text(encoding="utf-8"))
        raise ArtefactError(
            f"The model {kept['model_id']} is kept by the service {kept['service']}; its weights are not here.",
            hint="Use it there under that name.",
        )


def chat_traits(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What is special about a tuned chat model, for `Recipe.traits`: where it was tuned, and how."""
    config, facts = manifest["config"], manifest["facts"]
    found = {"Tuned by": str(config.get("tuner", "")), "Method": str(config.get("method", ""))}
    if facts.get("vendor_job_id"):
        id_there = str(facts.get("finetuned_model_id", "–"))
        return {**found, "Id at the service": id_there, "Job at the service": str(facts["vendor_job_id"])}
    return {**found, "LoRA rank": str(config.get("lora_rank", ""))}


def _service_chat(name: str, model: str, run: Resources) -> OpenAIChat:
    service = run.service(name)
    if service.kind is not ServiceKind.OPENAI:
        raise ProviderError(
            f"{service.name} reranks or embeds and answers no questions.", hint="Name an OpenAI-compatible provider."
        )

    def on_paid(input_tokens: int, output_tokens: int) -> None:
        run.spend(name, input_tokens=input_tokens, output_tokens=output_tokens)

    return open_service_chat(service.base_url, model or service.model, service.key_variable, on_paid=on_paid)


def _shown(reference: str) -> str:
    return (
        reference.rsplit("/", 1)[-1] if reference.startswith(f"{bundled.BUNDLED_CHAT.split('/', 1)[0]}/") else reference
    )
