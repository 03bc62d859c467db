"""A project with something of everything, written straight into the tables: what a page finds after a finished run."""

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from finetune_core.storage import database, tables

HOSTILE = "<script>window.hacked=1</script> ![x](http://198.51.100.7/beacon.png) [go](javascript:alert(1)) $\\frac{1}{2}$ :red[x]"
RUN_ID, LIVE_RUN_ID, DATASET_ID, MODEL_ID = "run000000001", "run000000002", "dataset00001", "model0000001"


def fill(name: str = "Handbook", *, num_pairs: int = 40, num_metric_steps: int = 120, live_run: bool = False) -> str:
    """Make the project in the current home and return its id. Titles, texts and questions hold hostile markup."""
    from finetune_core.workspace import projects

    project_id = projects.create(name).id
    with database.writing() as connection:
        _corpus(connection, project_id)
        _pairs(connection, project_id, num_pairs)
        _dataset(connection, project_id, name)
        _run(connection, project_id, RUN_ID, "done", num_metric_steps)
        if live_run:
            _run(connection, project_id, LIVE_RUN_ID, "running", num_metric_steps // 2)
        _model(connection, project_id)
        _spend(connection, project_id)
    return project_id


def _rows(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(table), rows)


def _corpus(connection: Connection, project_id: str) -> None:
    now = time.time()
    documents, chunks, files = [], [], []
    for number in range(6):
        document_id, text = f"document{number:08d}", f"Chapter {number}. {HOSTILE} A paragraph on topic {number}. " * 20
        sections = [{"heading": f"Chapter {number}", "start": 0, "end": len(text)}]
        common = {"project_id": project_id, "created_at": now}
        documents.append(
            {**common, "id": document_id, "name": f"{number} {HOSTILE}.md", "title": f"Chapter {number} {HOSTILE}",
             "media_type": "text/markdown", "num_pages": None, "text": text, "sections": sections}
        )  # fmt: skip
        files.append(
            {**common, "name": f"{number} {HOSTILE}.md", "size_bytes": len(text), "state": "parsed", "reason": "",
             "missing_pages": [], "document_id": document_id, "job_id": None}
        )  # fmt: skip
        chunks += [
            {"project_id": project_id, "origin": "", "id": f"chunk{number:02d}{part:02d}", "document_id": document_id,
             "position": part, "heading": f"Chapter {number}", "text": text[part * 400 : part * 400 + 400], "num_tokens": 90}
            for part in range(3)
        ]  # fmt: skip
    files.append(
        {"project_id": project_id, "created_at": now, "name": "broken.pdf", "size_bytes": 9, "state": "refused",
         "reason": "It is not a PDF.", "missing_pages": [], "document_id": None, "job_id": None}
    )  # fmt: skip
    _rows(connection, tables.document, documents)
    _rows(connection, tables.file, files)
    _rows(connection, tables.chunk, chunks)


def _pairs(connection: Connection, project_id: str, num_pairs: int) -> None:
    now = time.time()
    states = ("pending", "accepted", "accepted", "rejected", "aside")
    pairs, relevances = [], []
    for number in range(num_pairs):
        chunk_id, pair_id = f"chunk{number % 6:02d}{number % 3:02d}", f"pair{number:08d}"
        state = states[number % len(states)]
        pairs.append(
            {"project_id": project_id, "id": pair_id, "version": 1, "state": state,
             "set_aside_by": "form" if state == "aside" else "", "question": f"What does topic {number} say? {HOSTILE}",
             "answer": f"It says {number}.", "evidence": "A paragraph on topic", "chunk_id": chunk_id,
             "document_id": f"document{number % 6:08d}", "source": "generated", "generator": "extractive",
             "outcomes": {}, "reviewed_at": None, "created_at": now}
        )  # fmt: skip
        relevances.append({"project_id": project_id, "pair_id": pair_id, "chunk_id": chunk_id, "grade": 1})
    for start in range(0, num_pairs, 5000):
        _rows(connection, tables.pair, pairs[start : start + 5000])
        _rows(connection, tables.relevance, relevances[start : start + 5000])


def _dataset(connection: Connection, project_id: str, name: str) -> None:
    from finetune_core.evaluation.leakage import LeakageReport
    from finetune_core.storage import datasets

    leakage = dataclasses.asdict(LeakageReport()) | {"sentences": ["No question is in two parts."]}
    manifest = {
        "name": "v1", "hash": DATASET_ID, "num_train": 20, "num_validation": 6, "num_test": 10,
        "num_groups": {"train": 4, "validation": 1, "test": 1}, "num_searched": {"train": 18, "validation": 18, "test": 18},
        "num_never_reviewed": 3, "seed": 0, "split_rule": "document", "leakage": leakage, "warnings": [],
        "base": {"model": "bundled/all-MiniLM-L6-v2", "metric": "ndcg@10", "validation": 0.55, "test": {"ndcg@10": 0.57}},
        "smallest_detectable_gain": 0.04, "gain_metric": "ndcg@10",
    }  # fmt: skip
    datasets.add(connection, project_id, datasets.DatasetRow(DATASET_ID, "v1", manifest, time.time()))


def _run(connection: Connection, project_id: str, run_id: str, state: str, num_steps: int) -> None:
    now = time.time()
    params = {"dataset_id": DATASET_ID, "recipe": "embedding", "config": {}, "name": f"{state} run"}
    _rows(connection, tables.job, [
        {"id": run_id, "project_id": project_id, "kind": "train", "title": "Train embedding on v1", "params": params,
         "heavy": True, "state": state, "attempt": 1, "progress": 1.0 if state == "done" else 0.5, "message": "step 60",
         "result": {"model_id": MODEL_ID} if state == "done" else {}, "created_at": now - 300, "started_at": now - 290,
         "finished_at": now if state == "done" else None, "lease_expires_at": now + 3600 if state == "running" else None}
    ])  # fmt: skip
    pool = {"num_questions": 6, "num_passages": 18, "num_all_questions": 6, "num_all_passages": 18}
    best = {"best_step": num_steps - num_steps % 10, "best_validation": 0.67, "base_validation": 0.55}
    facts = {**best, "total_steps": num_steps, "pool": pool}
    _rows(connection, tables.job_fact, [{"job_id": run_id, "key": key, "value": facts[key]} for key in facts])
    batch: list[dict[str, Any]] = []
    for step in range(1, num_steps + 1):
        values = {"loss": 2.0 * math.exp(-step / num_steps * 2) + 0.1 * math.sin(step * 1.7), "learning_rate": 5e-5}
        values["grad_norm"] = 1.0 + 0.3 * math.cos(step)
        if step % 10 == 0:
            values["validation_ndcg@10"] = 0.55 + 0.12 * step / num_steps
        batch += [
            {"job_id": run_id, "name": key, "step": step, "attempt": 1, "value": value, "at": now}
            for key, value in values.items()
        ]
        if len(batch) > 20_000:
            _rows(connection, tables.metric, batch)
            batch = []
    _rows(connection, tables.metric, batch)


def _model(connection: Connection, project_id: str) -> None:
    manifest = {"recipe": "embedding", "base_model": "bundled/all-MiniLM-L6-v2", "dataset_id": DATASET_ID, "files": {}}
    folder: Path = database.home() / "projects" / project_id / "models" / MODEL_ID
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    _rows(connection, tables.model, [
        {"id": MODEL_ID, "project_id": project_id, "job_id": RUN_ID, "recipe": "embedding", "dataset_id": DATASET_ID,
         "name": f"v1 tuned {HOSTILE}", "manifest": manifest, "size_bytes": 1234, "created_at": time.time()}
    ])  # fmt: skip


def _spend(connection: Connection, project_id: str) -> None:
    _rows(connection, tables.spend, [
        {"project_id": project_id, "job_id": None, "provider": "House model", "input_tokens": 1200, "output_tokens": 300,
         "cost_usd": 0.0042, "at": time.time()}
    ])  # fmt: skip
