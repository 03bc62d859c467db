"""The classifier against scikit-learn, thresholds one can check by hand, and what a training does with odd datasets."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finetune_core import recipes
from finetune_core.errors import DatasetError
from finetune_core.evaluation.routing import NEVER, Routes
from finetune_core.metrics.classification import MacroF1
from finetune_core.records import OUT_OF_SCOPE, Part, SplitName
from finetune_core.training.logistic import fit_logistic
from finetune_core.training.scope import choose_threshold
from tests.training_fixtures import TINY_ROUTING_CONFIG, RecordedRun, Trained


@pytest.mark.parametrize("strength", [1.0, 100.0])
def test_the_classifier_is_the_one_scikit_learn_finds(strength: float) -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    centres = random.normal(size=(5, 12))
    classes = random.integers(0, 5, 200)
    features = centres[classes] + random.normal(0, 0.8, (200, 12))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    ours = fit_logistic(features, classes, 5, strength, lambda: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = LogisticRegression(C=strength, max_iter=1000).fit(features, classes)
    np.testing.assert_allclose(features @ ours.weights.T + ours.biases, theirs.decision_function(features), atol=0.05)
    chosen = (features @ ours.weights.T + ours.biases).argmax(axis=1)
    assert (chosen == theirs.predict(features)).all()
    probabilities = theirs.predict_proba(features)[np.arange(200), classes]
    assert ours.loss == pytest.approx(-np.log(probabilities).mean(), abs=1e-3)


def test_a_fit_hears_an_interrupt_and_refuses_nothing_to_learn() -> None:
    def interrupt() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit_logistic(np.eye(2), np.array([0, 1]), 2, 1.0, interrupt)
    with pytest.raises(ValueError, match="no rows"):
        fit_logistic(np.zeros((0, 2)), np.zeros(0, np.int64), 2, 1.0, lambda: None)


def routes(*best: float) -> Routes:
    """Two choices, the first always ahead with that score."""
    return Routes(np.array([[score, score - 1] for score in best], np.float64), NEVER, 0.0)


def test_with_strangers_the_threshold_has_the_best_macro_f1() -> None:
    true = np.array([-1, -1, 0, -1, 0, 0, 0])
    assert choose_threshold(routes(1, 2, 3, 4, 5, 6, 7), true, 0.99) == 4.5
    assert choose_threshold(routes(1, 1, 1, 4, 5, 6, 7), true, 0.99) == 4.5
    assert choose_threshold(routes(5, 5, 5, 5, 5, 5, 5), true, 0.99) == NEVER  # refused together or not at all


@pytest.mark.parametrize("seed", range(4))
def test_no_other_threshold_is_better(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(60, 4)).round(1)
    true = random.integers(-1, 4, 60).astype(float)
    found = Routes(scores, choose_threshold(Routes(scores, NEVER, 0.0), true, 0.99), 0.0)

    def value(one: Routes) -> float:
        return MacroF1()({"true": true, "predicted": one.decisions})

    others = [value(Routes(scores, threshold, 0.0)) for threshold in np.arange(-3, scores.max(), 0.05)]
    assert value(found) >= max(others) - 1e-9


def test_without_strangers_the_lowest_scores_are_turned_away_and_no_more_than_asked() -> None:
    true = np.zeros(10)
    assert choose_threshold(routes(*range(10)), true, 0.8) == 1.5
    assert choose_threshold(routes(*range(10)), true, 1.0) == NEVER
    assert choose_threshold(routes(*range(10)), true, 0.99) == NEVER
    assert choose_threshold(routes(0, 1, 1, 1, 2, 3, 4, 5, 6, 7), true, 0.8) == 0.5  # equal scores stay together
    assert choose_threshold(Routes(np.zeros((0, 2)), NEVER, 0.0), np.zeros(0), 0.9) == NEVER


def run_in(trained_router: Trained, folder: Path) -> RecordedRun:
    run = RecordedRun(folder, seed=1)
    run.cache = trained_router.run.cache
    return run


def test_without_validation_queries_the_strength_is_chosen_by_cross_validation(
    trained_router: Trained, tmp_path: Path
) -> None:
    split = replace(trained_router.split, validation=Part(SplitName.VALIDATION, (), trained_router.split.train.corpus))
    recipe = recipes.get("router")
    model = recipe.train(split, trained_router.config, run_in(trained_router, tmp_path))
    assert model.facts["held_out"] == "cross-validation"
    assert model.facts["num_held_out"] == len(split.train)
    assert 0.3 < model.facts["best_validation"] <= 1
    system = recipe.systems(trained_router.config, model, trained_router.run)["tuned"]
    report = recipe.evaluate(system, split.test, trained_router.config, trained_router.run)
    assert recipe.metrics["in_scope_accuracy"](report.columns) > 0.9


def test_the_other_method_tunes_the_embedding_of_queries_and_choices(trained_router: Trained, tmp_path: Path) -> None:
    recipe = recipes.get("router")
    settings = {"method": "choices", "epochs": 4, "learning_rate": 3e-4, "batch_size": 4}
    config = recipe.config(**TINY_ROUTING_CONFIG | settings)
    run = run_in(trained_router, tmp_path)
    model = recipe.train(trained_router.split, config, run)
    recipe.save(model, tmp_path / "saved")
    loaded = recipe.load(tmp_path / "saved", run)
    found = {}
    for key, system in recipe.systems(config, loaded, run).items():
        report = recipe.evaluate(system, trained_router.split.test, config, run)
        found[key] = recipe.metrics["macro_f1"](report.columns)
    assert found["tuned"] > found["base"] + 0.1
    steps = [step for step, _ in run.metrics["validation_macro_f1"]]
    assert steps == [0, model.facts["best_step"]]
    assert (tmp_path / "saved" / "embedder" / "model.safetensors").is_file()


def test_a_choice_without_training_queries_is_never_chosen_and_counted(trained_router: Trained, tmp_path: Path) -> None:
    split = trained_router.split
    kept = tuple(example for example in split.train.examples if example.label != "c0")
    split = replace(split, train=replace(split.train, examples=kept))
    recipe = recipes.get("router")
    model = recipe.train(split, trained_router.config, run_in(trained_router, tmp_path))
    assert model.facts["num_untaught"] == 1
    system = recipe.systems(trained_router.config, model, trained_router.run)["tuned"]
    report = recipe.evaluate(system, split.test, trained_router.config, trained_router.run)
    assert 0 not in report.columns["predicted"]


def test_fewer_than_two_choices_are_refused(trained_router: Trained, tmp_path: Path) -> None:
    split = trained_router.split
    kept = tuple(example for example in split.train.examples if example.label in ("c1", OUT_OF_SCOPE))
    recipe = recipes.get("router")
    for examples in (kept, ()):
        few = replace(split, train=replace(split.train, examples=examples))
        with pytest.raises(DatasetError, match="at least 2 choices"):
            recipe.train(few, trained_router.config, run_in(trained_router, tmp_path))


def test_strengths_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"between 0\.000001"):
        recipes.get("router").config(strengths=(0.0,))


def test_a_router_over_a_model_tuned_here_carries_it_along(
    trained: Trained, trained_router: Trained, tmp_path: Path
) -> None:
    embedding, recipe = recipes.get("embedding"), recipes.get("router")
    run = RecordedRun(tmp_path, seed=1)
    run.folders["m1"] = tmp_path / "m1"
    embedding.save(trained.model, run.folders["m1"])
    config = recipe.config(**TINY_ROUTING_CONFIG | {"base_model": "model:m1"})
    model = recipe.train(trained_router.split, config, run)
    recipe.save(model, tmp_path / "router")
    assert (tmp_path / "router" / "embedder" / "model.safetensors").is_file()
    run.folders.clear()  # deleted meanwhile
    loaded = recipe.load(tmp_path / "router", run)
    found = recipe.answer(
        loaded.file.router("tuned", loaded.embedder),
        "zorble?",
        config,
        corpus=trained_router.split.test.corpus,
        run=run,
    )
    assert found.decision == "c3"


def test_an_answer_comes_with_every_choice(trained_router: Trained) -> None:
    recipe = recipes.get("router")
    system = recipe.systems(trained_router.config, trained_router.model, trained_router.run)["tuned"]
    asked = {"corpus": trained_router.split.test.corpus, "run": trained_router.run}
    found = recipe.answer(system, "zorble?", trained_router.config, **asked)
    assert (found.decision, found.ranked[0].name, len(found.ranked)) == ("c3", "tyres", 8)
    assert recipe.answer(system, "How deep is the sea?", trained_router.config, **asked).is_out_of_scope


def test_tuned_on_everything_there_is_neither_router_has_a_threshold(trained_router: Trained, tmp_path: Path) -> None:
    split = replace(trained_router.split, validation=Part(SplitName.VALIDATION, (), trained_router.split.train.corpus))
    recipe = recipes.get("router")
    config = recipe.config(**TINY_ROUTING_CONFIG | {"method": "choices", "epochs": 1})
    model = recipe.train(split, config, run_in(trained_router, tmp_path))
    assert (model.file.threshold, model.base_threshold, model.facts["held_out"]) == (NEVER, NEVER, "none")
    recipe.save(model, tmp_path / "saved")
    loaded = recipe.load(tmp_path / "saved", trained_router.run)
    assert (loaded.file.threshold, loaded.base_threshold) == (NEVER, NEVER)
