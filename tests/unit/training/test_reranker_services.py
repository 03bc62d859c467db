"""A reranker and a service that reranks: its scores as a teacher, and its stock model beside the tuned one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune_core import recipes
from finetune_core.errors import ProviderError
from finetune_core.providers import retries
from tests.cohere_fixtures import VARIABLE, loopback
from tests.training_fixtures import RecordedRun, Trained
from tests.vendors.cohere import serving_cohere
from tests.vendors.server import KEY, Fault, Vendor

RECIPE = recipes.get("cross_encoder")
BUSY = Fault(429, '{"message": "slow down"}', {"retry-after": "0"})


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    with serving_cohere() as (running, _):
        yield running


def run_at(vendor: Vendor, folder: Path) -> RecordedRun:
    run = RecordedRun(folder, seed=1)
    run.services["loopback"] = loopback(vendor.url)
    return run


def test_a_services_scores_are_learned_and_paid_for_once(
    vendor: Vendor, trained_cross_encoder: Trained, tmp_path: Path
) -> None:
    shared = trained_cross_encoder
    split = replace(shared.split, train=replace(shared.split.train, examples=shared.split.train.examples[:12]))
    own: dict[str, Any] = {"loss": "MSELoss", "teacher": "service:loopback", "epochs": 1, "evaluations": 1}
    config = RECIPE.config(**shared.config.model_dump() | own)
    run = run_at(vendor, tmp_path)
    vendor.faults.extend([BUSY, *[None] * 4, Fault(402, '{"message": "no credit left"}')])
    with pytest.raises(ProviderError, match="402: no credit left"):
        RECIPE.train(split, config, run)
    assert run.num_searches == {"loopback": 4}

    again = run_at(vendor, tmp_path)
    vendor.faults.extend([None, BUSY, BUSY])
    model = RECIPE.train(split, config, again)
    assert run.num_searches["loopback"] + again.num_searches["loopback"] == model.facts["num_rows"] == 12
    answered = [seen for seen in vendor.requests if seen.body["query"]]
    assert len(answered) == 12 + 1 + 1 + 2, "one busy and one refused at first, two busy later"
    assert {len(seen.body["documents"]) for seen in answered} == {1 + config.random_negatives}
    assert np.isfinite([loss for _, loss in again.metrics["loss"]]).all()


def test_a_teacher_that_cannot_be_asked_is_said_before_anything_is_learned(
    vendor: Vendor, trained_cross_encoder: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = trained_cross_encoder
    config = RECIPE.config(**shared.config.model_dump() | {"loss": "MSELoss", "teacher": "service:loopback"})
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ProviderError, match=f"{VARIABLE} is not set"):
        RECIPE.train(shared.split, config, run_at(vendor, tmp_path))
    assert not vendor.requests


def test_the_stock_reranker_stands_beside_the_tuned_one_and_is_asked_only_when_compared(
    vendor: Vendor, trained_cross_encoder: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = trained_cross_encoder
    config = RECIPE.config(**shared.config.model_dump() | {"stock_service": "loopback"})
    run = run_at(vendor, tmp_path)
    run.cache = shared.run.cache
    systems = RECIPE.systems(config, shared.model, run)
    assert "stock" in RECIPE.systems(config, None, run), "it stands without a tuned model"
    part = shared.split.test
    reports = {name: RECIPE.evaluate(systems[name], part, config, run) for name in ("tuned", "stock")}
    assert len(vendor.requests) == run.num_searches["loopback"] == reports["stock"].facts["num_searches"] == len(part)
    assert "num_searches" not in reports["tuned"].facts
    assert reports["stock"].details != reports["tuned"].details
    monkeypatch.delenv(VARIABLE)
    unasked = RECIPE.systems(config, shared.model, run)
    assert RECIPE.evaluate(unasked["tuned"], part, config, run).details == reports["tuned"].details
    with pytest.raises(ProviderError, match=f"{VARIABLE} is not set"):
        RECIPE.evaluate(unasked["stock"], part, config, run)


@pytest.mark.parametrize("identity", ["ft-7", "ft-7-ft"])
def test_a_fine_tuned_reranker_is_called_by_its_id_with_one_suffix(identity: str) -> None:
    from finetune_core.recipes.cohere_reranker import CohereModel

    assert CohereModel(identity, "https://api.cohere.com", "Cohere").rerank_name == "ft-7-ft"
