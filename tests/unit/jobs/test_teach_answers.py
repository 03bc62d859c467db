"""A teacher's answers over the corpus, recorded: as LlamaIndex asks, nothing twice, and no document on two sides."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from finetune_core.errors import DatasetError, JobError
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers import retries
from finetune_core.storage import database, demonstrations, pairs, tables
from finetune_core.storage.datasets import load_split
from finetune_core.storage.demonstrations import Demonstration, DemonstrationFilter
from finetune_core.storage.pairs import NewPair, PairState
from finetune_core.workspace import datasets, jobs, projects, providers, teaching
from finetune_core.workspace import demonstrations as reviewed
from finetune_core.workspace.jobs import JobState
from tests.generation_fixtures import corpus, provider
from tests.training_fixtures import CODES
from tests.ui.conftest import OpenPage, open_page  # noqa: F401  a fixture
from tests.vendors.openai_chat import serving_chat
from tests.vendors.openai_embeddings import serving_embeddings
from tests.vendors.server import Fault, Vendor
from tests.warm_python import WarmPython


def answer(body: dict[str, Any]) -> str:
    return f"It keeps them because of: {body['messages'][-1]['content']}"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving_chat(answer) as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)


@pytest.fixture
def embedder() -> Iterator[str]:
    """A service that embeds: no model to load, here or in a process that is killed."""
    with serving_embeddings() as running:
        providers.save(name="Vectors", base_url=running.url, model="vectors", key_variable="LOOPBACK_API_KEY")
        yield "service:Vectors"


def asked_project(num_documents: int = 3, num_parts: int = 4) -> str:
    """A project with a question on each chunk: all accepted, but for one that waits for review."""
    project_id = corpus(num_documents, num_parts)
    with database.writing() as connection:
        chunks = connection.execute(select(tables.chunk).order_by(tables.chunk.c.id)).mappings().all()
        states = [PairState.PENDING, *[PairState.ACCEPTED] * (len(chunks) - 1)]
        new = [
            NewPair(
                f"q{number}", f"{CODES[number % len(CODES)]}: who keeps lanterns, {number}?", {chunk["id"]: 1},
                chunk["document_id"], "written", evidence=chunk["text"][:20], answer="" if number % 2 else f"answer {number}",
                state=state,
            )
            for number, (chunk, state) in enumerate(zip(chunks, states, strict=True))
        ]  # fmt: skip
        pairs.insert(connection, project_id, new)
    return project_id


def params(embedder: str, task: dict[str, Any] | None = None, **values: Any) -> teaching.TeachingParams:
    given = {"record": "Chat", "embedder": embedder, "top_k": 2, "answer_tokens": 40, **(task or {})}
    base = {"provider": "Loopback", "num_parallel": 2, "max_attempts": 2, "task": given}
    return teaching.params_from({**base, **values})


def run(project_id: str, chosen: teaching.TeachingParams) -> jobs.JobView:
    job_id = teaching.start(project_id, chosen)
    run_queued_here()
    return jobs.get(job_id)


def kept(project_id: str) -> list[Demonstration]:
    with database.reading() as connection:
        return list(demonstrations.each(connection, project_id, DemonstrationFilter("Chat")))


def questions(vendor: Vendor) -> Counter[str]:
    return Counter(seen.body["messages"][-1]["content"] for seen in vendor.requests)


def freeze(project_id: str) -> str:
    job_id = datasets.freeze(project_id, "v1", record="Chat", measure_base=False)
    run_queued_here()
    job = jobs.get(job_id)
    assert job.state is JobState.DONE, job.error
    return str(job.result["manifest"]["hash"])


def test_answers_are_kept_as_they_were_asked_and_wait_for_review(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, embedder: str
) -> None:
    project_id = asked_project()
    provider(vendor, monkeypatch, input_usd_per_million=1.0, output_usd_per_million=2.0)
    seen = teaching.estimate(project_id, params(embedder))
    assert (seen.num_questions, seen.num_done, seen.num_calls) == (11, 0, 11)
    job = run(project_id, params(embedder))
    assert job.state is JobState.DONE, job.error
    assert job.result["num_written"] == 11
    given = kept(project_id)
    assert {(one.state, one.source) for one in given} == {("pending", "generated")}
    sent = {seen.body["messages"][-1]["content"]: seen.body for seen in vendor.requests}
    for one in given:
        chat = one.example
        asked = chat.messages[-1]["content"]
        assert list(chat.messages) == sent[asked]["messages"], "the student is asked what the teacher was"
        assert chat.response == {"role": "assistant", "content": answer(sent[asked])}
        assert len(chat.contexts) == 2
        assert all(context in chat.messages[0]["content"] for context in chat.contexts)
        number = int(asked.rsplit(" ", 1)[1].rstrip("?"))
        assert chat.reference == f"answer {number}" or (number % 2 and chat.reference.startswith("The animal"))
        assert chat.model.startswith("gpt-test")
        assert min(chat.input_tokens, chat.output_tokens, chat.seconds) > 0
    assert sent[asked]["temperature"] == pytest.approx(0.2)
    assert job.result["cost_usd"] == pytest.approx(
        sum(one.example.input_tokens + 2 * one.example.output_tokens for one in given) / 1e6
    )
    assert 0.3 < seen.input_tokens / job.result["input_tokens"] < 3
    again = run(project_id, params(embedder, {"include_pending": True}))
    assert (again.result["num_written"], again.result["num_done_before"]) == (1, 11)
    assert max(questions(vendor).values()) == 1


def test_frozen_no_document_is_on_two_sides(vendor: Vendor, monkeypatch: pytest.MonkeyPatch, embedder: str) -> None:
    project_id = asked_project(num_documents=8, num_parts=2)
    provider(vendor, monkeypatch)
    run(project_id, params(embedder))
    reviewed.decide_all(project_id, DemonstrationFilter("Chat"), PairState.ACCEPTED)
    split = load_split(project_id, freeze(project_id))
    documents = [{one.group for one in part.examples} for part in (split.train, split.validation, split.test)]
    assert min(map(len, documents)) > 0
    assert len(set.union(*documents)) == sum(map(len, documents)) == 8
    assert all(one.seconds > 0 and one.contexts for one in split.test.examples)


def test_a_killed_process_asks_no_question_twice(
    warm_ayar: WarmPython, monkeypatch: pytest.MonkeyPatch, embedder: str
) -> None:
    project_id = asked_project(num_documents=4, num_parts=5)
    killed = threading.Event()

    def slow(body: dict[str, Any]) -> str:
        if len(vendor.requests) > 7:
            killed.wait(120)
        return answer(body)

    code = "from finetune_core.jobs.worker import run_queued_here; run_queued_here()"
    with serving_chat(slow) as vendor:
        provider(vendor, monkeypatch)
        job_id = teaching.start(project_id, params(embedder))
        process = warm_ayar.start(code)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:  # until two calls hang, and the answers to all before them are kept
            if len(vendor.requests) >= 9 and len(kept(project_id)) >= 7:
                break
            time.sleep(0.05)
        process.kill()
        process.wait()
        killed.set()
        num_before, num_kept = len(vendor.requests), len(kept(project_id))
        assert num_before - 2 <= num_kept < 19, "the kill came in the middle, and lost at most the calls on their way"
        with database.writing() as connection:  # its lease runs out
            connection.execute(tables.job.update().values(lease_expires_at=0.0))
        run_queued_here()
        assert jobs.get(job_id).state is JobState.DONE
        assert len(kept(project_id)) == 19
        doubled = [text for text, times in questions(vendor).items() if times > 1]
        assert len(doubled) == num_before - num_kept <= 2


def test_faults_are_tried_again_counted_and_listed_and_a_cap_is_kept(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, embedder: str
) -> None:
    project_id = asked_project()
    provider(vendor, monkeypatch)
    vendor.faults += [Fault(429), Fault(400, '{"error": {"message": "this is filtered"}}')]
    chosen = params(embedder, {"num_questions": 3}, num_parallel=1)
    job = run(project_id, chosen)
    assert (job.state, job.result["num_written"], job.result["num_failed"]) == (JobState.DONE, 2, 1)
    found = teaching.outcome(project_id, "Chat")
    assert (found.num_written, found.num_failed) == (2, 1)
    [(reason, times)] = found.reasons
    assert ("filtered" in reason, times) == (True, 1)
    assert run(project_id, chosen).result["num_written"] == 1, "what failed is asked again"
    assert not teaching.outcome(project_id, "Chat").reasons
    num_before = len(vendor.requests)
    capped = run(project_id, params(embedder, max_tokens=10))
    assert (capped.result["is_capped"], len(vendor.requests)) == (True, num_before)
    monkeypatch.setitem(os.environ, "LOOPBACK_API_KEY", "wrong")
    refused = run(project_id, params(embedder))
    assert refused.state is JobState.FAILED
    assert "wrong" not in str(refused.error)


def test_what_cannot_work_is_said_before_anything_is_asked(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, embedder: str
) -> None:
    provider(vendor, monkeypatch)
    with pytest.raises(DatasetError, match="no question to answer"):
        teaching.start(corpus(), params(embedder))
    with pytest.raises(JobError, match="top_k"):
        params(embedder, {"top_k": 0})
    assert vendor.requests == []


def test_from_the_page(
    vendor: Vendor,
    monkeypatch: pytest.MonkeyPatch,
    embedder: str,
    open_page: OpenPage,  # noqa: F811
) -> None:
    empty = open_page("generate", project=projects.create("Empty").id, kind="chats")
    assert any("No questions yet" in each.value for each in empty.subheader)
    project_id = asked_project()
    provider(vendor, monkeypatch)
    app = open_page("generate", project=project_id, kind="chats")
    app.segmented_control(key="teacher_Chat_task_embedder.kind").set_value("service").run()
    app.selectbox(key="teacher_Chat_task_embedder.service").set_value(embedder).run()
    app.number_input(key="teacher_Chat_task_questions").set_value(3).run()
    assert "Record 3 answers" in [button.label for button in app.main.button]
    app.button(key="teacher_Chat_start_go").click().run()
    assert not app.error
    assert run_queued_here() == 1
    app.run()
    assert not app.exception
    assert len(kept(project_id)) == 3
    assert "Record 0 answers" in [button.label for button in app.main.button]
