"""OpenAI's fine-tuning API as far as a tuner needs it: files, jobs, events, checkpoints, and the tuned model's answers.

The fake learns by heart: a tuned model answers a prompt it was taught with what it was taught, any other with "?". So a path
that uploads the wrong examples, or asks the wrong model, is seen in the answers.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.vendors.openai_chat import completion, in_pieces
from tests.vendors.server import Fault, Seen, Vendor, serving

BASE = "gpt-loopback"
JOBS = "/fine_tuning/jobs"


@dataclass
class Account:
    """What was created on the fake. `statuses` are gone through, one at each look; the last one stays."""

    statuses: list[str] = field(default_factory=lambda: ["validating_files", "queued", "running", "succeeded"])
    error: str = ""
    shutdown_date: str | None = None
    has_checkpoints: bool = True
    trained_tokens: int | None = None  # what a job says it trained on before it has succeeded
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    paused: set[str] = field(default_factory=set)
    looks: Counter[str] = field(default_factory=Counter)

    def upload(self, seen: Seen) -> Any:
        lines = [json.loads(line) for line in seen.files["file"].decode().splitlines()]
        assert seen.files["purpose"] == b"fine-tune"
        for line in lines:
            assert line.keys() <= {"messages", "tools", "input", "preferred_output", "non_preferred_output"}
        name = seen.filenames["file"]
        found = {
            "id": f"file-{len(self.files) + 1}", "object": "file", "bytes": len(seen.files["file"]), "created_at": 1,
            "filename": name, "purpose": "fine-tune", "status": "processed",
        }  # fmt: skip
        self.files[found["id"]], self.lines[found["id"]] = found, lines
        return found

    def list_files(self, seen: Seen) -> Any:
        found = list(self.files.values())
        ends = {"first_id": found[0]["id"], "last_id": found[-1]["id"]} if found else {"first_id": "", "last_id": ""}
        return {"object": "list", "data": found, "has_more": False, **ends}

    def delete_file(self, seen: Seen) -> Any:
        self.deleted.append(seen.values["file_id"])
        self.files.pop(seen.values["file_id"])
        return {"id": seen.values["file_id"], "object": "file", "deleted": True}

    def create(self, seen: Seen) -> Any:
        assert seen.body["training_file"] in self.files
        found = {
            "id": f"ftjob-{len(self.jobs) + 1}", "object": "fine_tuning.job", "created_at": 1, "error": None,
            "fine_tuned_model": None, "finished_at": None, "model": seen.body["model"], "organization_id": "org",
            "hyperparameters": {"n_epochs": 3}, "result_files": [], "status": "validating_files", "trained_tokens": None,
            "training_file": seen.body["training_file"], "validation_file": seen.body.get("validation_file"),
            "seed": seen.body["seed"], "metadata": seen.body["metadata"],
        }  # fmt: skip
        self.jobs[found["id"]] = found
        return found

    def retrieve(self, seen: Seen) -> Any:
        job = self.jobs[seen.values["fine_tuning_job_id"]]
        if job["id"] in self.paused or job["status"] == "cancelled":
            return job
        self.looks[job["id"]] += 1
        job["trained_tokens"] = self.trained_tokens
        job["status"] = self.statuses[min(self.looks[job["id"]], len(self.statuses)) - 1]
        if job["status"] == "succeeded":
            job |= {"fine_tuned_model": f"ft:{job['model']}:{job['id']}", "trained_tokens": 1000, "finished_at": 2}
        if job["status"] == "failed":
            job["error"] = {"code": "exploded", "message": self.error, "param": None}
        return job

    def events(self, seen: Seen) -> Any:
        job_id = seen.values["fine_tuning_job_id"]
        num = 2 * self.looks[job_id]
        found = [
            {
                "id": f"event-{step}", "object": "fine_tuning.job.event", "created_at": step, "level": "info",
                "message": f"Step {step}", "type": "metrics",
                "data": {"step": step, "train_loss": 1 / step, "valid_loss": 2 / step, "total_steps": 99},
            }
            for step in range(num, 0, -1)
        ]  # fmt: skip
        return {"object": "list", "data": found, "has_more": False}

    def checkpoints(self, seen: Seen) -> Any:
        job_id = seen.values["fine_tuning_job_id"]
        found = [
            {
                "id": f"ckpt-{step}", "object": "fine_tuning.job.checkpoint", "created_at": step, "step_number": step,
                "fine_tuning_job_id": job_id, "fine_tuned_model_checkpoint": f"ft:{BASE}:{job_id}:ckpt-{step}",
                "metrics": {"step": step, "train_loss": 1 / step},
            }
            for step in range(1, self.looks[job_id] + 1 if self.has_checkpoints else 1)
        ]  # fmt: skip
        ends = {"first_id": found[0]["id"], "last_id": found[-1]["id"]} if found else {}
        return {"object": "list", "data": found, "has_more": False, **ends}

    def pause(self, seen: Seen) -> Any:
        self.paused.add(seen.values["fine_tuning_job_id"])
        return self.jobs[seen.values["fine_tuning_job_id"]]

    def resume(self, seen: Seen) -> Any:
        self.paused.remove(seen.values["fine_tuning_job_id"])
        return self.jobs[seen.values["fine_tuning_job_id"]]

    def cancel(self, seen: Seen) -> Any:
        self.jobs[seen.values["fine_tuning_job_id"]]["status"] = "cancelled"
        return self.jobs[seen.values["fine_tuning_job_id"]]

    def model(self, seen: Seen) -> Any:
        if seen.values["model"] != BASE:
            return Fault(404, json.dumps({"error": {"message": "no such model"}}))
        found = {"id": BASE, "object": "model", "created": 1, "owned_by": "loopback"}
        return found | ({"shutdown_date": self.shutdown_date} if self.shutdown_date else {})

    def chat(self, body: dict[str, Any]) -> Any:
        """What the model learned, in text or as calls."""
        job = next((job for job in self.jobs.values() if job["id"] in body["model"].split(":")), None)
        taught = self.lines[job["training_file"]] if job else []
        for line in taught:
            asked = line["messages"][:-1] if "messages" in line else line["input"]["messages"]
            if asked == body["messages"]:
                message = line["messages"][-1] if "messages" in line else line["preferred_output"][0]
                reply = completion(body, message.get("content") or "")
                if calls := message.get("tool_calls"):
                    reply["choices"][0]["message"] |= {"content": None, "tool_calls": calls}
                    reply["choices"][0]["finish_reason"] = "tool_calls"
                return in_pieces(body, reply)
        return in_pieces(body, completion(body, "?"))


@contextmanager
def serving_finetuning(account: Account | None = None) -> Iterator[tuple[Vendor, Account]]:
    """A running fake of the service, and what was created on it; fails on leaving if anything broke the description."""
    account = account or Account()
    job = JOBS + "/{fine_tuning_job_id}"
    with serving("openai") as vendor:
        vendor.on_path("POST", "/files", account.upload)
        vendor.on_path("GET", "/files", account.list_files)
        vendor.on_path("DELETE", "/files/{file_id}", account.delete_file)
        vendor.on_path("POST", JOBS, account.create)
        vendor.on_path(
            "GET", JOBS, lambda seen: {"object": "list", "data": list(account.jobs.values()), "has_more": False}
        )
        vendor.on_path("GET", job, account.retrieve)
        vendor.on_path("GET", job + "/events", account.events)
        vendor.on_path("GET", job + "/checkpoints", account.checkpoints)
        vendor.on_path("POST", job + "/pause", account.pause)
        vendor.on_path("POST", job + "/resume", account.resume)
        vendor.on_path("POST", job + "/cancel", account.cancel)
        vendor.on_path("GET", "/models/{model}", account.model)
        vendor.on(
            "POST", "/chat/completions", "CreateChatCompletionRequest", "CreateChatCompletionResponse", account.chat
        )
        yield vendor, account
