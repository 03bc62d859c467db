"""The Playground asks recipes that answer in words: fields as a person wrote them in, text, note and rows out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from finetune_core.errors import DatasetError
from finetune_core.evaluation.said import Said
from finetune_core.jobs.warm_models import WarmModels
from finetune_core.providers.database import ResultTable
from finetune_core.records import SqlQuestion
from finetune_core.workspace import playground


class _Answering:
    """A recipe over SQL questions that repeats what it was asked."""

    record = SqlQuestion

    def check_example(self, example: Any) -> None:
        if not isinstance(example, SqlQuestion):
            raise DatasetError("another kind", hint="choose")

    def answer(self, system: str, example: SqlQuestion, config: None, *, run: Any) -> Said:
        table = ResultTable(("n",), ((1,), (None,)), is_cut=True, seconds=0.0)
        return Said(f"{system}: {example.question} over {example.schema}{example.sql}", "odd", table)


@dataclass
class _Loaded:
    name: str
    system: str
    recipe: Any
    config: None = None


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that answers, in this one, with JSON between."""

    @contextmanager
    def borrowed(self: WarmModels, project_id: str, contender_id: str, run: Any) -> Iterator[_Loaded]:
        yield _Loaded(f"Model {contender_id}", contender_id, _Answering())

    def call(method: str, *, on_progress: Any, on_said: Any, project_id: str, model_ids: list[str], input: Any) -> Any:
        sent = json.loads(json.dumps(input))
        return json.loads(json.dumps(WarmModels().answer(project_id, model_ids, sent, lambda *_: None)))

    monkeypatch.setattr(WarmModels, "_borrowed", borrowed)
    monkeypatch.setattr("finetune_core.jobs.serving_client.call", call)


def test_what_each_model_says_comes_back_with_its_rows(serving: None) -> None:
    texts = {"question": "How many?", "schema": "CREATE TABLE t (n);", "database": ""}
    answers = playground.ask("p", ["a", "b"], "SqlQuestion", texts)
    assert [one.name for one in answers] == ["Model a", "Model b"]
    assert answers[1].said == Said(
        "b: How many? over CREATE TABLE t (n);", "odd", ResultTable(("n",), ((1,), (None,)), is_cut=True, seconds=0.0)
    )


def test_what_cannot_be_asked_is_told_before_anything_is_loaded(serving: None) -> None:
    with pytest.raises(DatasetError, match="has no schema"):
        playground.ask("p", ["a"], "SqlQuestion", {"question": "How many?", "schema": " "})
    with pytest.raises(DatasetError, match="Functions: this is no JSON"):
        playground.ask("p", ["a"], "ToolCall", {"messages": "Hello", "tools": "[{"})
    with pytest.raises(DatasetError, match="another kind"):
        playground.ask("p", ["a"], "Judgement", {"query": "q", "response": "r", "reference": ""})
