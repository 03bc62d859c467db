"""Sixteen examples of each kind that chat models learn from, with answers nobody could guess, to be learned by heart."""

from collections.abc import Sequence
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.records import Chat, Comparison, Judgement, Part, Preference, Split, SplitName, ToolCall
from tests.training_fixtures import TINY_CHAT_CONFIG, RecordedRun, Trained, memorable_conversations

TOOLS = tuple(
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object", "properties": {"of": {"type": "string"}}, "required": ["of"], "additionalProperties": False,
            },
        },
    }
    for name in ("get", "set")
)  # fmt: skip


def _by_heart(examples: Sequence[Any], name: str) -> Split[Any]:
    """All three parts hold the examples: what is tried is whether they were learned, not what follows from them."""
    parts = [Part(part, tuple(examples if part is not SplitName.VALIDATION else examples[:4])) for part in SplitName]
    return Split(*parts, fingerprint=f"tiny {name}")


def tiny_chat_split() -> Split[Chat]:
    return _by_heart(
        [
            Chat(one.id, one.messages, dict(one.response), one.id, contexts=("Nothing of the kind.",))
            for one in memorable_conversations()
        ],
        "chats",
    )


def tiny_call_split() -> Split[ToolCall]:
    """Requests for one function, for the other, and every fourth for none."""
    return _by_heart(
        [
            ToolCall(
                f"t{number}", ({"role": "user", "content": f"{word} " * 6 + str(number)},), TOOLS,
                ({"name": word, "arguments": {"of": "it"}},) if word in ("get", "set") else (), f"g{number % 5}",
            )
            for number in range(16)
            for word in [("get", "set", "get", "hum")[number % 4]]
        ],
        "calls",
    )  # fmt: skip


def tiny_judgement_split() -> Split[Judgement]:
    """Good answers have 5, bad ones 1; the second rater disagrees now and then."""
    return _by_heart(
        [
            Judgement(
                f"j{number}", f"Question {number}?", f"{word} " * 6 + str(number), score, f"q{number % 6}",
                ratings=(score, 3.0 if number % 3 else score),
            )
            for number in range(16)
            for word, score in [(("good", 5.0), ("bad", 1.0))[number % 2]]
        ],
        "judgements",
    )  # fmt: skip


def tiny_comparison_split() -> Split[Comparison]:
    """The good answer is preferred, wherever it stands and however long it is."""
    answers = [("good " * 6, "bad " * (4 if number % 3 else 9)) for number in range(16)]
    return _by_heart(
        [
            Comparison(
                f"p{number}", f"Request {number}", answers[number][number % 2], answers[number][1 - number % 2], winner,
                f"r{number % 6}", votes=(winner, winner, Preference.TIE if number % 4 else winner),
            )
            for number in range(16)
            for winner in [(Preference.FIRST, Preference.SECOND)[number % 2]]
        ],
        "comparisons",
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_prompted_chat(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random chat model of two layers to whose tokenizer the prompts of judges and callers are a few long words."""
    from finetune_core.evaluation import calling, judging
    from tests.tiny_transformer import save_tiny_chat

    texts = []
    for call in tiny_call_split().train.examples:
        texts += [str(calling.prompted(call.messages, call.tools)[0]["content"]), calling.answer_text(call.calls)]
    for grade in tiny_judgement_split().train.examples:
        texts.append(str(judging.correctness_messages(grade, with_feedback=False)[0]["content"]))
    for pair in tiny_comparison_split().train.examples:
        texts.append(str(judging.pairwise_messages(pair, with_feedback=False)[0]["content"]))
    return str(save_tiny_chat(tmp_path_factory.mktemp("tiny-prompted-chat") / "model", texts, vocab_size=1500))


def _trained(
    name: str, split: Split[Any], base_model: str, factory: pytest.TempPathFactory, **settings: Any
) -> Trained:
    import torch

    torch.set_num_threads(1)  # batches are so small that threads only wait for each other
    recipe, run = recipes.get(name), RecordedRun(factory.mktemp(f"trained-{name}"), seed=1)
    config = recipe.config(base_model=base_model, **TINY_CHAT_CONFIG | settings)
    return Trained(run, split, config, recipe.train(split, config, run))


@pytest.fixture(scope="session")
def trained_distillation(tiny_chat: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _trained("distillation", tiny_chat_split(), tiny_chat, tmp_path_factory, answer_tokens=20)


@pytest.fixture(scope="session")
def trained_caller(tiny_prompted_chat: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _trained("function_calling", tiny_call_split(), tiny_prompted_chat, tmp_path_factory)


@pytest.fixture(scope="session")
def trained_correctness(tiny_prompted_chat: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _trained("judge_correctness", tiny_judgement_split(), tiny_prompted_chat, tmp_path_factory, epochs=8)


@pytest.fixture(scope="session")
def trained_pairwise(tiny_prompted_chat: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _trained("judge_pairwise", tiny_comparison_split(), tiny_prompted_chat, tmp_path_factory, epochs=8)
