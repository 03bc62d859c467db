"""A finished comparison whose questions have true answers, and services on loopback that answer and judge."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from finetune_core.jobs.worker import run_queued_here
from finetune_core.recipe import Recipe
from finetune_core.records import Part, Split
from finetune_core.workspace import comparisons, panels, projects, providers
from finetune_core.workspace.comparisons import ComparisonView
from tests import example_comparison
from tests.example_comparison import WordEmbedder
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


def first_passage(body: dict[str, Any]) -> str:
    """The text, without its heading, of the first passage in the prompt."""
    shown = body["messages"][0]["content"].split("Passage 1:\n")[1].split("\n\n")[0]
    return shown.split("\n", 1)[1].split("Passage 2:")[0].strip()


def answer(body: dict[str, Any]) -> str:
    """The writer repeats the first passage. The judge finds everything right, but cannot be read where delta is said twice."""
    if body["model"] != "judge-1":
        return first_passage(body)
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
