"""Generation as a job: nothing is lost, doubled or paid twice, whatever ends it."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from finetune_core.errors import ProviderError
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers import retries
from finetune_core.storage import database, generations, pairs, tables
from finetune_core.storage.pairs import PairFilter, PairState
from finetune_core.workspace import generation, jobs
from finetune_core.workspace.jobs import JobState
from tests.generation_fixtures import corpus, provider
from tests.vendors.openai_chat import question_answer, serving_chat
from tests.vendors.server import KEY, Fault, Vendor
from tests.warm_python import WarmPython


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving_chat() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)


def params(**values: Any) -> generation.GenerationParams:
    base = {"generator": "endpoint", "provider": "Loopback", "num_parallel": 2, "max_attempts": 2, "filters": []}
    base |= {"questions_per_chunk": 2}
    return generation.params_from({**base, **values})


def run(project_id: str, **values: Any) -> jobs.JobView:
    job_id = generation.start(project_id, params(**values))
    run_queued_here()
    return jobs.get(job_id)


def rows(table: Any) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(select(table)).mappings())


def prompts(vendor: Vendor) -> Counter[str]:
    return Counter(seen.body["messages"][0]["content"].split("<passage>")[1] for seen in vendor.requests)


def test_writes_pairs_with_evidence_and_what_they_cost(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus()
    provider(vendor, monkeypatch, input_usd_per_million=1.0, output_usd_per_million=2.0)
    vendor.faults.extend([Fault(hang_s=0.5)] * 2)  # so that the first two are under way together on a busy machine too
    view = run(project_id)
    assert view.state is JobState.DONE, view.error
    assert (view.result["num_written"], view.result["num_questions"]) == (24, 24)
    with database.reading() as connection:
        found = list(pairs.each(connection, project_id, PairFilter()))
    assert len({pair.id for pair in found}) == 24
    assert all(pair.evidence.startswith("The animal") and pair.answer for pair in found)
    assert {(pair.source, pair.state) for pair in found} == {("generated", "pending")}
    paid = rows(tables.spend)
    assert len(paid) == len(vendor.requests) == 12
    expected = sum(row["input_tokens"] + 2 * row["output_tokens"] for row in paid) / 1e6
    assert view.result["cost_usd"] == pytest.approx(expected)
    assert vendor.max_at_once == 2


def test_held_out_documents_are_never_asked_about(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(held_out="animal1")
    provider(vendor, monkeypatch)
    assert run(project_id).result["num_written"] == 16
    assert not [text for text in prompts(vendor) if "animal1" in text]


def test_a_second_run_pays_for_nothing_and_more_questions_only_for_the_new(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = corpus()
    provider(vendor, monkeypatch)
    run(project_id, num_chunks=5)
    assert len(vendor.requests) == 5
    again = run(project_id, num_chunks=5)
    assert (again.result["num_written"], again.result["num_done_before"], len(vendor.requests)) == (0, 10, 5)
    run(project_id, num_chunks=7)
    assert len(vendor.requests) == 7, "a larger sample starts with the smaller one"
    run(project_id, num_chunks=7, questions_per_chunk=3)
    assert len(vendor.requests) == 14
    assert "Write 1 different" in vendor.requests[-1].body["messages"][0]["content"]
    assert "These were written already" in vendor.requests[-1].body["messages"][0]["content"]
    assert len(rows(tables.pair)) == 21


def test_a_refused_key_ends_the_job_at_once_and_leaks_nothing(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    project_id = corpus()
    provider(vendor, monkeypatch)
    wrong = "sk-wrong-91d2c3b4a5f6e7d8"
    monkeypatch.setenv("LOOPBACK_API_KEY", wrong)
    view = run(project_id, num_parallel=1)
    assert view.state is JobState.FAILED
    assert "401" in view.error
    assert len(vendor.requests) == 1
    for path in database.home().rglob("*"):
        if path.is_file():
            assert wrong.encode() not in path.read_bytes(), path
    said = capfd.readouterr()
    assert wrong not in said.out + said.err + view.error + view.hint
    monkeypatch.setenv("LOOPBACK_API_KEY", KEY)
    jobs.resume(view.id)
    run_queued_here()
    assert jobs.get(view.id).result["num_written"] == 24


def test_a_service_that_stays_broken_stops_the_job_after_three_calls(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = corpus()
    provider(vendor, monkeypatch)
    vendor.faults.extend([None, None] + [Fault(500, '{"error": {"message": "on fire"}}')] * 6)
    view = run(project_id, num_parallel=1)
    assert view.state is JobState.FAILED
    assert "on fire" in view.error
    assert len(vendor.requests) == 2 + 3 * 2
    assert len(rows(tables.pair)) == 4
    jobs.resume(view.id)
    run_queued_here()
    assert jobs.get(view.id).state is JobState.DONE
    assert len(rows(tables.pair)) == 24
    assert {row["state"] for row in rows(tables.generation)} == {"written"}, "failed numbers were asked again"


def test_single_faults_of_every_kind_lose_only_their_own_chunk(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus()
    provider(vendor, monkeypatch)
    broken, cut = Fault(200, '{"choices": [{"mess'), Fault(200, '{"id": "chatcmpl-loopback"}' * 9, cut=True)
    vendor.faults.extend([Fault(hang_s=20), None, broken, None, cut, None, Fault(503), None, Fault(429), None])
    view = run(project_id, num_parallel=1, timeout_s=2)
    assert view.state is JobState.DONE, view.error
    assert (view.result["num_written"], view.result["num_failed"]) == (22, 2), "only the garbled answer is not retried"
    assert run(project_id).result["num_written"] == 2
    assert len(rows(tables.pair)) == 24


@pytest.mark.parametrize(
    "answer", ["I would rather not.", '{"questions": [{"question": "', '{"questions": "none"}', "[]"]
)
def test_an_answer_that_is_no_json_is_unusable_and_not_paid_for_again(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = corpus(num_documents=1, num_parts=2)
    with serving_chat(lambda body: answer) as vendor:
        provider(vendor, monkeypatch)
        view = run(project_id)
        assert (view.state, view.result["num_unusable"]) == (JobState.DONE, 4)
        assert len(rows(tables.spend)) == 2
        run(project_id)
        assert len(vendor.requests) == 2


def test_the_cap_on_tokens_is_never_passed(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(num_documents=4, num_parts=5)
    provider(vendor, monkeypatch)
    view = run(project_id, max_tokens=5000, num_parallel=4)
    assert view.state is JobState.DONE
    assert view.result["is_capped"]
    assert 0 < view.result["input_tokens"] + view.result["output_tokens"] <= 5000
    assert 0 < len(vendor.requests) < 20
    run(project_id)
    assert max(prompts(vendor).values()) == 1, "what was paid under the cap is not paid again"


def test_the_cap_on_money_needs_prices(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus()
    provider(vendor, monkeypatch)
    with pytest.raises(ProviderError, match="prices of Loopback are not known"):
        generation.start(project_id, params(max_cost_usd=0.5))


def test_the_cap_on_money_is_never_passed(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(num_documents=4, num_parts=5)
    provider(vendor, monkeypatch, input_usd_per_million=1.0, output_usd_per_million=4.0)
    view = run(project_id, max_cost_usd=0.01)
    assert view.result["is_capped"]
    assert 0.004 < view.result["cost_usd"] <= 0.01


def test_stop_keeps_what_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(num_documents=5, num_parts=5)
    started, asked = threading.Event(), threading.Event()

    def slow(body: dict[str, Any]) -> str:
        started.set()
        asked.wait(60)
        time.sleep(0.5)
        return question_answer(body)

    def stop(job_id: str) -> None:
        started.wait(60)
        jobs.request_stop(job_id)
        asked.set()

    with serving_chat(slow) as vendor:
        provider(vendor, monkeypatch)
        job_id = generation.start(project_id, params(num_parallel=3))
        threading.Thread(target=stop, args=(job_id,)).start()
        run_queued_here()
        view = jobs.get(job_id)
        assert view.state is JobState.STOPPED
        assert len(rows(tables.pair)) == 2 * len(vendor.requests) == view.result["num_written"]
        assert len(vendor.requests) < 25
        jobs.resume(job_id)
        run_queued_here()
        assert jobs.get(job_id).state is JobState.DONE
        assert len(rows(tables.pair)) == 50
        assert max(prompts(vendor).values()) == 1


def test_a_killed_process_goes_on_without_a_double(warm_ayar: WarmPython, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(num_documents=4, num_parts=5)

    killed = threading.Event()

    def slow(body: dict[str, Any]) -> str:
        if len(vendor.requests) > 7:
            killed.wait(120)
        return question_answer(body)

    code = "from finetune_core.jobs.worker import run_queued_here; run_queued_here()"
    with serving_chat(slow) as vendor:
        provider(vendor, monkeypatch)
        generation.start(project_id, params())
        process = warm_ayar.start(code)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:  # until two calls hang, and the answers to all before them are kept
            if len(vendor.requests) >= 9 and len({row["subject_id"] for row in rows(tables.generation)}) >= 7:
                break
            time.sleep(0.05)
        process.kill()
        process.wait()
        killed.set()
        num_before = len(vendor.requests)
        assert 7 <= num_before < 20, "the kill came in the middle"
        kept = {row["subject_id"] for row in rows(tables.generation)}
        assert len(kept) >= num_before - 2, "at most the calls on their way are lost"
        with database.writing() as connection:  # its lease runs out
            connection.execute(tables.job.update().values(lease_expires_at=0.0))
        run_queued_here()
        assert len(rows(tables.pair)) == len(rows(tables.generation)) == 40
        doubled = [text for text, times in prompts(vendor).items() if times > 1]
        assert len(doubled) == num_before - len(kept) <= 2
    assert len(rows(tables.spend)) == 20


def test_extractive_questions_cost_nothing_and_are_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus()
    view = run(project_id, generator="extractive", provider="", filters=["form", "duplicate"])
    assert view.state is JobState.DONE, view.error
    assert view.result["num_written"] > 0
    assert not rows(tables.spend)
    with database.reading() as connection:
        found = list(pairs.each(connection, project_id, PairFilter()))
    assert all(pair.evidence.startswith("The animal") for pair in found)
    assert all("form" in pair.outcomes for pair in found)


def test_a_quote_that_is_not_there_is_set_aside_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(num_documents=1, num_parts=3)

    def answer(body: dict[str, Any]) -> str:
        items = json.loads(question_answer(body))["questions"]
        items[0]["evidence"] = "Nobody ever wrote these words in that place at all."
        items[1]["question"] = "Sure, here is a question about the passage?"
        return json.dumps({"questions": items})

    with serving_chat(answer) as vendor:
        provider(vendor, monkeypatch)
        view = run(project_id, filters=["form", "evidence"])
        assert view.result["set_aside"] == {"form": 3, "evidence": 3}
        cards = {card.name: card.num_set_aside for card in generation.filter_cards(project_id)}
        assert (cards["form"], cards["evidence"]) == (3, 3)
        assert generation.undo_filter(project_id, "evidence") == 3
        with database.reading() as connection:
            states = pairs.counts_by_state(connection, project_id)
        assert (states[PairState.PENDING], states[PairState.ASIDE]) == (3, 3)


def test_undo_leaves_aside_what_another_filter_objects_to(monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(num_documents=1, num_parts=2)

    def answer(body: dict[str, Any]) -> str:
        item = {"question": "Sure, what does the passage say?", "evidence": "Nowhere in there at all.", "answer": ""}
        return json.dumps({"questions": [item, item]})

    with serving_chat(answer) as vendor:
        provider(vendor, monkeypatch)
        run(project_id)
        for names in (["form"], ["evidence"]):
            generation.start_filters(project_id, names)
            run_queued_here()
        with database.writing() as connection:
            for pair in list(pairs.each(connection, project_id, PairFilter())):
                pairs.record_outcomes(connection, project_id, "evidence", {pair.id: {"passed": False}})
        assert generation.undo_filter(project_id, "form") == 0
        cards = {card.name: card.num_set_aside for card in generation.filter_cards(project_id)}
        assert (cards["form"], cards["evidence"]) == (0, 4)


def test_estimate_counts_what_is_left_and_is_not_below_the_truth(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = corpus()
    provider(vendor, monkeypatch, input_usd_per_million=1.0, output_usd_per_million=1.0)
    seen = generation.estimate(project_id, params())
    assert (seen.num_chunks, seen.num_questions, seen.num_done, seen.num_calls) == (12, 24, 0, 12)
    paid = run(project_id).result
    assert paid["input_tokens"] <= seen.input_tokens <= 3 * paid["input_tokens"]
    assert seen.cost_usd == pytest.approx((seen.input_tokens + seen.output_tokens) / 1e6)
    later = generation.estimate(project_id, params())
    assert (later.num_done, later.num_calls, later.basis) == (24, 0, "measured")


def test_spend_is_summed_by_provider(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus(num_documents=1)
    provider(vendor, monkeypatch)
    run(project_id)
    with database.reading() as connection:
        (total,) = generations.spent_by_provider(connection)
        assert total.num_calls == 4
        assert total.spend == generations.spent(connection)
    assert total.spend.cost_usd is None, "no price is not a price of nothing"
