"""A language model as a router, over a loopback service that checks every request against OpenAI's description."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune_core import recipes
from finetune_core.errors import ProviderError
from finetune_core.evaluation.llm_routing import LlmRouter
from finetune_core.evaluation.routing import evaluate_routing
from finetune_core.providers.prices import Prices
from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Part, Passage, ServiceKind, SplitName
from finetune_core.storage.providers import Provider
from tests.training_fixtures import RecordedRun
from tests.vendors.openai_chat import serving_chat
from tests.vendors.server import KEY, Fault

CHOICES = Corpus((Passage("w", "Rain, sun and wind.", "w", "weather"), Passage("m", "Songs and albums.", "m", "music")))
TEST = Part(
    SplitName.TEST,
    tuple(
        Labelled(f"q{number}", query, label, f"q{number}")
        for number, (query, label) in enumerate(
            [("will it rain", "w"), ("play a song", "m"), ("book a table", OUT_OF_SCOPE), ("is it windy", "w")]
        )
    ),
    CHOICES,
)


def chosen(body: dict[str, Any]) -> str:
    """Weather for rain, music for songs, nonsense for wind, else none."""
    query = body["messages"][-1]["content"].split("Query: ")[1].split("\n")[0]
    if "windy" in query:
        return "I would say the weather."
    return json.dumps({"option": 1 if "rain" in query else 2 if "song" in query else 0})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedRun:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    return RecordedRun(tmp_path)


PRICES = Prices(1.0, 2.0, "2026-11-01")


def provider(url: str, prices: Prices = PRICES) -> Provider:
    return Provider(
        id="p",
        name="big",
        kind=ServiceKind.OPENAI,
        base_url=url,
        model="gpt",
        key_variable="LOOPBACK_KEY",
        prices=prices,
    )


def test_it_chooses_refuses_and_says_what_it_costs(run: RecordedRun) -> None:
    with serving_chat(chosen) as vendor:
        run.services["big"] = provider(vendor.url)
        report = evaluate_routing(LlmRouter("llm", "big", 100), TEST, run)
    np.testing.assert_equal(report.columns["predicted"], [0, 1, -1, np.nan])
    assert [detail["decision"] for detail in report.details] == ["w", "m", OUT_OF_SCOPE, None]
    assert report.num_failed("predicted") == 1
    facts = report.facts
    assert facts["num_asked"] == 4
    expected = (facts["input_tokens"] * 1.0 + facts["output_tokens"] * 2.0) / 1e6 / 4
    assert facts["cost_usd_per_query"] == pytest.approx(expected)
    assert facts["latency_ms"] > 0
    prompt = vendor.requests[0].body["messages"][0]["content"]
    assert "0. None of these\n1. weather: Rain, sun and wind.\n2. music: Songs and albums.\n" in prompt
    schema = vendor.requests[0].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["option"]["enum"] == [0, 1, 2]
    assert vendor.requests[0].body["temperature"] == 0


def test_no_query_is_paid_for_twice_and_no_more_are_asked_than_allowed(run: RecordedRun) -> None:
    with serving_chat(chosen) as vendor:
        run.services["big"] = provider(vendor.url, Prices())
        router = LlmRouter("llm", "big", 3, seed=5)
        first = evaluate_routing(router, TEST, run)
        assert len(vendor.requests) == 3
        kept = next(run.workdir.glob("routes-*.jsonl"))
        kept.write_text(kept.read_text(encoding="utf-8") + '{"key": "cut o', encoding="utf-8")
        again = evaluate_routing(router, TEST, run)
        assert len(vendor.requests) == 3
    np.testing.assert_equal(again.columns["predicted"], first.columns["predicted"])
    assert np.isnan(first.columns["predicted"]).sum() >= 1
    assert "cost_usd_per_query" not in first.facts


def test_a_refused_query_is_not_routed_and_a_service_that_fails_is_said(run: RecordedRun) -> None:
    with serving_chat(chosen) as vendor:
        run.services["big"] = provider(vendor.url)
        vendor.faults.append(Fault(422, '{"error": {"message": "too long"}}'))
        report = evaluate_routing(LlmRouter("llm", "big", 100), TEST, run)
        assert report.num_failed("predicted") == 2
        (next(run.workdir.glob("routes-*.jsonl"))).unlink()
        vendor.faults.extend([Fault(403, '{"error": {"message": "not yours"}}')] * 4)
        with pytest.raises(ProviderError, match="not yours"):
            evaluate_routing(LlmRouter("llm", "big", 100), TEST, run)


def test_the_recipe_puts_it_beside_the_others_only_if_it_is_named(run: RecordedRun) -> None:
    recipe = recipes.get("router")
    assert "llm" not in recipe.systems(recipe.config(), None, run)
    for named in ("big", "service:big"):
        assert recipe.systems(recipe.config(llm_service=named), None, run)["llm"].service == "big"
