"""`teach` on the command line: answers, calls and scores of a teacher, recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from finetune_core import commands
from finetune_core.errors import TrainingError
from finetune_core.storage import database, pairs, tables
from finetune_core.storage.pairs import NewPair, PairState
from finetune_core.workspace import demonstrations, providers, tools
from tests.generation_fixtures import corpus, provider
from tests.vendors.openai_chat import completion
from tests.vendors.openai_embeddings import serving_embeddings
from tests.vendors.server import serving

BOOK = {"name": "book", "parameters": {"type": "object", "properties": {"people": {"type": "integer"}}}}


def answered(body: dict[str, Any]) -> dict[str, Any]:
    """A call where there are functions, a score where one is asked for, else a sentence."""
    if body.get("tools"):
        reply = completion(body, "")
        call = {"name": "book", "arguments": '{"people": 2}'}
        reply["choices"][0]["message"]["tool_calls"] = [{"id": "c", "type": "function", "function": call}]
        return reply
    is_graded = "Answer to grade:" in body["messages"][-1]["content"]
    return completion(body, json.dumps({"reason": "as it is", "score": 4}) if is_graded else "To see at night.")


def call(*arguments: str) -> Any:
    done = CliRunner().invoke(
        commands.build(), ["teach", "--project", "Lanterns", "--provider", "Loopback", *arguments]
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout[done.stdout.index("{") :])  # the job ran here, so its log came first


@pytest.fixture
def project_id() -> str:
    """A project with an accepted question, and a teacher on loopback."""
    found = corpus(1, 1)
    with database.writing() as connection:
        row = connection.execute(select(tables.chunk)).mappings().one()
        asked = NewPair(
            "q1", "What are lanterns for?", {row["id"]: 1}, row["document_id"], "written", state=PairState.ACCEPTED
        )
        pairs.insert(connection, found, [asked])
    return found


def test_answers_calls_and_scores(project_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, functions = tmp_path / "texts.jsonl", tmp_path / "book.json"
    texts.write_text(json.dumps({"text": "a table for two"}))
    functions.write_text(json.dumps([{"type": "function", "function": BOOK}]))
    tools.add(project_id, "tables", tools.read(functions.read_text()))
    with serving("openai") as vendor, serving_embeddings() as vectors:
        names = ("CreateChatCompletionRequest", "CreateChatCompletionResponse")
        vendor.on("POST", "/chat/completions", *names, answered)
        provider(vendor, monkeypatch)
        providers.save(name="Vectors", base_url=vectors.url, model="vectors", key_variable="LOOPBACK_API_KEY")
        asked = ("--set", "embedder=service:Vectors", "--set", "top_k=1", "--json")
        assert call(*asked, "--estimate")["num_questions"] == 1
        assert call(*asked)["num_written"] == 1
        assert call(*asked)["num_done_before"] == 1
        calls = ("--record", "ToolCall", "--file", str(texts), "--json")
        assert call(*calls, "--functions", str(functions))["num_written"] == 1
        assert call(*calls, "--function-list", "tables")["num_done_before"] == 1
        assert call("--record", "Judgement", "--set", "highest=5", "--json")["num_written"] == 1
    assert {kind: sum(found.values()) for kind, found in demonstrations.counts(project_id).items()} == {
        "Chat": 1, "ToolCall": 1, "Judgement": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--record", "Poem"], "none of Chat"),
        (["--record", "ToolCall"], "--functions or"),
    ],
)
def test_a_call_that_makes_no_sense_is_2(project_id: str, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(commands.build(), ["teach", "--project", "Lanterns", *arguments])
    assert (result.exit_code, said in " ".join(result.output.replace("│", " ").split())) == (2, True), result.output


def test_a_setting_without_a_value_is_told(project_id: str) -> None:
    result = CliRunner().invoke(commands.build(), ["teach", "--project", "Lanterns", "--set", "top_k"])
    assert isinstance(result.exception, TrainingError)
    assert "'top_k' has no '='" in result.exception.message
