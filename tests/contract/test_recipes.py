"""What every recipe promises, tried on each one that is found."""

import hashlib
import json
import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune_core import recipes
from finetune_core.errors import FinetuneError, JobCancelled, StopRequested
from finetune_core.evaluation.side_by_side import TEACHER
from finetune_core.providers.bundled import BUNDLED_EMBEDDER, is_bundled_installed
from finetune_core.providers.reranker import LocalReranker
from finetune_core.training import session
from tests.recipe_data import SHARED, SPLITS
from tests.training_fixtures import TINY_CONFIG, RecordedRun, Trained

NAMES = sorted(recipes.discover())
KILL_AT = {"cross_encoder": 4, "embedding": 4, "embedding_adapter": 4, "router": 2}
"""The step at which a training is killed, with at least one more to go. Chat models share one tuner, which has its own test."""
HEAVY = ("torch", "transformers", "sentence_transformers", "datasets", "ragas", "openai", "cohere", "llama_index")

every_recipe = pytest.mark.parametrize("name", NAMES)
every_trained = pytest.mark.parametrize("name", sorted(SHARED))
every_stepwise = pytest.mark.parametrize("name", sorted(KILL_AT))
"""Those that take their steps on this machine; a service takes its own."""


@pytest.fixture(autouse=True)
def models() -> None:
    if not is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")


@pytest.fixture
def shared(name: str, request: pytest.FixtureRequest) -> Trained:
    """The recipe's own small training, made once for all tests."""
    found: Trained = request.getfixturevalue(SHARED[name])
    return found


@every_recipe
def test_it_is_described_and_its_defaults_are_valid(name: str) -> None:
    recipe = recipes.get(name)
    assert recipe.name == name
    assert recipe.title
    assert recipe.summary
    assert recipe.source
    assert recipe.headline in recipe.metrics
    assert recipe.config().model_dump(mode="json")
    for field, info in recipe.config.model_fields.items():
        assert info.title, field
        assert info.description, field


def test_discovering_imports_nothing_heavy() -> None:
    code = f"import sys; from finetune_core import recipes; recipes.discover(); print(sorted({HEAVY} & sys.modules.keys()))"
    code = code.replace(str(HEAVY), "set(" + str(HEAVY) + ")")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_recipe_is_said_with_the_known_ones() -> None:
    with pytest.raises(FinetuneError) as caught:
        recipes.get("embeding")
    assert "embedding" in caught.value.hint


def _scores(name: str, config: Any, model: Any, split: Any, run: RecordedRun) -> dict[str, Any]:
    recipe = recipes.get(name)
    return {
        key: recipe.evaluate(system, split.test, config, run)
        for key, system in recipe.systems(config, model, run).items()
    }


def _about(detail: dict[str, Any]) -> dict[str, Any]:
    """What equals a detail but for the last digits of its scores, where it has any."""
    scores = {name: detail[name] for name in ("score", "scores") if detail.get(name) is not None}
    return {**detail, **{name: pytest.approx(value, abs=1e-4) for name, value in scores.items()}}


@every_trained
def test_the_shared_training_learned_above_the_baselines(name: str, shared: Trained) -> None:
    recipe = recipes.get(name)
    reports = _scores(name, shared.config, shared.model, shared.split, shared.run)
    headline = {key: recipe.metrics[recipe.headline](report.columns) for key, report in reports.items()}
    baselines = recipe.systems(shared.config, None, shared.run)
    own = headline.keys() - baselines.keys()
    assert {"tuned"} <= own
    assert all(key.startswith("tuned") for key in own)
    assert headline["tuned"] > headline["base"] + 0.1
    beatable = [key for key in baselines if not reports[key].facts.get(TEACHER)]
    assert all(headline["tuned"] > headline[key] for key in beatable)
    assert all(report.ids == tuple(e.id for e in shared.split.test.examples) for report in reports.values())


def test_what_was_logged_shows_the_training(trained: Trained) -> None:
    metrics = trained.run.metrics
    steps = [step for step, _ in metrics["loss"]]
    assert steps == list(range(1, trained.run.facts["total_steps"] + 1))
    assert metrics.keys() == {"loss", "learning_rate", "grad_norm", "validation_ndcg@10"}
    assert metrics["validation_ndcg@10"][0] == (0, trained.run.facts["base_validation"])
    assert len(metrics["validation_ndcg@10"]) == 1 + trained.config.evaluations
    best = max(metrics["validation_ndcg@10"][1:], key=lambda point: point[1])
    assert trained.run.facts["best_step"] == best[0]


