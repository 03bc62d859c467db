"""Providers: what is kept, what is refused, and that a key never is."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_core.errors import ProviderError
from finetune_core.storage import database
from finetune_core.workspace import providers
from tests.vendors.cohere import STOCK, serving_cohere
from tests.vendors.openai_chat import serving_chat
from tests.vendors.openai_finetuning import BASE, Account, serving_finetuning
from tests.vendors.server import KEY, Vendor

GOOD = {"name": "Mine", "base_url": "http://localhost:1234/v1/", "model": "m", "key_variable": "MINE_API_KEY"}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving_chat(lambda body: "ready") as running:
        yield running


def test_is_kept_changed_and_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = providers.save(**GOOD, input_usd_per_million=1.5, output_usd_per_million=3, prices_on="2026-11-01")
    (view,) = providers.listing()
    assert view.provider == saved
    assert saved.base_url == "http://localhost:1234/v1"
    assert (view.is_key_set, view.env_line) == (False, "MINE_API_KEY=your-key")
    monkeypatch.setenv("MINE_API_KEY", "x")
    assert (providers.get("Mine").is_key_set, providers.get(saved.id).env_line) == (True, "")
    changed = providers.save(**GOOD | {"model": "n"}, provider_id=saved.id)
    assert (changed.model, changed.id, changed.prices.are_known) == ("n", saved.id, False)
    providers.delete(saved.id)
    assert providers.listing() == []


def test_a_key_in_dot_env_counts_as_set(tmp_path: Path) -> None:
    providers.save(**GOOD)
    (tmp_path / "no.env").write_text("MINE_API_KEY=abc\n")
    assert providers.get("Mine").is_key_set


def test_prices_carry_their_day() -> None:
    saved = providers.save(**GOOD, input_usd_per_million=1, output_usd_per_million=2)
    assert len(saved.prices.on) == 10
    with pytest.raises(ProviderError, match="'yesterday' is not a day"):
        providers.save(**GOOD | {"name": "b"}, input_usd_per_million=1, prices_on="yesterday")
    with pytest.raises(ProviderError, match="-1 dollars"):
        providers.save(**GOOD | {"name": "b"}, input_usd_per_million=-1)


def test_prices_of_training_are_a_model_a_line() -> None:
    text = "gpt-4.1-mini-2025-04-14 5.00\n\n meta/llama 3: $0.4\n"
    prices = providers.training_prices(text)
    assert prices == {"gpt-4.1-mini-2025-04-14": 5.0, "meta/llama 3": 0.4}
    saved = providers.save(**GOOD, training_usd_per_million=prices)
    assert len(saved.prices.on) == 10
    kept = providers.get("Mine").provider.prices
    assert kept.training_usd_per_million == prices
    assert providers.training_prices(providers.training_prices_text(kept)) == prices
    for wrong, says in (("a 1\nb", "Line 2 .*'b'.*no model with its price"), ("a 1\na 2", "names a again")):
        with pytest.raises(ProviderError, match=says):
            providers.training_prices(wrong)
    with pytest.raises(ProviderError, match="-1"):
        providers.save(**GOOD, training_usd_per_million={"a": -1.0}, provider_id=saved.id)


def test_the_end_of_a_model_is_asked_of_the_service_and_only_the_vendors_own_is_known_to_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = Account(shutdown_date="2027-01-14")
    monkeypatch.setenv("MINE_API_KEY", KEY)
    with serving_finetuning(account) as (vendor, _):
        saved = providers.save(**GOOD | {"base_url": vendor.url})
        assert providers.shutdown_date("Mine", BASE) == datetime.date(2027, 1, 14)
        assert providers.shutdown_date("Mine", "another") is None
        assert providers.ending(saved) == ""
    assert providers.shutdown_date("Mine", BASE) is None, "the service is gone"
    assert "6 January 2027" in providers.ending(
        providers.save(**GOOD | {"base_url": "https://API.openai.com/v1", "name": "o"})
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": " "}, "this one has 0"),
        ({"base_url": "api.example.com"}, "is not an address"),
        ({"base_url": "file:///etc/passwd"}, "is not an address"),
        ({"base_url": "https://user:pw@example.com/v1"}, "no user, password"),
        ({"base_url": "https://example.com/v1?key=abc"}, "no user, password"),
        ({"model": ""}, "model's name is empty"),
        ({"key_variable": "my-key"}, "'my-key' does not"),
    ],
)
def test_what_cannot_be_right_is_refused(change: dict[str, str], says: str) -> None:
    with pytest.raises(ProviderError, match=says) as caught:
        providers.save(**GOOD | change)
    assert caught.value.hint
    assert providers.listing() == []


@pytest.mark.parametrize("key", ["sk-abc123", "gsk_9aZ8yX7wV6uT5sR4q", "a1b2c3d4e5f6a7b8c9d0e1f2"])
def test_a_key_typed_into_the_wrong_field_is_neither_kept_nor_repeated(key: str) -> None:
    with pytest.raises(ProviderError) as caught:
        providers.save(**GOOD | {"key_variable": key})
    assert key not in caught.value.message + caught.value.hint
    assert not [path for path in database.home().rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def test_names_are_taken_once() -> None:
    providers.save(**GOOD)
    with pytest.raises(ProviderError, match="called 'Mine' already"):
        providers.save(**GOOD)
    with pytest.raises(ProviderError, match="there are: Mine"):
        providers.get("Yours")


def test_a_probe_answers_and_is_counted(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    providers.save(**GOOD | {"base_url": vendor.url}, input_usd_per_million=1, output_usd_per_million=1)
    with pytest.raises(ProviderError, match="MINE_API_KEY is not set"):
        providers.probe("Mine")
    monkeypatch.setenv("MINE_API_KEY", KEY)
    outcome = providers.probe("Mine")
    assert (outcome.answer, outcome.output_tokens) == ("ready", 1)
    (spent,) = providers.spent()
    assert (spent.provider, spent.num_calls, spent.spend.tokens) == ("Mine", 1, outcome.input_tokens + 1)
    monkeypatch.setenv("MINE_API_KEY", "sk-not-the-right-one-1234")
    with pytest.raises(ProviderError, match=r"401.*\[key\]"):
        providers.probe("Mine")


@pytest.mark.parametrize(
    ("model", "says", "cost"),
    [(STOCK, "0.100  Paris is the capital of France.", 0.002), ("embed-v4.0", "A vector of 8 numbers.", None)],
)
def test_a_probe_of_cohere_ranks_or_embeds(
    model: str, says: str, cost: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE_API_KEY", KEY)
    with serving_cohere() as (cohere, _):
        providers.save(**GOOD | {"base_url": cohere.url, "model": model}, kind="cohere", usd_per_thousand_searches=2.0)
        assert says in providers.probe("Mine").answer
    (spent,) = providers.spent()
    assert spent.spend.cost_usd == cost
    assert providers.get("Mine").provider.kind == "cohere"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ProviderError, match="'bedrock' is not known") as caught:
        providers.save(**GOOD, kind="bedrock")
    assert "openai, cohere" in caught.value.hint
