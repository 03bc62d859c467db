"""Queries for choices, written as a job: grouped by seed question, filtered, and never asked or paid for twice."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from finetune_core.errors import DatasetError, JobError
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers import retries
from finetune_core.providers.chat import Reply
from finetune_core.records import OUT_OF_SCOPE
from finetune_core.storage import database, tables
from finetune_core.synthesis.choice_queries import LocalQueries, Topic
from finetune_core.synthesis.templates import shipped_prompt
from finetune_core.workspace import jobs, labelled, projects, query_generation
from finetune_core.workspace.jobs import JobState
from finetune_core.workspace.labelled import PairState, Query, QueryFilter
from tests.generation_fixtures import corpus, provider
from tests.vendors.openai_chat import query_answer, serving_chat
from tests.vendors.server import Fault, Vendor
from tests.warm_python import WarmPython


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving_chat(query_answer) as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)


def desk(*names: str) -> str:
    project_id = projects.create("Desk").id
    for name in names or ("billing", "travel", "housing"):
        labelled.save_choice(project_id, name, f"Everything about {name}")
    return project_id


def params(**values: Any) -> query_generation.QueryGenerationParams:
    base = {"generator": "endpoint", "provider": "Loopback", "num_parallel": 2, "max_attempts": 2, "filters": []}
    return query_generation.params_from({**base, "queries_per_choice": 6, **values})


def run(project_id: str, **values: Any) -> jobs.JobView:
    job_id = query_generation.start(project_id, params(**values))
    run_queued_here()
    return jobs.get(job_id)


def queries(project_id: str) -> list[Query]:
    return labelled.page(project_id, QueryFilter(), 0, 1000)[0]


def num_rows(table: Any) -> int:
    with database.reading() as connection:
        return len(connection.execute(select(table)).all())


def prompts(vendor: Vendor) -> list[str]:
    return [seen.body["messages"][0]["content"] for seen in vendor.requests]


def test_each_choice_gets_its_queries_with_wordings_in_one_group(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = desk()
    provider(vendor, monkeypatch, input_usd_per_million=1.0, output_usd_per_million=2.0)
    seen = query_generation.estimate(project_id, params(num_wordings=3, num_out_of_scope=4))
    assert (seen.num_chunks, seen.num_questions, seen.num_calls) == (3, 22, 4)
    view = run(project_id, num_wordings=3, num_out_of_scope=4)
    assert view.state is JobState.DONE, view.error
    assert (view.result["num_written"], view.result["num_queries"]) == (22, 66)
    found = queries(project_id)
    assert {(one.source, one.state) for one in found} == {("generated", PairState.PENDING)}
    by_label = {label: [one for one in found if one.label == label] for label in {one.label for one in found}}
    assert {label: len(own) for label, own in by_label.items()} == {
        "billing": 18, "travel": 18, "housing": 18, OUT_OF_SCOPE: 12,
    }  # fmt: skip
    sizes = [sum(one.seed_question == seed for one in found) for seed in {one.seed_question for one in found}]
    assert sizes == [3] * 22
    assert view.result["input_tokens"] <= seen.input_tokens
    assert view.result["cost_usd"] == pytest.approx(
        (view.result["input_tokens"] + 2 * view.result["output_tokens"]) / 1e6
    )
    about_billing = next(text for text in prompts(vendor) if "<place>\nbilling" in text)
    assert "Everything about billing" in about_billing
    assert "travel; housing" in about_billing
    assert "travel: Everything about travel" in next(text for text in prompts(vendor) if "none of them" in text)


def test_nothing_is_asked_twice_and_later_calls_see_what_is_written(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = desk("billing", "travel")
    provider(vendor, monkeypatch)
    run(project_id)
    again = run(project_id)
    assert (again.result["num_written"], again.result["num_done_before"], len(vendor.requests)) == (0, 12, 2)
    run(project_id, queries_per_choice=8)
    assert len(vendor.requests) == 4
    assert all("Write 2 different" in text and text.count("\n- I need") == 6 for text in prompts(vendor)[2:])
    assert len({one.query for one in queries(project_id)}) == 16
    run(project_id, queries_per_choice=8, choices=["travel"])
    assert len(vendor.requests) == 4
    labelled.save_choice(project_id, "travel", "Trains alone", "travel")
    run(project_id, queries_per_choice=8)
    assert len(vendor.requests) == 5, "a choice that is described anew is asked about anew"
    labelled.remove_choice(project_id, "billing")
    labelled.save_choice(project_id, "billing", "Everything about billing")
    run(project_id, queries_per_choice=8)
    assert len(vendor.requests) == 6, "what was deleted can be written again"


def test_a_choices_documents_are_shown_to_the_writer(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(held_out="animal1")
    provider(vendor, monkeypatch)
    documents = {name: key for key, name in labelled.documents_of(project_id).items()}
    labelled.save_choice(project_id, "cellar", "Lanterns", documents=[documents["animal0"], documents["animal1"]])
    labelled.save_choice(project_id, "attic")
    run(project_id)
    (cellar,) = [text for text in prompts(vendor) if "<place>\ncellar" in text]
    assert cellar.count("<excerpt>") == 3
    assert "animal0 keeps" in cellar
    assert "animal1 keeps" not in cellar, "a held-out document is never written about"
    assert "<excerpt>" not in next(text for text in prompts(vendor) if "<place>\nattic" in text)


def test_chatter_and_near_duplicates_are_set_aside_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "When is my bill due this month?", "Sure, here is a query about billing.", "When is my bill due, this month?",
        "", "Where do I pay what I owe?",
    ]  # fmt: skip
    items = [{"query": text, "wordings": []} for text in texts]
    with serving_chat(lambda body: json.dumps({"queries": items})) as vendor:
        project_id = desk("billing")
        provider(vendor, monkeypatch)
        view = run(project_id, filters=["form", "duplicate"])
        assert (view.result["num_written"], view.result["num_unusable"]) == (4, 2), "one empty, one not written"
        assert view.result["set_aside"] == {"form": 1, "duplicate": 1}
        aside = {one.query: one for one in queries(project_id) if one.state is PairState.ASIDE}
        assert "chatter" in aside[texts[1]].set_aside_why
        assert texts[0] in aside[texts[2]].set_aside_why
        labelled.decide(project_id, aside[texts[1]].id, 2, state=PairState.PENDING)
        run(project_id, queries_per_choice=7, filters=["form", "duplicate"])
        back = labelled.get(project_id, aside[texts[1]].id).query
        assert back.state is PairState.PENDING, "what a person brought back stays"


@pytest.mark.parametrize("answer", ["No.", '{"queries": [{"query": "', '{"queries": "none"}', '{"queries": [3, {}]}'])
def test_an_answer_that_is_no_json_is_unusable_and_not_paid_for_again(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_chat(lambda body: answer) as vendor:
        project_id = desk("billing")
        provider(vendor, monkeypatch)
        assert run(project_id).result["num_unusable"] == 6
        run(project_id)
        assert len(vendor.requests) == 1


def test_a_busy_service_is_asked_again_and_the_cap_is_kept(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = desk()
    provider(vendor, monkeypatch)
    vendor.faults.extend([Fault(429), None, Fault(429), None, None])
    view = run(project_id, num_parallel=1)
    assert (view.state, view.result["num_written"], len(vendor.requests)) == (JobState.DONE, 18, 5)
    capped = run(project_id, queries_per_choice=60, max_tokens=6000)
    assert capped.result["is_capped"]
    assert 0 < capped.result["input_tokens"] + capped.result["output_tokens"] <= 6000


def test_a_killed_process_goes_on_without_a_double(warm_ayar: WarmPython, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = threading.Event()

    def slow(body: dict[str, Any]) -> str:
        if len(vendor.requests) > 4:
            killed.wait(120)
        return query_answer(body)

    code = "from finetune_core.jobs.worker import run_queued_here; run_queued_here()"
    with serving_chat(slow) as vendor:
        project_id = desk(*(f"choice{number}" for number in range(8)))
        provider(vendor, monkeypatch)
        query_generation.start(project_id, params(num_wordings=2))
        process = warm_ayar.start(code)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (len(vendor.requests) < 6 or len(queries(project_id)) < 48):
            time.sleep(0.05)
        process.kill()
        process.wait()
        killed.set()
        assert len(vendor.requests) == 6, "two calls were on their way"
        with database.writing() as connection:  # its lease runs out
            connection.execute(tables.job.update().values(lease_expires_at=0.0))
        run_queued_here()
    found = queries(project_id)
    assert len(found) == len({one.query for one in found}) == 8 * 6 * 2
    assert num_rows(tables.generation) == 48
    assert (len(vendor.requests), num_rows(tables.spend)) == (10, 8), "only the two on their way were asked again"


def test_what_cannot_work_is_said_before_the_start() -> None:
    with pytest.raises(DatasetError, match="no choice to write queries for"):
        query_generation.estimate(projects.create("Empty").id, params(generator="gguf"))
    with pytest.raises(DatasetError, match="no choice 'music'"):
        query_generation.estimate(desk(), params(generator="gguf", choices=["music"]))
    with pytest.raises(JobError, match="num_wordings is 9"):
        params(num_wordings=9)


class SmallModel:
    """A chat that says what it was told to write about."""

    name, num_parallel = "small", 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def complete(self, messages: Any, *, schema: Any, **_: Any) -> Reply:
        self.asked.append(messages[0]["content"])
        return Reply(json.dumps({"query": f"How about number {len(self.asked)}?"}), 10, 5)

    def close(self) -> None:
        """Nothing is held."""


def test_a_small_model_is_asked_one_thing_at_a_time_and_for_each_wording() -> None:
    chat = SmallModel()
    writer = LocalQueries(chat, "m", shipped_prompt("local_choice_queries")[1], "English", num_wordings=2)
    topic = Topic("t", "billing", "Billing", "What is owed", (), ("Bills are due in May. Late ones cost five euros.",))
    (one,) = writer.write(topic, (1,)).written
    assert one.wordings == ("How about number 1?", "How about number 2?")
    assert "Fact: Late ones cost five euros." in chat.asked[0]
    assert "Question: How about number 1?" in chat.asked[1]
    outside = Topic("o", OUT_OF_SCOPE, "none of the choices", "", ("Billing",))
    writer.write(outside, (0,))
    assert "Billing" not in chat.asked[2]
