"""Demonstrations: from files and by hand, through review with undo, to a frozen version."""

import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from finetune_core.errors import DatasetError, PairError, StaleEditError
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.database import Database
from finetune_core.records import Chat, Comparison, Judgement, SplitName
from finetune_core.storage import datasets as stored
from finetune_core.workspace import datasets, demonstrations, jobs, projects
from finetune_core.workspace.demonstrations import DemonstrationFilter, PairState
from finetune_core.workspace.import_filters import ImportFilter, Secret


@pytest.fixture
def project_id(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    return projects.create("Desk").id


TOPICS = ("tyres", "roses", "bread", "violins", "kites", "glaciers", "chess", "maps", "clocks", "rivers", "bees", "ink")


def chats_file(folder: Path, num: int = 12) -> Path:
    path = folder / "chats.jsonl"
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Say a word on {topic} today."},
                {"role": "assistant", "content": topic},
            ]
        }
        for topic in TOPICS[:num]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_comes_in_once_and_is_found_again(project_id: str, tmp_path: Path) -> None:
    path = chats_file(tmp_path)
    first = demonstrations.import_file(project_id, "Chat", path)
    assert (first.num_new, first.num_known, first.file_format) == (12, 0, "OpenAI chat")
    assert demonstrations.import_file(project_id, "Chat", path).num_known == 12
    assert demonstrations.counts(project_id)["Chat"][PairState.ACCEPTED] == 12
    found, total = demonstrations.page(project_id, DemonstrationFilter("Chat", text="ROSES"), 0)
    assert total == 1
    assert found[0].question == "Say a word on roses today."
    assert found[0].answer == "roses"


def test_files_that_both_count_from_zero_lose_nothing(project_id: str, tmp_path: Path) -> None:
    for text in ("yes", "no"):
        path = tmp_path / f"{text}.jsonl"
        path.write_text(json.dumps({"id": 0, "query": "Is it?", "response": text, "score": 3}), encoding="utf-8")
        assert demonstrations.import_file(project_id, "Judgement", path).num_new == 1
        assert demonstrations.import_file(project_id, "Judgement", path).num_new == 0
    assert demonstrations.counts(project_id)["Judgement"][PairState.ACCEPTED] == 2


def test_decisions_and_edits_name_the_version_they_saw_and_are_undone_kind_by_kind(project_id: str) -> None:
    one = demonstrations.add(project_id, "Judgement", {"query": "Why?", "response": "Because.", "score": 2})
    other = demonstrations.add(
        project_id, "Comparison", {"query": "Why?", "first": "a", "second": "b", "winner": "tie"}
    )
    assert not demonstrations.progress(project_id, "Judgement").can_undo
    edited = demonstrations.change(project_id, one, content={"score": 4.0}, state=PairState.REJECTED)
    assert (edited.example.score, edited.state, edited.version) == (4.0, PairState.REJECTED, 2)
    assert edited.original is not None
    assert edited.original["score"] == 2.0
    with pytest.raises(StaleEditError):
        demonstrations.change(project_id, one, state=PairState.PENDING)
    assert demonstrations.undo(project_id, "Comparison") is None
    back = demonstrations.undo(project_id, "Judgement")
    assert back is not None
    assert back.examples[0].example == one.example
    assert back.examples[0].state is PairState.ACCEPTED
    assert demonstrations.get(project_id, "Comparison", other.id) == other


def test_an_edit_that_cannot_be_is_refused_and_changes_nothing(project_id: str) -> None:
    one = demonstrations.add(project_id, "Judgement", {"query": "Why?", "response": "Because.", "score": 2})
    with pytest.raises(DatasetError, match="the score 9 lies outside 1 to 5"):
        demonstrations.change(project_id, one, content={"score": 9})
    with pytest.raises(PairError, match="there already"):
        demonstrations.add(project_id, "Judgement", {"query": "Why?", "response": "Because.", "score": 2})
    assert demonstrations.get(project_id, "Judgement", one.id) == one