@every_trained
def test_saving_and_loading_gives_an_equal_report(name: str, shared: Trained, tmp_path: Path) -> None:
    recipe = recipes.get(name)
    recipe.save(shared.model, tmp_path / "saved")
    fresh = RecordedRun(tmp_path)  # a cache of its own: the loaded weights have to do the work
    fresh.services = shared.run.services
    loaded = recipe.load(tmp_path / "saved", fresh)
    before = _scores(name, shared.config, shared.model, shared.split, shared.run)
    after = _scores(name, shared.config, loaded, shared.split, fresh)
    assert after.keys() == before.keys()
    for key, report in before.items():
        for one, other in zip(report.details, after[key].details, strict=True):
            # A vector's last digits depend on the texts it was encoded with; nothing else may differ.
            assert other == _about(one), key
    assert {path.suffix for path in (tmp_path / "saved").rglob("*") if path.is_file()} <= {
        ".jinja",  # a chat template, which transformers renders in a sandbox
        ".json",
        ".safetensors",
        ".txt",
    }


def _hash(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def _train_until_killed(name: str, config: Any, folder: Path) -> None:
    import torch

    torch.set_num_threads(1)
    session.CHECKPOINT_S = 0.0
    run = RecordedRun(folder, seed=1)
    run.kill_at = KILL_AT[name]
    recipes.get(name).train(SPLITS[name](), config, run)


@pytest.fixture
def small(name: str, request: pytest.FixtureRequest) -> Trained:
    """`shared`, or what trains faster and learns less."""
    found: Trained = request.getfixturevalue((SHARED | {"embedding": "trained_tiny"})[name])
    return found


@every_stepwise
def test_a_killed_training_ends_where_an_undisturbed_one_does(name: str, small: Trained, tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(
        target=_train_until_killed, args=(name, small.config, tmp_path)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert any((tmp_path / "work" / "training").iterdir())
    run = RecordedRun(tmp_path, seed=1)
    resumed = recipes.get(name).train(small.split, small.config, run)
    assert KILL_AT[name] <= run.metrics["loss"][0][0] <= KILL_AT[name] + 1  # at most one step is done again
    best = {key: value for key, value in small.model.facts.items() if key.startswith("best_")}
    assert best == {key: resumed.facts[key] for key in best}
    before = _scores(name, small.config, small.model, small.split, small.run)["tuned"]
    after = _scores(name, small.config, resumed, small.split, run)["tuned"]
    for one, other in zip(before.details, after.details, strict=True):
        assert other == _about(one)


@every_stepwise
def test_a_stopped_training_keeps_the_best_so_far_and_a_cancelled_one_nothing(
    name: str, small: Trained, tmp_path: Path
) -> None:
    recipe = recipes.get(name)
    run = RecordedRun(tmp_path, seed=1)
    run.cache = small.run.cache
    run.stop_at = KILL_AT[name] - 1
    stopped = recipe.train(small.split, small.config, run)
    assert stopped.facts["stopped"]
    assert stopped.facts["last_step"] == KILL_AT[name] - 1
    resumed = recipe.train(small.split, small.config, run)
    assert not resumed.facts["stopped"]
    assert resumed.facts["last_step"] == small.model.facts["last_step"]
    for attribute, interrupt in (("cancel_at", JobCancelled), ("stop_at", StopRequested)):
        early = RecordedRun(tmp_path / attribute, seed=1)
        early.cache = small.run.cache
        setattr(early, attribute, 0)
        with pytest.raises(interrupt):
            recipe.train(small.split, small.config, early)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "CachedMultipleNegativesRankingLoss", "query_prefix": "query: ", "passage_prefix": "passage: "},
        {"loss": "MultipleNegativesSymmetricRankingLoss", "matryoshka_dims": (32, 64), "schedule": "cosine"},
        {"hard_negatives": 1, "margin": 0.0, "warmup": 0.0},
    ],
)
def test_the_other_settings_train_as_well(settings: dict[str, Any], trained_tiny: Trained, tmp_path: Path) -> None:
    recipe = recipes.get("embedding")
    run = RecordedRun(tmp_path, seed=1)
    config = recipe.config(**trained_tiny.config.model_dump() | {"epochs": 1, "evaluations": 1} | settings)
    model = recipe.train(trained_tiny.split, config, run)
    assert model.facts["last_step"] == model.facts["total_steps"]
    prompts = json.loads((model.folder / "config_sentence_transformers.json").read_text())["prompts"]
    assert prompts == {"query": config.query_prefix, "document": config.passage_prefix}


