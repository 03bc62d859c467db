"""Tune a chat model so that it calls the right functions with the right arguments, or fills a schema from a text."""

from pathlib import Path

from pydantic import Field

from finetune_core.evaluation.calling import (
    CALLING_METRICS,
    HEADLINE,
    Caller,
    Silent,
    answer_calls,
    answer_message,
    answer_text,
    evaluate_calls,
    prompted,
    prompted_form,
)
from finetune_core.evaluation.said import Said
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._chats import (
    EXPORTS,
    EXTRAS,
    VALIDATION_LOSS,
    chat_prices,
    chat_systems,
    chat_traits,
    foreseen,
    learned,
    load,
    save_with_functions,
)
from finetune_core.records import SERVICE_REFERENCE, Part, Split, ToolCall
from finetune_core.training.chat_config import ChatTuningConfig, Tuner
from finetune_core.training.chat_tuning import TunedChat
from finetune_core.training.conversations import Conversation

GRAMMAR = "with grammar"


class FunctionCallingConfig(ChatTuningConfig):
    """The settings of one run."""

    grammar: bool = Field(
        True,
        title="Compare with a grammar too",
        description="Score base and tuned also with answers held to the functions' schemas, so that what tuning adds is seen "
        "apart from what the grammar adds. Only models on this machine can be held to one.",
    )


def train(split: Split[ToolCall], config: FunctionCallingConfig, run: Run) -> TunedChat:
    """Learn the right calls, in the form that the model is asked for later."""
    return learned(split, conversations, config, run)


def systems(config: FunctionCallingConfig, model: TunedChat | None, run: Run) -> dict[str, Caller | Silent]:
    """Calling nothing; base and, if given, tuned, each free and held to a grammar; the teacher if one is set."""
    prices, found = chat_prices(config, run), dict[str, Caller | Silent](silent=Silent("calls nothing"))
    for name, chat in chat_systems(config, model, run).items():
        is_native = config.tuner is Tuner.OPENAI if name != "teacher" else config.teacher.startswith(SERVICE_REFERENCE)
        found[name] = Caller(name, chat, is_native, prices=prices[name])
        if config.grammar and not is_native and name != "teacher":
            found[f"{name} {GRAMMAR}"] = Caller(f"{name} {GRAMMAR}", chat, has_grammar=True)
    return found


def evaluate(system: Caller | Silent, part: Part[ToolCall], config: FunctionCallingConfig, run: Run) -> Report:
    """Every request of the part; see `evaluation.calling`."""
    return evaluate_calls(system, part, run)


def answer(system: Caller | Silent, example: ToolCall, config: FunctionCallingConfig, *, run: Run) -> Said:
    """The calls for one request."""
    return answer_calls(system, example, run)


def conversations(example: ToolCall, config: FunctionCallingConfig) -> list[Conversation]:
    """What is learned from one request: by its interface for a service, else in the prompt's form."""
    if config.tuner is Tuner.OPENAI:
        return [Conversation(example.id, example.messages, answer_message(example.calls), example.tools)]
    response = {"role": "assistant", "content": answer_text(example.calls)}
    return [Conversation(example.id, prompted(example.messages, example.tools), response)]


def save(model: TunedChat, path: Path) -> None:
    """Write the model into the empty folder `path`, with a chat template that asks it as it was tuned."""
    save_with_functions(model, path, prompted_form())


def estimate(outline: Outline, config: FunctionCallingConfig, machine: Machine) -> Estimate:
    """From the tokens its steps would read; see `training.chat_estimates`."""
    return foreseen("function_calling", outline, conversations, config, machine)


RECIPE = Recipe(
    name="function_calling",
    title="Function calling",
    summary="Has a small model call the right function with the right arguments, or fill a schema from a text.",
    source="LlamaIndex, Fine-tuning with function calling, 2023; Patil et al., Gorilla: Large Language Model Connected with "
    "Massive APIs, 2023",
    record=ToolCall,
    config=FunctionCallingConfig,
    headline=HEADLINE,
    metrics=CALLING_METRICS,
    train=train,
    systems=systems,
    evaluate=evaluate,
    answer=answer,
    save=save,
    load=load,
    exports=EXPORTS,
    extras=EXTRAS,
    estimate=estimate,
    traits=chat_traits,
    loss=VALIDATION_LOSS,
    library="peft",
    pipeline_tag="text-generation",
)
