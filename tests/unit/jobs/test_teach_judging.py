"""A teacher that scores answers, compares them, and calls functions: asked as the student will be, and checked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_core.errors import DatasetError, JobError
from finetune_core.evaluation import judging
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers import retries
from finetune_core.records import Chat
from finetune_core.storage import database, demonstrations
from finetune_core.storage.demonstrations import Demonstration, DemonstrationFilter, NewDemonstration
from finetune_core.storage.pairs import PairSource
from finetune_core.synthesis import gradings
from finetune_core.workspace import jobs, projects, teaching
from finetune_core.workspace.jobs import JobState
from tests.generation_fixtures import provider
from tests.ui.conftest import OpenPage, open_page  # noqa: F401  a fixture
from tests.vendors.openai_chat import completion
from tests.vendors.server import Vendor, serving

BOOK = {
    "type": "function",
    "function": {
        "name": "book",
        "description": "Books a table.",
        "parameters": {
            "type": "object", "properties": {"people": {"type": "integer", "minimum": 1}}, "required": ["people"],
            "additionalProperties": False,
        },
    },
}  # fmt: skip
CALLS = {
    "a table for two": [("book", '{"people": 2}')],
    "a table for nobody": [("book", '{"people": 0}')],
    "a song": [("sing", "{}")],
    "a broken table": [("book", "{people")],
    "good morning": [],
}


def answered(body: dict[str, Any]) -> dict[str, Any]:
    """Calls as scripted; a score that is the answer's number of words; the longer of two answers, or always A."""
    asked = body["messages"][-1]["content"]
    if body.get("tools"):
        reply = completion(body, "" if CALLS[asked] else "Nothing to do.")
        calls = [
            {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for number, (name, arguments) in enumerate(CALLS[asked])
        ]
        reply["choices"][0]["message"] |= {"tool_calls": calls} if calls else {}
        return reply
    if "Answer B:" not in asked:
        words = len(asked.split("Answer to grade:")[1].split("Answer with JSON")[0].split())
        return completion(body, json.dumps({"reason": f"{words} words", "score": words}))
    first, second = asked.split("Answer A:")[1].split("Answer with JSON")[0].split("Answer B:")
    better = "A" if len(first.split()) >= len(second.split()) else "B"
    return completion(body, json.dumps({"reason": "longer", "better": better}))


@pytest.fixture(autouse=True)
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    with serving("openai") as running:
        names = ("CreateChatCompletionRequest", "CreateChatCompletionResponse")
        running.on("POST", "/chat/completions", *names, answered)
        provider(running, monkeypatch)
        yield running
    assert not running.violations


def project_with_chats() -> str:
    """Two answers to one question, of which one is longer, two of equal length to another, and a call, which nobody scores."""
    project_id = projects.create("Judged").id
    given = [("Why?", "because"), ("Why?", "because it is so"), ("When?", "now"), ("When?", "never"), ("Who?", "")]
    with database.writing() as connection:
        chats = [
            Chat(
                f"c{number}",
                ({"role": "system", "content": "Passages."}, {"role": "user", "content": asked}),
                {"role": "assistant", "content": said} | ({} if said else {"tool_calls": [CALL]}),
                "document", reference="it is so" if asked == "Why?" else "",
            )
            for number, (asked, said) in enumerate(given)
        ]  # fmt: skip
        demonstrations.add(connection, project_id, [NewDemonstration(one, PairSource.RECORDED) for one in chats])
    return project_id


CALL = {"id": "c", "type": "function", "function": {"name": "book", "arguments": '{"people": 2}'}}


def run(project_id: str, **task: Any) -> jobs.JobView:
    chosen = teaching.params_from({"provider": "Loopback", "max_attempts": 1, "task": task})
    job_id = teaching.start(project_id, chosen)
    run_queued_here()
    assert jobs.get(job_id).state is JobState.DONE, jobs.get(job_id).error
    assert teaching.estimate(project_id, chosen).num_calls == 0
    return jobs.get(job_id)


def kept(project_id: str, kind: str) -> list[Demonstration]:
    with database.reading() as connection:
        return list(demonstrations.each(connection, project_id, DemonstrationFilter(kind)))


def test_answers_of_the_projects_chats_are_scored_with_the_students_prompt(vendor: Vendor) -> None:
    project_id = project_with_chats()
    assert run(project_id, record="Judgement").result["num_written"] == 4
    found = {one.example.response: one for one in kept(project_id, "Judgement")}
    one = found["because it is so"]
    assert (one.state, one.example.query, one.example.score, one.example.feedback) == ("pending", "Why?", 4, "4 words")
    assert one.example.reference == "it is so"
    assert one.group == found["because"].group != found["now"].group
    sent = [tuple(seen.body["messages"]) for seen in vendor.requests]
    assert judging.correctness_messages(one.example, with_feedback=True) in sent
    out = run(project_id, record="Judgement", lowest=5, highest=9)
    assert (out.result["num_written"], out.result["num_unusable"]) == (0, 4)
    assert teaching.outcome(project_id, "Judgement").reasons == ((gradings.NO_SCORE, 4),)
    with pytest.raises(JobError, match="below the highest"):
        teaching.params_from({"provider": "Loopback", "task": {"record": "Judgement", "lowest": 5}})


def test_two_answers_are_compared_in_both_orders_and_a_flip_is_set_aside(vendor: Vendor) -> None:
    project_id = project_with_chats()
    result = run(project_id, record="Comparison").result
    assert (result["num_written"], result["num_unusable"], len(vendor.requests)) == (1, 1, 4)
    by_question = {one.example.query: one for one in kept(project_id, "Comparison")}
    why = by_question["Why?"].example
    assert getattr(why, why.winner) == "because it is so"
    assert (by_question["Why?"].state, why.feedback) == ("pending", "longer")
    when = by_question["When?"]
    assert (when.state, when.set_aside_by, when.example.winner) == ("aside", "teacher", "tie")
    assert teaching.outcome(project_id, "Comparison").reasons == ((gradings.FLIPPED, 1),)


def test_files_are_judged_whatever_they_say_themselves(tmp_path: Path) -> None:
    project_id = projects.create("Files").id
    path = tmp_path / "answers.jsonl"
    rows = [{"id": f"r{n}", "question": "How?", "answer": "word " * n, "score": 1, "split": "test"} for n in (2, 3)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    name = teaching.keep_file(project_id, "Judgement", path)
    assert run(project_id, record="Judgement", inputs=name).result["num_written"] == 2
    assert {one.example.score for one in kept(project_id, "Judgement")} == {2, 3}
    assert {one.split for one in kept(project_id, "Judgement")} == {"test"}
    panda = {"instruction": "Say", "input": "hello", "response1": "hello", "response2": "hello to you", "annotator1": 1}
    path.write_text(json.dumps(panda), encoding="utf-8")
    name = teaching.keep_file(project_id, "Comparison", path)
    assert run(project_id, record="Comparison", inputs=name).result["num_written"] == 1
    [one] = kept(project_id, "Comparison")
    assert (one.example.query, one.example.winner, one.example.votes) == ("Say\n\nhello", "second", ())
    path.write_text(json.dumps({"question": "How?"}), encoding="utf-8")
    with pytest.raises(DatasetError, match="no known format"):
        teaching.keep_file(project_id, "Judgement", path)


def test_calls_are_validated_and_what_is_wrong_is_set_aside(vendor: Vendor) -> None:
    project_id = projects.create("Calls").id
    name = teaching.keep_texts(project_id, "\n".join([*CALLS, "", "a song"]))
    result = run(project_id, record="ToolCall", inputs=name, tools=[BOOK]).result
    assert (result["num_written"], result["num_unusable"], len(vendor.requests)) == (2, 3, 5)
    found = {one.example.messages[0]["content"]: one for one in kept(project_id, "ToolCall")}
    assert {text: one.state for text, one in found.items()} == {
        "a table for two": "pending", "good morning": "pending", "a table for nobody": "aside", "a song": "aside",
    }  # fmt: skip
    assert found["a table for two"].example.calls == ({"name": "book", "arguments": {"people": 2}},)
    assert found["good morning"].example.calls == ()
    assert vendor.requests[0].body["tools"] == [BOOK]
    reasons = [why for why, _ in teaching.outcome(project_id, "ToolCall").reasons]
    assert sorted(reasons) == [
        "The answer is no list of calls.", "There is no function 'sing'.", "book, people: 0 is less than the minimum of 1.",
    ]  # fmt: skip
    with pytest.raises(DatasetError, match="no text"):
        teaching.start(
            project_id, teaching.params_from({"provider": "Loopback", "task": {"record": "ToolCall", "tools": [BOOK]}})
        )


def test_from_the_page(open_page: OpenPage) -> None:  # noqa: F811
    project_id = project_with_chats()
    app = open_page("generate", project=project_id, kind="judgements")
    app.button(key="teacher_Judgement_start_go").click().run()
    assert not app.error
    app = open_page("generate", project=project_id, kind="comparisons")
    app.button(key="teacher_Comparison_start_go").click().run()
    app = open_page("generate", project=project_id, kind="calls")
    app.text_area(key="teacher_ToolCall_task_texts").set_value("a table for two\na song").run()
    app.text_area(key="teacher_ToolCall_task_tools").set_value('{"type": ').run()
    assert app.error
    app.text_area(key="teacher_ToolCall_task_tools").set_value(json.dumps([BOOK])).run()
    assert not app.error
    app.button(key="teacher_ToolCall_start_go").click().run()
    assert run_queued_here() == 3
    app.run()
    assert not app.exception
    assert [len(kept(project_id, kind)) for kind in ("Judgement", "Comparison", "ToolCall")] == [4, 2, 2]
    assert any("no function 'sing'" in str(frame.value) for frame in app.dataframe)
