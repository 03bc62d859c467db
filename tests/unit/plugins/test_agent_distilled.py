"""An agent of LlamaIndex is recorded while it calls functions, and a small model is tuned to call them as it did."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.evaluation.said import answer_text, question_text
from finetune_core.jobs.worker import run_queued_here
from finetune_core.plugins.llama_index_llm import llama_index_llm
from finetune_core.plugins.llama_index_recorder import recording_handler
from finetune_core.plugins.recording import Recording
from finetune_core.providers.openai_chat import open_chat
from finetune_core.records import Chat, Split
from finetune_core.storage.datasets import load_split
from finetune_core.storage.demonstrations import DemonstrationFilter
from finetune_core.storage.pairs import PairState
from finetune_core.workspace import datasets, demonstrations, jobs, projects
from tests.tiny_transformer import save_tiny_chat
from tests.training_fixtures import CODES, TINY_CHAT_CONFIG, RecordedRun
from tests.vendors.openai_chat import completion
from tests.vendors.server import KEY, Fault, Vendor, serving

WORDS = CODES[:6]
TEMPLATE = (
    "{% if tools %}<tools>{% for tool in tools %}{{ tool.function.name }}{% endfor %}</tools>{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "{% for call in message['tool_calls'] or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A chat template that has a place for functions, as those of Qwen and Hermes have."""


def look_up(word: str) -> str:
    """What a word means."""
    return f"{word} is a kind of lamp."


def answered(body: dict[str, Any]) -> dict[str, Any]:
    """Looks the word up first, then says what was found."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return completion(body, f"It means: {last['content']}")
    word = last["content"].split()[-1]
    reply = completion(body, "", "tool_calls")
    call = {"name": "look_up", "arguments": json.dumps({"word": word})}
    reply["choices"][0]["message"] |= {
        "content": None, "tool_calls": [{"id": f"c-{word}", "type": "function", "function": call}],
    }  # fmt: skip
    return reply


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setenv("LOOPBACK_API_KEY", KEY)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    with serving("openai") as running:
        names = ("CreateChatCompletionRequest", "CreateChatCompletionResponse")
        running.on("POST", "/chat/completions", *names, answered)
        yield running


def recorded(vendor: Vendor, path: Path) -> None:
    """Have the agent answer a question about every word; the service is down once."""
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.callbacks import CallbackManager

    chat = open_chat(vendor.url, "gpt-test", "LOOPBACK_API_KEY", max_attempts=1)
    llm = llama_index_llm(chat, callback_manager=CallbackManager([recording_handler(Recording(path))]))

    async def ask(question: str) -> str:
        agent = FunctionAgent(tools=[look_up], llm=llm, system_prompt="Look words up.")
        return str(await agent.run(question))

    vendor.faults.append(Fault(400, '{"error": {"message": "filtered"}}'))
    with pytest.raises(Exception, match="filtered"):
        asyncio.run(ask("nothing"))
    for word in WORDS:
        assert asyncio.run(ask(" ".join([word] * 6))) == f"It means: {word} is a kind of lamp."


def frozen(path: Path) -> Split[Chat]:
    """The recording, imported, reviewed and frozen."""
    project_id = projects.create("Lamps").id
    came = demonstrations.import_file(project_id, "Chat", path)
    assert came.num_new == 2 * len(WORDS)
    first = demonstrations.page(project_id, DemonstrationFilter("Chat"), 0)[0][0]
    assert first.answer == f'look_up({{"word": "{WORDS[0]}"}})'
    demonstrations.change(project_id, first, state=PairState.REJECTED)
    job_id = datasets.freeze(project_id, "v1", record="Chat", measure_base=False)
    run_queued_here()
    return load_split(project_id, jobs.get(job_id).result["manifest"]["hash"])


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # of LlamaIndex' own doing
def test_from_the_agents_run_to_the_same_calls_by_a_tuned_model(vendor: Vendor, tmp_path: Path) -> None:
    import torch

    torch.set_num_threads(1)
    recorded(vendor, tmp_path / "events.jsonl")
    split = frozen(tmp_path / "events.jsonl")
    everything = [one for part in (split.train, split.validation, split.test) for one in part.examples]
    assert len(everything) == 2 * len(WORDS) - 1
    turns = [[message["role"] for message in one.messages] for one in everything]
    assert ["system", "user", "assistant", "tool"] in turns
    assert {one.tools[0]["function"]["name"] for one in everything} == {"look_up"}
    assert all(one.model.startswith("gpt-test") for one in everything)
    assert all(one.input_tokens and one.seconds for one in everything)

    recipe = recipes.get("distillation")
    texts = [f"{question_text(one)} {answer_text(one)}" for one in everything]
    calls = [
        f'<tools>look_up</tools><tool_call>{{"name": "look_up", "arguments": {{"word": "{word}"}}' for word in WORDS
    ]
    base = save_tiny_chat(tmp_path / "model", [*texts, *calls, "tool"], TEMPLATE)
    run = RecordedRun(tmp_path, seed=1)
    config = recipe.config(
        base_model=str(base), answer_tokens=48, **TINY_CHAT_CONFIG | {"epochs": 40, "evaluations": 2}
    )
    tuned = recipe.systems(config, recipe.train(split, config, run), run)["tuned"]
    calls = [one for one in split.train.examples if one.response.get("tool_calls")]
    said = [recipe.answer(tuned, one, config, run=run).text for one in calls]
    assert said == [answer_text(one) for one in calls]
    after = next(one for one in split.train.examples if one.messages[-1]["role"] == "tool")
    assert recipe.answer(tuned, after, config, run=run).text == answer_text(after)
