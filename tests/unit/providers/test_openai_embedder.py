"""The OpenAI-compatible embedder against a loopback service that is held to the official API description."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune_core.errors import ProviderError
from finetune_core.providers import retries
from finetune_core.providers.openai_embedder import BATCH_SIZE, OpenAIEmbedder
from finetune_core.recipes._embedders import open_embedder
from finetune_core.records import ServiceKind
from tests.training_fixtures import RecordedRun
from tests.vendors.openai_embeddings import NUM_DIMENSIONS, serving_embeddings, vector_of
from tests.vendors.server import KEY, Fault, Vendor


@dataclass(frozen=True)
class Endpoint:
    name: str
    base_url: str
    model: str
    key_variable: str
    kind: ServiceKind = ServiceKind.OPENAI


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving_embeddings() as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)


def test_vectors_come_in_order_in_batches_and_of_unit_length(vendor: Vendor) -> None:
    paid: list[int] = []
    embedder = OpenAIEmbedder(vendor.url, "embed-test", KEY, on_paid=paid.append)
    texts = [f"text number {number}" for number in range(BATCH_SIZE + 3)]
    vectors = embedder.encode_passages([*texts, ""])
    assert [len(seen.body["input"]) for seen in vendor.requests] == [BATCH_SIZE, 4]
    for text, vector in zip(texts, vectors, strict=False):
        expected = vector_of(text) / np.linalg.norm(vector_of(text))
        np.testing.assert_allclose(vector, expected, atol=1e-6)
    assert paid == [3 * BATCH_SIZE, 3 * 3]
    assert embedder.encode_queries([]).shape == (0, NUM_DIMENSIONS)


def test_what_may_pass_is_tried_again_and_what_may_not_is_told(vendor: Vendor) -> None:
    vendor.faults.extend([Fault(429), Fault(500)])
    assert OpenAIEmbedder(vendor.url, "embed-test", KEY).encode_queries(["a"]).shape == (1, NUM_DIMENSIONS)
    assert len(vendor.requests) == 3
    wrong = "sk-secret-8a7b6c5d4e3f2a1b0c"
    with pytest.raises(ProviderError, match=r"answered 401: Incorrect API key provided: \[key\]"):
        OpenAIEmbedder(vendor.url, "embed-test", wrong).encode_queries(["a"])
    vendor.faults.append(Fault(body='{"object": "list", "model": "m", "data": []}'))
    with pytest.raises(ProviderError):
        OpenAIEmbedder(vendor.url, "embed-test", KEY).encode_queries(["a"])


def test_a_setting_may_name_the_service_and_each_text_is_paid_for_once(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RecordedRun(tmp_path)
    run.services["vendor"] = Endpoint("vendor", vendor.url, "embed-test", "LOOPBACK_KEY")
    with pytest.raises(ProviderError, match="LOOPBACK_KEY is not set"):
        open_embedder("service:vendor", run)
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    first = open_embedder("service:vendor", run).encode_queries(["a b", "c", "a b"])
    second = open_embedder("service:vendor", run).encode_passages(["c", "a b"])
    np.testing.assert_array_equal(first[[1, 0]], second)
    assert [seen.body["input"] for seen in vendor.requests] == [["a b", "c"]]
    other = OpenAIEmbedder(vendor.url, "another", KEY)
    assert other.fingerprint != open_embedder("service:vendor", run).fingerprint


def test_one_that_nobody_closed_lets_go_of_its_sockets(vendor: Vendor) -> None:
    embedder: Any = OpenAIEmbedder(vendor.url, "embed-test", KEY)
    embedder.encode_queries(["a"])
    client, embedder.itself = embedder._client, embedder  # a cycle, as what a framework wraps becomes one
    del embedder
    gc.collect()
    assert client.is_closed()
