"""A custom reranker through Cohere's fine-tuning endpoints: rows, upload, validation, training, and what it looks like.

The steps are those of LlamaIndex's guide "Custom Cohere Reranker" (2023), the requests those of the vendor's own API
description. Each step is remembered, so a process that is killed anywhere creates nothing twice.
"""

import json
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from finetune_core.errors import DatasetError, JobCancelled, ProviderError, TrainingError
from finetune_core.providers.cohere_client import CohereClient
from finetune_core.providers.embedder import Embedder
from finetune_core.recipe import Run
from finetune_core.records import Part, QueryPassages, Split
from finetune_core.training.cohere_config import CohereConfig, Negatives
from finetune_core.training.created_once import created_once, finished, unique_name
from finetune_core.training.negatives import mine

MIN_QUERIES = 256
"""The fewest training questions the vendor takes."""
MIN_VALIDATION_QUERIES = 64
"""With fewer, no validation data is sent: the vendor then holds back some of the training questions."""
DATASET_TYPE = "reranker-finetune-input"
READY = "STATUS_READY"
ENDED = frozenset({"STATUS_FAILED", "STATUS_DELETED"})
"""Statuses after which no model comes; one that is not known counts as not finished."""
REFUSED = frozenset({"failed", "skipped"})
"""Validation statuses after which a data set cannot be used."""

Row = dict[str, Any]


def finetune(
    split: Split[QueryPassages], embedder: Embedder, config: CohereConfig, client: CohereClient, run: Run
) -> str:
    """The id of the fine-tuned model once it is ready.

    Raises DatasetError with too few questions or if the vendor refuses the data, TrainingError if the training fails,
    ProviderError in the vendor's words. A stop leaves the vendor's job alone, and going on waits for it; a cancel
    deletes what was created there.
    """
    try:
        dataset_id = _dataset(split, embedder, config, client, run)
        model_id = created_once(
            run,
            "finetuned_model_id",
            lambda: _find_model(client, run),
            lambda: _create_model(client, unique_name(run), dataset_id, config),
            config.poll_s,
        )
        finished(run, lambda: _look_at_model(client, model_id, run), config.poll_s)
    except JobCancelled:
        _delete(client, run)
        raise
    return model_id


def training_rows(part: Part[QueryPassages], embedder: Embedder, config: CohereConfig, run: Run) -> list[Row]:
    """One row for each question, in order: `query`, `relevant_passages`, `hard_negatives` (may be empty).

    Questions worded alike share a row. A question whose passages are not in the corpus has none.
    """
    relevant: dict[str, dict[str, None]] = {}
    for example in part.examples:
        texts = (part.corpus[passage].full_text for passage in example.relevant if passage in part.corpus.positions)
        relevant.setdefault(example.query, {}).update(dict.fromkeys(texts))
    negatives = _negatives(part, embedder, config, run)
    return [
        {
            "query": query,
            "relevant_passages": list(right),
            "hard_negatives": [text for text in negatives.get(query, []) if text not in right],
        }
        for query, right in relevant.items()
        if right
    ]


def _negatives(part: Part[QueryPassages], embedder: Embedder, config: CohereConfig, run: Run) -> dict[str, list[str]]:
    """Texts of wrong passages by question; a question may have fewer than asked, or none."""
    if config.hard_negatives is Negatives.NONE:
        return {}
    if config.hard_negatives is Negatives.COSINE:
        chosen = mine(part, embedder, run.checkpoint).chosen(part, config.num_negatives, config.cosine_margin)
        return {
            example.query: [part.corpus[passage].full_text for passage in chosen.get(example.id, [])]
            for example in part.examples
        }
    texts = list(dict.fromkeys(passage.full_text for passage in part.corpus))
    draw, found = random.Random(config.seed), {}
    for example in part.examples:
        right = {part.corpus[passage].full_text for passage in example.relevant if passage in part.corpus.positions}
        sample = draw.sample(texts, min(len(texts), config.num_negatives + len(right)))
        found[example.query] = [text for text in sample if text not in right][: config.num_negatives]
        run.checkpoint()
    return found


def _dataset(
    split: Split[QueryPassages], embedder: Embedder, config: CohereConfig, client: CohereClient, run: Run
) -> str:
    """The id of the uploaded and validated data set."""

    def create() -> str:
        run.progress(0.05, "Choosing hard negatives")
        rows = training_rows(split.train, embedder, config, run)
        if len(rows) < MIN_QUERIES:
            raise DatasetError(
                f"Cohere takes at least {MIN_QUERIES} training questions; this dataset has {len(rows)}.",
                hint="Write more questions and freeze a new version, or tune a cross-encoder, which needs fewer.",
            )
        held_out = training_rows(split.validation, embedder, config, run)
        files: dict[str, Any] = {"data": ("train.jsonl", _jsonl(rows), "application/jsonl")}
        if len(held_out) >= MIN_VALIDATION_QUERIES:
            files["eval_data"] = ("validation.jsonl", _jsonl(held_out), "application/jsonl")
        run.progress(0.1, f"Uploading {len(rows):,} questions")
        made = client.ask_once(lambda api: api.datasets.create(name=unique_name(run), type=DATASET_TYPE, **files))
        return _id_of(made, "data set")

    dataset_id = created_once(run, "vendor_dataset_id", lambda: _find_dataset(client, run), create, config.poll_s)

    def look() -> bool | None:
        dataset = client.ask(lambda api: api.datasets.get(dataset_id), run.checkpoint).dataset
        if dataset.validation_status in REFUSED:
            words = dataset.validation_error or "; ".join(dataset.validation_warnings or []) or "no reason given"
            raise DatasetError(
                f"Cohere refused the data ({dataset.validation_status}): {words}",
                hint="Mend what it names, freeze a new version and start a new run.",
            )
        run.progress(0.15, f"The service checks the data: {dataset.validation_status}")
        return True if dataset.validation_status == "validated" else None

    finished(run, look, config.poll_s)
    return dataset_id


