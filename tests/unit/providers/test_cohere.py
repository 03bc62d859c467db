"""Cohere's rerank and embed endpoints over a loopback service that holds both sides to the vendor's description."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from finetune_core.errors import JobCancelled, ProviderError
from finetune_core.providers import retries
from finetune_core.providers.cohere_client import CohereClient, open_cohere
from finetune_core.providers.cohere_embedder import CohereEmbedder
from finetune_core.providers.cohere_reranker import CohereReranker
from finetune_core.providers.prices import Prices
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipes._embedders import open_embedder
from finetune_core.records import ServiceKind
from finetune_core.storage.providers import Provider
from tests.training_fixtures import RecordedRun
from tests.vendors import cohere
from tests.vendors.server import KEY, Fault, Vendor

TEXTS = ("bread is baked", "trains leave at night", "a rose bush is planted")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with cohere.serving_cohere() as (running, _):
        yield running


@pytest.fixture
def client(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[CohereClient]:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    opened = CohereClient(vendor.url, KEY, timeout_s=5)
    yield opened
    opened.close()


def test_passages_are_scored_in_the_order_given_and_paid_for_once(
    client: CohereClient, tmp_path: Path, vendor: Vendor
) -> None:
    reranker = CohereReranker(client, cohere.STOCK, tmp_path)
    scores = reranker.score("when do trains leave at night", TEXTS)
    assert scores == pytest.approx([0.0, 0.08, 0.0])
    again = CohereReranker(client, cohere.STOCK, tmp_path)
    assert again.score("when do trains leave at night", TEXTS[::-1]) == pytest.approx(scores[::-1])
    assert len(vendor.requests) == 1
    assert (reranker.num_searches, again.num_searches) == (1, 0)
    assert again.score("nothing", []).shape == (0,)


def test_more_passages_than_one_call_takes_go_in_several(client: CohereClient, tmp_path: Path, vendor: Vendor) -> None:
    many = [f"passage {number}" for number in range(1001)]
    assert CohereReranker(client, cohere.STOCK, tmp_path).score("passage", many).shape == (1001,)
    assert [len(seen.body["documents"]) for seen in vendor.requests] == [1000, 1]


def test_texts_are_embedded_by_their_part_in_unit_length(client: CohereClient, tmp_path: Path, vendor: Vendor) -> None:
    embedder = CachedEmbedder(CohereEmbedder(client, "embed-v4.0"), tmp_path)
    passages = embedder.encode_passages([*TEXTS, *(f"text {number}" for number in range(97))])
    queries = embedder.encode_queries(TEXTS)
    assert passages.shape == (100, 8)
    assert np.linalg.norm(passages, axis=1) == pytest.approx(np.ones(100))
    assert queries[0] == pytest.approx(np.array(cohere.vector(TEXTS[0], "search_query")) / 3)
    assert passages[0] == pytest.approx(np.array(cohere.vector(TEXTS[0], "search_document")) / 3)
    assert sorted(len(seen.body["texts"]) for seen in vendor.requests) == [3, 4, 96]
    assert CohereEmbedder(client, "embed-v4.0").fingerprint != CohereEmbedder(client, "embed-v3.0").fingerprint


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, '{"message": "slow down"}', {"retry-after": "0"}),
        Fault(500, "oops"),
        Fault(503, '{"message": "busy"}'),
    ],
)
def test_what_may_pass_is_asked_again(fault: Fault, client: CohereClient, tmp_path: Path, vendor: Vendor) -> None:
    vendor.faults.extend([fault, fault])
    assert CohereReranker(client, cohere.STOCK, tmp_path).score("trains", TEXTS).argmax() == 1
    assert len(vendor.requests) == 3


@pytest.mark.parametrize(
    ("fault", "says", "num_tries", "retryable"),
    [
        (Fault(401, '{"message": "invalid api token"}'), "401: invalid api token", 1, False),
        (Fault(404, '{"message": "fine-tuning was retired"}'), "404: fine-tuning was retired", 1, False),
        (Fault(429, '{"message": "come back"}', {"retry-after": "4000"}), "429: come back", 1, True),
        (Fault(500, '{"message": "out of order"}'), "500: out of order", 5, True),
        (Fault(200, "{broken"), "not what its API describes", 1, True),
        (Fault(200, "[]"), "not what its API describes", 1, True),
        (Fault(200, '{"results": []}'), "scored 0 of 3", 1, False),
    ],
)
def test_what_does_not_pass_is_said_in_the_vendors_words(
    fault: Fault, says: str, num_tries: int, retryable: bool, client: CohereClient, tmp_path: Path, vendor: Vendor
) -> None:
    vendor.faults.extend([fault] * 9)
    with pytest.raises(ProviderError, match=says) as caught:
        CohereReranker(client, cohere.STOCK, tmp_path).score("trains", TEXTS)
    assert (len(vendor.requests), caught.value.retryable) == (num_tries, retryable)
    assert caught.value.hint
    assert caught.value.__cause__ is None


def test_a_service_that_hangs_is_given_up(vendor: Vendor, tmp_path: Path) -> None:
    vendor.faults.append(Fault(hang_s=5))
    client = CohereClient(vendor.url, KEY, timeout_s=0.2, max_attempts=1)
    with pytest.raises(ProviderError, match=r"no answer within 0.2 s") as caught:
        CohereReranker(client, cohere.STOCK, tmp_path).score("trains", TEXTS)
    assert caught.value.retryable
    client.close()


def test_a_wait_can_be_given_up(vendor: Vendor, tmp_path: Path) -> None:
    vendor.faults.append(Fault(429, "{}", {"retry-after": "60"}))
    client = CohereClient(vendor.url, KEY)

    def give_up() -> None:
        raise JobCancelled

    with pytest.raises(JobCancelled):
        CohereReranker(client, cohere.STOCK, tmp_path).score("trains", TEXTS, give_up)
    client.close()


def test_the_key_is_read_when_it_is_needed_and_never_repeated(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ProviderError, match="CO_TEST_KEY is not set"):
        open_cohere(vendor.url, "CO_TEST_KEY")
    wrong = "co-not-the-right-one-123456"
    monkeypatch.setenv("CO_TEST_KEY", wrong)
    client = open_cohere(vendor.url, "CO_TEST_KEY")
    with pytest.raises(ProviderError, match=r"401.*\[key\]") as caught:
        CohereReranker(client, cohere.STOCK, tmp_path).score("trains", TEXTS)
    assert wrong not in caught.value.message
    client.close()


def test_a_service_named_in_a_setting_is_asked_by_its_kind(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CO_TEST_KEY", KEY)
    run = RecordedRun(tmp_path)
    run.services["mine"] = Provider("p", "mine", ServiceKind.COHERE, vendor.url, "embed-v4.0", "CO_TEST_KEY", Prices())
    assert open_embedder("service:mine", run).encode_queries(["a"]).shape == (1, 8)
    assert [seen.path for seen in vendor.requests] == ["/v2/embed"]
