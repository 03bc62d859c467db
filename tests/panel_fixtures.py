"""A finished comparison whose questions have true answers, and services on loopback that answer and judge."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from finetune_core.evaluation.judging import CORRECTNESS_METRICS
from finetune_core.jobs import panels as planned
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.chat import Reply
from finetune_core.recipe import Recipe
from finetune_core.records import Part, Split
from finetune_core.storage import database, models
from finetune_core.storage.models import ModelRow
from finetune_core.workspace import comparisons, panels, projects, providers
from finetune_core.workspace.comparisons import ComparisonView
from tests import example_comparison
from tests.example_comparison import WordEmbedder
from tests.judged_comparison import add_judged_comparison, judged_part
from tests.vendors.openai_chat import serving_chat
from tests.vendors.server import KEY, Vendor

WRITER, JUDGE, KEY_VARIABLE = "Writer", "Judge", "PANEL_API_KEY"


def answered_split(num_answered: int = 36) -> Split[Any]:
    """The example's questions, the first with the text of their passage as the true answer."""
    whole = example_comparison.split()
    corpus = whole.test.corpus
    asked = tuple(
        dataclasses.replace(one, answer=corpus[next(iter(one.relevant))].text if at < num_answered else "")
        for at, one in enumerate(whole.test.examples)
    )
    return dataclasses.replace(whole, test=Part(whole.test.name, asked, corpus))


def compared_project(num_answered: int = 36, name: str = "Panels") -> ComparisonView:
    """A project in which base and a tuned model were compared."""
    project_id = projects.create(name).id
    dataset_id = example_comparison.add_dataset(project_id, answered_split(num_answered))
    model = example_comparison.add_model(project_id, dataset_id, "careful", (1.0, 1.0, 1.0, 0.5), f"run-{name}")
    launched = comparisons.launch(project_id, dataset_id, [model])
    run_queued_here()
    return comparisons.get(project_id, launched.comparison_id)


@pytest.fixture
def answered(words_recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> ComparisonView:
    """The comparison, in a process whose embedder counts words and whose worker is the test itself."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    monkeypatch.setattr("finetune_core.recipes._embedders.open_embedder", lambda *_: WordEmbedder())
    return compared_project()


def filled(schema: dict[str, Any], verdict: int, root: dict[str, Any] | None = None) -> Any:
    """The smallest thing a JSON Schema allows; whole numbers are the verdict."""
    root = root or schema
    if "$ref" in schema:
        return filled(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], verdict, root)
    kinds = {"string": "so", "integer": verdict, "number": verdict, "boolean": bool(verdict), "null": None}
    if schema.get("type") == "object":
        return {name: filled(inner, verdict, root) for name, inner in schema["properties"].items()}
    if schema.get("type") == "array":
        return [filled(schema["items"], verdict, root)]
    return kinds[schema["type"]]


def last_passage(body: dict[str, Any]) -> str:
    """The text, without its heading, of the last passage in the prompt."""
    return body["messages"][0]["content"].rsplit("Passage ", 1)[1].split("\n", 2)[2].strip()


def answer(body: dict[str, Any]) -> str:
    """The writer repeats the last passage. The judge finds everything right, but cannot be read where delta is said twice."""
    if body["model"] != "judge-1":
        return last_passage(body)
    if "'delta delta'" in str(body["messages"]):
        return "I would rather not."
    return json.dumps(filled(body["response_format"]["json_schema"]["schema"], 1))


@contextmanager
def services(say: Any = answer, **prices: float) -> Iterator[Vendor]:
    """Both services, at these prices for a million tokens."""
    with serving_chat(say) as vendor:
        for name, model in ((WRITER, "writer-1"), (JUDGE, "judge-1")):
            providers.save(name=name, base_url=vendor.url, model=model, key_variable=KEY_VARIABLE, **prices)
        yield vendor


def panel_params(view: ComparisonView, **values: Any) -> panels.PanelParams:
    """Base against tuned, answered by the writer."""
    base, tuned = view.difference(view.tuned[0]["key"])["against"], view.tuned[0]["key"]
    start = {"comparison_id": view.id, "before": base, "after": tuned, "chat": f"service:{WRITER}"}
    return panels.params_from({**start, **values})


class GradingChat:
    """A tuned judge of correctness: 4 of 5 for answers that say beta, 2 for others, no grade where delta is said thrice."""

    name, fingerprint, num_parallel = "grader", "grader", 1

    def complete(self, messages: Any, **_: Any) -> Reply:
        graded = messages[-1]["content"].split("Answer to grade:")[1].split("Answer with JSON")[0].strip()
        if graded.count("delta") == 3:
            return Reply("no idea", 10, 2)
        return Reply(json.dumps({"score": 4 if "beta" in graded else 2}), 10, 2)

    def close(self) -> None:
        """Nothing is held."""


def add_tuned_judge(project_id: str) -> str:
    """A tuned judge that grades a quarter of the scale too high wherever it can, as its comparison on 12 answers says."""
    part = judged_part()
    true = np.array([(one.score - 1) / 4 for one in part.examples])
    columns = {"true": true, "predicted": np.minimum(true + 0.25, 1), "answered": np.ones(len(part))}
    middle = {**columns, "predicted": np.full(len(part), 0.5)}
    add_judged_comparison(
        project_id, "c-judge", metrics=CORRECTNESS_METRICS, columns={"base": middle, "tuned": columns}
    )
    row = ModelRow("m-judge", project_id, "run-judge", "judge_correctness", "d", "small judge", {"config": {}}, 1)
    with database.writing() as connection:
        models.add(connection, row)
    return f"model:{row.id}"


@pytest.fixture
def tuned_judge(answered: ComparisonView, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tuned judge in the project of `answered`; returns its reference."""
    real = planned.opened
    monkeypatch.setattr(
        planned, "opened", lambda name, run: GradingChat() if name.startswith("model:") else real(name, run)
    )
    return add_tuned_judge(answered.project_id)