def test_a_matryoshka_size_beyond_the_model_is_refused(trained: Trained, tmp_path: Path) -> None:
    recipe = recipes.get("embedding")
    run = RecordedRun(tmp_path, seed=1)
    run.cache = trained.run.cache
    with pytest.raises(FinetuneError, match="1000"):
        recipe.train(trained.split, recipe.config(**TINY_CONFIG | {"matryoshka_dims": (1000,)}), run)


def test_nothing_to_learn_from_is_said(trained: Trained, tmp_path: Path) -> None:
    from dataclasses import replace

    split = replace(trained.split, train=replace(trained.split.train, examples=trained.split.train.examples[:1]))
    with pytest.raises(FinetuneError, match="at least 2"):
        recipes.get("embedding").train(split, trained.config, RecordedRun(tmp_path))


@pytest.mark.parametrize(
    "settings",
    [
        {"base_model": BUNDLED_EMBEDDER, "batch_size": 6, "random_negatives": 1},
        {"loss": "BinaryCrossEntropyLoss", "hard_negatives": 1, "margin": 0.0},
        {"loss": "LambdaLoss"},
        {"loss": "MultipleNegativesRankingLoss", "use_retriever_score": False},
        {"loss": "MSELoss"},
        {"loss": "MarginMSELoss", "schedule": "cosine"},
    ],
)
def test_the_other_losses_and_bases_of_a_reranker_train_as_well(
    settings: dict[str, Any], trained_cross_encoder: Trained, tmp_path: Path
) -> None:
    recipe, shared = recipes.get("cross_encoder"), trained_cross_encoder
    run = RecordedRun(tmp_path, seed=1)
    run.cache = shared.run.cache
    if settings.get("loss") in {"MSELoss", "MarginMSELoss"}:
        settings = settings | {"teacher": str(shared.model.folder)}
    config = recipe.config(**shared.config.model_dump() | {"epochs": 1, "evaluations": 1} | settings)
    model = recipe.train(shared.split, config, run)
    assert model.facts["last_step"] == model.facts["total_steps"]
    assert np.isfinite([loss for _, loss in run.metrics["loss"]]).all()


def test_an_untrained_cross_encoder_is_no_baseline_and_a_trained_one_is(
    trained_cross_encoder: Trained, tmp_path: Path
) -> None:
    recipe, run = recipes.get("cross_encoder"), trained_cross_encoder.run
    config = trained_cross_encoder.config
    assert recipe.systems(config, None, run).keys() == {"bm25", "base", "hybrid"}
    again = recipe.config(**config.model_dump() | {"base_model": str(trained_cross_encoder.model.folder)})
    assert recipe.systems(again, None, run).keys() == {"bm25", "base", "hybrid", "base reranker"}
    for untrained in (config.base_model, BUNDLED_EMBEDDER):
        with pytest.raises(FinetuneError, match="never trained to rerank"):
            LocalReranker(untrained, 32, tmp_path).score("question", ["passage"])


def test_the_exported_folder_gives_equal_scores_in_llama_index_and_sentence_transformers(
    trained_cross_encoder: Trained, tmp_path: Path
) -> None:
    from llama_index.core.postprocessor import SentenceTransformerRerank
    from llama_index.core.schema import NodeWithScore, TextNode
    from sentence_transformers import CrossEncoder

    recipe, model = recipes.get("cross_encoder"), trained_cross_encoder.model
    recipe.save(model, tmp_path / "saved")
    recipe.exports["sentence-transformers"](tmp_path / "saved", tmp_path / "export")
    texts = [passage.full_text for passage in trained_cross_encoder.split.test.corpus]
    ours = LocalReranker(model.folder, model.max_tokens, tmp_path / "cache").score("What is zorble?", texts)
    theirs = CrossEncoder(str(tmp_path / "export")).predict([("What is zorble?", text) for text in texts])
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
    rerank = SentenceTransformerRerank(model=str(tmp_path / "export"), top_n=len(texts), trust_remote_code=False)
    nodes = [NodeWithScore(node=TextNode(text=text), score=0.0) for text in texts]
    found = {
        node.node.get_content(): node.score for node in rerank.postprocess_nodes(nodes, query_str="What is zorble?")
    }
    np.testing.assert_allclose([found[text] for text in texts], ours, atol=1e-4)