def test_a_bulk_decision_is_one_step(project_id: str, tmp_path: Path) -> None:
    demonstrations.import_file(project_id, "Chat", chats_file(tmp_path))
    chosen = DemonstrationFilter("Chat", PairState.ACCEPTED)
    with pytest.raises(StaleEditError, match="takes in 12 examples now; it was 3"):
        demonstrations.decide_all(project_id, chosen, PairState.REJECTED, expected=3)
    assert demonstrations.decide_all(project_id, chosen, PairState.REJECTED, expected=12) == 12
    step = demonstrations.undo(project_id, "Chat")
    assert step is not None
    assert step.num_back == 12
    assert demonstrations.counts(project_id)["Chat"][PairState.ACCEPTED] == 12


def _frozen(project_id: str, record: str, name: str = "v1") -> dict[str, Any]:
    job_id = datasets.freeze(project_id, name, record=record, measure_base=False)
    run_queued_here()
    job = jobs.get(job_id)
    assert job.state is JobState.DONE, job.error
    return dict(job.result["manifest"])


def test_frozen_by_group_and_read_back_as_records(project_id: str, tmp_path: Path) -> None:
    demonstrations.import_file(project_id, "Chat", chats_file(tmp_path))
    manifest = _frozen(project_id, "Chat")
    split = stored.load_split(project_id, manifest["hash"])
    assert {name: len(split.part(name)) for name in SplitName} == {"train": 9, "validation": 1, "test": 2}
    assert all(isinstance(one, Chat) and one.reviewed for name in SplitName for one in split.part(name).examples)
    assert manifest["split_rule"] == "group"
    assert not manifest["leakage"]["is_leaking"]
    assert manifest["base"]["note"]
    assert manifest["smallest_detectable_gain"] is None


