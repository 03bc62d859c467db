"""Cohere's API as far as a reranker needs it: rerank, embed, datasets and fine-tuning, by the vendor's description.

The fake learns in its own small way: a fine-tuned model knows by heart which words of the queries it was given went with
which passages, where the stock model only counts shared words. So a path that uploads the wrong rows, or asks the wrong
model, is seen in the ranking.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.vendors.server import Fault, Seen, Vendor, serving

STOCK = "rerank-v3.5"
WHEN = "2026-11-01T00:00:00Z"
FINETUNED = "/v1/finetuning/finetuned-models"


@dataclass
class Account:
    """What was created on the fake. `statuses` are gone through, one at each look; the last one stays."""

    statuses: list[str] = field(default_factory=lambda: ["STATUS_QUEUED", "STATUS_FINETUNING", "STATUS_READY"])
    validations: list[str] = field(default_factory=lambda: ["processing", "validated"])
    validation_error: str = ""
    min_rows: int = 256
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    looks: Counter[str] = field(default_factory=Counter)

    def rerank(self, seen: Seen) -> Any:
        model, query, documents = (seen.body[name] for name in ("model", "query", "documents"))
        known = model.removesuffix("-ft")
        if model != STOCK and (not model.endswith("-ft") or known not in self.models):
            return Fault(404, json.dumps({"message": f"model '{model}' not found"}))
        learned = Counter()
        if known in self.models:
            asked = words(query)
            for row in self.rows[self.models[known]["settings"]["dataset_id"]]:
                for passage in row["relevant_passages"]:
                    learned[passage] += len(asked & words(row["query"]) - COMMON)
        scores = [min(1.0, 0.02 * len(words(query) & words(text)) + 0.2 * min(learned[text], 4)) for text in documents]
        order = sorted(range(len(documents)), key=lambda i: -scores[i])
        return {
            "id": "rerank-loopback",
            "results": [{"index": i, "relevance_score": scores[i]} for i in order[: seen.body.get("top_n")]],
            "meta": {
                "api_version": {"version": "2"},
                "billed_units": {"search_units": -(-len(documents) // 100)},
            },
        }

    def embed(self, seen: Seen) -> Any:
        assert seen.body["embedding_types"] == ["float"]
        vectors = [vector(text, seen.body["input_type"]) for text in seen.body["texts"]]
        return {"id": "e", "api_version": {"version": "2"}, "embeddings": {"float": vectors}}

    def create_dataset(self, seen: Seen) -> Any:
        lines = seen.files["data"].decode().splitlines()
        rows = [json.loads(line) for line in lines]
        for row in rows:
            assert row.keys() == {"query", "relevant_passages", "hard_negatives"}
            assert row["query"]
            assert row["relevant_passages"]
            assert not set(row["relevant_passages"]) & set(row["hard_negatives"])
        if len(rows) < self.min_rows:
            return Fault(400, json.dumps({"message": f"at least {self.min_rows} examples are needed"}))
        found = {
            "id": f"ds-{len(self.datasets) + 1}", "name": seen.values["name"], "created_at": WHEN, "updated_at": WHEN,
            "dataset_type": seen.values["type"], "validation_status": "queued",
        }  # fmt: skip
        self.datasets[found["id"]], self.rows[found["id"]] = found, rows
        return {"id": found["id"]}

    def get_dataset(self, seen: Seen) -> Any:
        found = self.datasets[seen.values["id"]]
        found["validation_status"] = self._next(found["id"], self.validations)
        if found["validation_status"] == "failed":
            found["validation_error"] = self.validation_error
        return {"dataset": found}

    def create_model(self, seen: Seen) -> Any:
        assert seen.body["settings"]["base_model"]["base_type"] == "BASE_TYPE_RERANK"
        assert seen.body["settings"]["dataset_id"] in self.datasets
        found = {**seen.body, "id": f"ft-{len(self.models) + 1}", "status": "STATUS_QUEUED", "created_at": WHEN}
        self.models[found["id"]] = found
        return {"finetuned_model": found}

    def get_model(self, seen: Seen) -> Any:
        found = self.models[seen.values["id"]]
        found["status"] = self._next(found["id"], self.statuses)
        return {"finetuned_model": found}

    def delete(self, seen: Seen) -> Any:
        self.deleted.append(seen.values["id"])
        (self.models if seen.values["id"] in self.models else self.datasets).pop(seen.values["id"])
        return {}

    def events(self, seen: Seen) -> Any:
        found = self.models[seen.values["finetuned_model_id"]]
        return {"events": [{"user_id": "u", "status": found["status"], "created_at": WHEN}], "total_size": 1}

    def metrics(self, seen: Seen) -> Any:
        num = 2 * self.looks[seen.values["finetuned_model_id"]]
        points = [
            {"created_at": WHEN, "step_number": step, "metrics": {"loss": 1.0 / step, "accuracy": 1 - 0.5 / step}}
            for step in range(1, num + 1)
        ]
        return {"step_metrics": points}

    def _next(self, key: str, values: list[str]) -> str:
        self.looks[key] += 1
        return values[min(self.looks[key], len(values)) - 1]


COMMON = frozenset(["what", "does", "mean", "tell", "me", "about", "explain", "to", "where", "is", "described"])


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def vector(text: str, input_type: str) -> list[float]:
    """Eight numbers of the text's hash, of length 3: the same text differs as a query and as a passage."""
    digest = hashlib.sha256(f"{input_type} {text}".encode()).digest()
    numbers = [byte - 127.5 for byte in digest[:8]]
    length = sum(number**2 for number in numbers) ** 0.5
    return [3 * number / length for number in numbers]


@contextmanager
def serving_cohere(account: Account | None = None) -> Iterator[tuple[Vendor, Account]]:
    """A running fake of Cohere, and what was created on it; fails on leaving if anything broke the description."""
    account = account or Account()
    with serving("cohere") as vendor:
        vendor.on_path("POST", "/v2/rerank", account.rerank)
        vendor.on_path("POST", "/v2/embed", account.embed)
        vendor.on_path("POST", "/v1/datasets", account.create_dataset)
        vendor.on_path("GET", "/v1/datasets", lambda seen: {"datasets": list(account.datasets.values())})
        vendor.on_path("GET", "/v1/datasets/{id}", account.get_dataset)
        vendor.on_path("DELETE", "/v1/datasets/{id}", account.delete)
        vendor.on_path("POST", FINETUNED, account.create_model)
        vendor.on_path(
            "GET", FINETUNED, lambda seen: {"finetuned_models": list(account.models.values()), "total_size": 1}
        )
        vendor.on_path("GET", FINETUNED + "/{id}", account.get_model)
        vendor.on_path("DELETE", FINETUNED + "/{id}", account.delete)
        vendor.on_path("GET", FINETUNED + "/{finetuned_model_id}/events", account.events)
        vendor.on_path("GET", FINETUNED + "/{finetuned_model_id}/training-step-metrics", account.metrics)
        yield vendor, account