def _find_dataset(client: CohereClient, run: Run) -> str | None:
    name = unique_name(run)
    listed = client.ask(lambda api: api.datasets.list(dataset_type=DATASET_TYPE), run.checkpoint).datasets or []
    return next((str(dataset.id) for dataset in listed if dataset.name == name), None)


def _create_model(client: CohereClient, name: str, dataset_id: str, config: CohereConfig) -> str:
    from cohere.finetuning.finetuning.types import BaseModel, FinetunedModel, Settings

    wanted = FinetunedModel(
        name=name,
        settings=Settings(
            base_model=BaseModel(base_type="BASE_TYPE_RERANK", name=config.language), dataset_id=dataset_id
        ),
    )
    made = client.ask_once(lambda api: api.finetuning.create_finetuned_model(request=wanted))
    return _id_of(made.finetuned_model, "fine-tuned model")


def _find_model(client: CohereClient, run: Run) -> str | None:
    name, token = unique_name(run), None
    while True:
        page = client.ask(
            lambda api, token=token: api.finetuning.list_finetuned_models(page_size=100, page_token=token),  # type: ignore[misc]
            run.checkpoint,
        )
        for model in page.finetuned_models or []:
            if model.name == name and model.id:
                return str(model.id)
        token = page.next_page_token or None
        if token is None:
            return None


def _look_at_model(client: CohereClient, model_id: str, run: Run) -> bool | None:
    """True once it can be used. What is new on its curves is logged first."""
    model = client.ask(lambda api: api.finetuning.get_finetuned_model(model_id), run.checkpoint).finetuned_model
    status = str(getattr(model, "status", None) or "STATUS_UNSPECIFIED")
    _log_new_metrics(client, model_id, run)
    _keep_events(client, model_id, run)
    if status in ENDED:
        said = {key: value for key, value in (getattr(model, "model_extra", None) or {}).items() if value}
        words = "; ".join(f"{key}: {value}" for key, value in said.items()) or "the service gives no reason"
        raise TrainingError(
            f"Cohere ended the fine-tuning of {model_id} with {status}: {words}.",
            hint="Look at the model on the service's own page, then start a new run.",
        )
    run.progress(0.9 if status == READY else 0.3, f"The service says {status.removeprefix('STATUS_').lower()}")
    return True if status == READY else None


def _log_new_metrics(client: CohereClient, model_id: str, run: Run) -> None:
    """Keep what the service measured since the last look. Its curves are for the eye: without them the run goes on."""
    last, token = int(run.recall("last_step") or 0), None
    points: list[Any] = []
    with suppress(ProviderError):
        while True:
            page = client.ask(
                lambda api, token=token: api.finetuning.list_training_step_metrics(model_id, page_token=token),  # type: ignore[misc]
                run.checkpoint,
            )
            points += page.step_metrics or []
            token = page.next_page_token or None
            if token is None:
                break
    for point in sorted(points, key=lambda one: one.step_number or 0):
        step = point.step_number or 0
        if step > last:
            run.log(step, **{str(name): float(value) for name, value in (point.metrics or {}).items()})
            run.remember(last_step=step)


def _keep_events(client: CohereClient, model_id: str, run: Run) -> None:
    with suppress(ProviderError):
        listed = client.ask(lambda api: api.finetuning.list_events(model_id), run.checkpoint).events or []
        events = [{"status": str(event.status), "at": str(event.created_at)} for event in listed]
        if events != run.recall("events"):
            run.remember(events=events)


def _delete(client: CohereClient, run: Run) -> None:
    """Delete what this run created at the service, as far as the service lets it."""
    model_id, dataset_id = run.recall("finetuned_model_id"), run.recall("vendor_dataset_id")
    if model_id:
        with suppress(ProviderError):
            client.ask_once(lambda api: api.finetuning.delete_finetuned_model(model_id))
    if dataset_id:
        with suppress(ProviderError):
            client.ask_once(lambda api: api.datasets.delete(dataset_id))


def _id_of(made: Any, what: str) -> str:
    found = getattr(made, "id", None)
    if not found:
        raise ProviderError(
            f"Cohere took the {what} but gave no id for it.", hint="Look at the service's own page, then resume.",
            retryable=True,
        )  # fmt: skip
    return str(found)


def _jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "replace")