def test_the_same_question_in_two_imported_parts_is_told_as_a_leak(project_id: str, tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    rows = [
        {"query": f"How are {topic} kept in a cold country?", "response": "With care and in the dark.", "score": 3,
         "split": split}
        for split, topics in (("train", TOPICS[:6]), ("valid", TOPICS[6:8]), ("test", TOPICS[5:6]))
        for topic in topics
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    # the twin has an id of its own, since files may hold the same input in two parts
    demonstrations.import_file(project_id, "Judgement", path)
    manifest = _frozen(project_id, "Judgement")
    assert manifest["split_rule"] == "imported"
    assert manifest["leakage"]["num_shared_questions"] == 1


@pytest.mark.parametrize("kind", [Judgement, Comparison])
def test_what_is_exported_comes_back_the_same(project_id: str, tmp_path: Path, kind: type[Any]) -> None:
    rows = {
        Judgement: {"query": "Why?", "response": "Be, cause.", "ratings": [1, 2], "lowest": 0, "highest": 3},
        Comparison: {"query": "Why?", "first": "a", "second": "b\n|", "votes": ["a", "b", "b"]},
    }
    demonstrations.add(project_id, kind.__name__, rows[kind])
    other = projects.create("Other").id
    chosen = DemonstrationFilter(kind.__name__)
    for file_format in ("jsonl", "csv"):
        path = tmp_path / f"out.{file_format}"
        path.write_bytes(demonstrations.export_bytes(project_id, file_format, chosen))
        demonstrations.import_file(other, kind.__name__, path)
    told = [demonstrations.page(each, chosen, 0)[0] for each in (project_id, other)]
    assert len(told[1]) == 1
    assert told[0][0].example == told[1][0].example


def test_a_folder_in_spiders_form_keeps_its_databases_with_the_project(project_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "spider"
    (folder / "database" / "zoo").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "database" / "zoo" / "zoo.sqlite")) as connection:
        connection.execute("CREATE TABLE bear (name TEXT PRIMARY KEY, age INTEGER)")
        connection.execute("INSERT INTO bear VALUES ('Baloo', 9)")
        connection.commit()
    rows = [
        {
            "id": "1",
            "db_id": "zoo",
            "question": "How old is Baloo?",
            "gold_sql": ["SELECT age FROM bear"],
            "fold": "eval",
        }
    ]
    (folder / "questions.jsonl").write_text(json.dumps(rows[0]), encoding="utf-8")
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    assert demonstrations.import_file(project_id, "SqlQuestion", packed).splits == {"test": 1}
    shutil.rmtree(folder)
    packed.unlink()
    (found,), _ = demonstrations.page(project_id, DemonstrationFilter("SqlQuestion"), 0)
    assert found.example.schema == "CREATE TABLE bear (name TEXT, age INTEGER, PRIMARY KEY (name));"
    assert Database(found.example.database).query(found.example.sql).rows == ((9,),)


def test_a_zip_that_is_none_or_unpacks_to_too_much_is_refused(
    project_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(DatasetError, match=r"bad.zip cannot be unpacked"):
        demonstrations.import_file(project_id, "SqlQuestion", path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dev.json", "[]" * 100)
    monkeypatch.setattr("finetune_core.workspace.databases.MAX_UNPACKED_BYTES", 100)
    with pytest.raises(DatasetError, match="holds 1 files of 200 bytes; at most"):
        demonstrations.import_file(project_id, "SqlQuestion", path)


def test_secrets_are_taken_out_before_anything_is_stored_and_only_where_asked(project_id: str, tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    said = [
        {"role": "user", "content": "Write to ada@example.org"},
        {"role": "assistant", "content": "Done: ada@example.org"},
    ]
    path.write_text(json.dumps({"messages": said}) + "\n", "utf-8")
    found = demonstrations.import_file(project_id, "Chat", path, chosen=ImportFilter(frozenset(Secret)))
    assert found.redacted == {"e-mail": 2}
    assert found.sentence.endswith("taken out: 2 x e-mail.")
    chosen = DemonstrationFilter("Chat")
    assert "ada@example.org" not in demonstrations.export_bytes(project_id, "jsonl", chosen).decode()
    plain = projects.create("Plain").id
    assert demonstrations.import_file(plain, "Chat", path).redacted == {}
    assert b"ada@example.org" in demonstrations.export_bytes(plain, "jsonl", chosen)


def test_an_edited_answer_leaves_the_first_one_as_the_rejected_one(project_id: str, tmp_path: Path) -> None:
    demonstrations.import_file(project_id, "Chat", chats_file(tmp_path))
    first, second = demonstrations.page(project_id, DemonstrationFilter("Chat"), 0, 2)[0]
    better = {"role": "assistant", "content": "A better answer."}
    edited = demonstrations.change(project_id, first, content={"response": better})
    assert (edited.example.response, edited.example.rejected) == (better, first.content["response"])
    again = demonstrations.change(project_id, edited, content={"response": {**better, "content": "The best."}})
    assert again.example.rejected == first.content["response"], "what the teacher said, not what was typed in between"
    other = demonstrations.change(
        project_id, second, content={"messages": [{"role": "user", "content": "Else?"}], "response": better}
    )
    assert other.example.rejected == {}, "it was an answer to something else"
    demonstrations.undo(project_id, "Chat")
    demonstrations.undo(project_id, "Chat")
    demonstrations.undo(project_id, "Chat")
    assert demonstrations.get(project_id, "Chat", first.id).example.rejected == {}
    demonstrations.change(project_id, demonstrations.get(project_id, "Chat", first.id), content={"response": better})
    lines = demonstrations.export_bytes(project_id, "preferences", DemonstrationFilter("Chat")).decode().splitlines()
    [line] = [json.loads(line) for line in lines]
    assert (line["preferred_output"], line["non_preferred_output"]) == ([better], [first.content["response"]])
