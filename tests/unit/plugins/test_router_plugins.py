"""A tuned router in LlamaIndex: the snippet and the plug-in decide as Ayar does, by the tuned weights."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.evaluation.routing import HeadRouter
from finetune_core.plugins.llama_index_selector import llama_index_selector
from finetune_core.plugins.snippets import FRAMEWORKS, render
from finetune_core.records import OUT_OF_SCOPE
from tests.training_fixtures import TINY_ROUTING_CONFIG, RecordedRun, Trained, tiny_routing_split
from tests.warm_python import WarmPython

QUERIES = ["zorble?", "What is quandit?", "mifrax", "How deep is the sea?"]
PRINTED = """
import json, sys
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.llms import MockLLM
from llama_index.core.tools import QueryEngineTool
from llama_index.core import Settings
Settings.llm = MockLLM()

class Named(CustomQueryEngine):
    called: str
    def custom_query(self, query_str):
        return self.called

names = [*{names!r}, "small talk"]
tools = [QueryEngineTool.from_defaults(Named(called=name), name=name, description="-") for name in names]
selector.otherwise = "small talk"
engine = RouterQueryEngine(selector=selector, query_engine_tools=tools)
asked = [engine.query(query) for query in {queries!r}]
print(json.dumps([[str(answer) for answer in asked], [selector.scores(query) for query in {queries!r}]]))
assert "finetune_core" not in sys.modules
"""


@pytest.fixture(scope="module")
def tuned_by_choices(trained_router: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The same queries, learned by the other method."""
    recipe, run = recipes.get("router"), RecordedRun(tmp_path_factory.mktemp("choices"), seed=1)
    settings = {"method": "choices", "epochs": 4, "learning_rate": 3e-4, "batch_size": 4}
    config = recipe.config(**TINY_ROUTING_CONFIG | settings)
    return Trained(run, trained_router.split, config, recipe.train(trained_router.split, config, run))


@pytest.fixture(params=["trained_router", "tuned_by_choices"])
def routed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(the recipe's model, its config, its run, the exported folder under a name that is awkward in code)."""
    recipe, trained = recipes.get("router"), request.getfixturevalue(request.param)
    model, config, run = trained.model, trained.config, trained.run
    artefact, target = tmp_path_factory.mktemp("artefact"), tmp_path_factory.mktemp("o'ut") / 'my "router"'
    target.mkdir()
    recipe.save(model, artefact)
    next(iter(recipe.exports.values()))(artefact, target)
    return model, config, run, target


def answers(routed: Any, key: str) -> list[Any]:
    """What Ayar itself answers with the tuned or the untuned router."""
    recipe, (model, config, run, _) = recipes.get("router"), routed
    system = recipe.systems(config, model, run)[key]
    corpus = tiny_routing_split().test.corpus
    return [recipe.answer(system, query, config, corpus=corpus, run=run) for query in QUERIES]


def test_the_router_built_from_the_snippet_uses_the_tuned_weights(
    routed: Any, bare_python: WarmPython, tmp_path: Path
) -> None:
    folder = routed[3]
    (framework,) = FRAMEWORKS["router"]
    code = render(framework.template, folder=str(folder), name="Tuned")
    assert "finetune_core" not in code
    names = [choice.title for choice in tiny_routing_split().test.corpus]
    done = bare_python.run(code + PRINTED.format(names=names, queries=QUERIES), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    went, scores = json.loads(done.stdout.splitlines()[-1])
    name_of = {choice.id: choice.title for choice in tiny_routing_split().test.corpus} | {OUT_OF_SCOPE: "small talk"}
    tuned, untuned = answers(routed, "tuned"), answers(routed, "base")
    assert went == [name_of[answer.decision] for answer in tuned]
    assert went[:3] == ["tyres", "sunburn", "accounts"]
    assert went[3] == "small talk"
    for mine, ours, base in zip(scores, tuned, untuned, strict=True):
        assert mine == pytest.approx({choice.id: choice.score for choice in ours.ranked}, abs=1e-4)
        assert mine != pytest.approx({choice.id: choice.score for choice in base.ranked}, abs=1e-2)
    assert [answer.decision for answer in untuned] != [answer.decision for answer in tuned]


def test_the_selector_decides_as_ayar_does(routed: Any) -> None:
    from llama_index.core.tools.types import ToolMetadata

    selector = llama_index_selector(routed[3], otherwise="other")
    choices = tiny_routing_split().test.corpus
    tools = [ToolMetadata(description="-", name=choice.title) for choice in choices]
    tools.append(ToolMetadata(description="-", name="other"))
    for query, answer in zip(QUERIES, answers(routed, "tuned"), strict=True):
        result = selector.select(tools, query)
        assert result.ind == (8 if answer.is_out_of_scope else choices.positions[answer.decision])
    assert llama_index_selector(routed[3]).select(tools[:8], QUERIES[3]).selections == []
    with pytest.raises(ValueError, match="boats"):
        selector.select([*tools, ToolMetadata(description="-", name="boats")], "zorble?")
    with pytest.raises(ValueError, match="other"):
        selector.select(tools[:8], "zorble?")


def test_an_export_needs_nothing_that_stays_in_ayar(routed: Any) -> None:
    model, _, _, folder = routed
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"router.json", "embedder/model.safetensors", "embedder/modules.json"} <= names
    assert "origin.json" not in names
    is_head = isinstance(model.file.router("tuned", model.embedder), HeadRouter)
    assert ("head.safetensors" in names) is is_head


def test_inside_ayar_the_snippet_names_the_base_model_where_it_lies(trained_router: Trained) -> None:
    from finetune_core.providers.bundled import BUNDLED_EMBEDDER, locate
    from finetune_core.workspace import models, projects

    project = projects.create("Desk")
    add_router(project.id, "m1", BUNDLED_EMBEDDER, trained_router)
    inside = models.folder("m1")
    for at in ("", str(inside)):
        (snippet,) = models.snippets("m1", at)
        assert snippet.framework == "LlamaIndex"
        assert repr(str(locate(BUNDLED_EMBEDDER))) in snippet.code
    (snippet,) = models.snippets("m1", "/elsewhere")
    assert "FOLDER / 'embedder'" in snippet.code
    add_router(project.id, "m2", "service:vectors", trained_router)
    assert models.snippets("m2") == []


def add_router(project_id: str, model_id: str, base_model: str, trained_router: Trained) -> None:
    """Keep the shared router as a model of a project."""
    from finetune_core.storage import artefacts, database
    from finetune_core.storage import models as rows

    manifest = {"recipe": "router", "config": {}, "base_model": base_model}
    with artefacts.publish(rows.folder(project_id, model_id), manifest) as target:
        recipes.get("router").save(trained_router.model, target)
    with database.writing() as connection:
        rows.add(connection, rows.ModelRow(model_id, project_id, "r", "router", "d", model_id, manifest, 1))
