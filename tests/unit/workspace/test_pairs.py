"""Reviewing: what is shown is what is changed, nothing is overwritten silently, every step can be taken back."""

import json
from pathlib import Path

import pytest

from finetune_core.corpus import interchange
from finetune_core.corpus.interchange import LabelledSet, Question
from finetune_core.errors import DatasetError, PairError, StaleEditError
from finetune_core.records import Passage
from finetune_core.storage import database, documents
from finetune_core.storage import pairs as rows
from finetune_core.storage.pairs import NewPair
from finetune_core.workspace import pairs, projects
from finetune_core.workspace.pairs import PairFilter, PairState

PENDING = PairFilter(state="pending")


@pytest.fixture
def project_id() -> str:
    """Five pending pairs on one passage each; the first with evidence."""
    found = projects.create("Review").id
    with database.writing() as connection:
        passages = [
            Passage(f"c{number}", f"Text {number}: it opens at {number}.", f"d{number % 2}") for number in range(5)
        ]
        documents.insert_passages(connection, found, "", passages)
        new = [
            NewPair(f"q{number}", f"What is the time {number}?", {f"c{number}": 1}, f"d{number % 2}", "generated",
                    evidence=f"opens at {number}")
            for number in range(5)
        ]  # fmt: skip
        rows.insert(connection, found, new)
    return found


def state_of(project_id: str, pair_id: str) -> PairState:
    return pairs.get(project_id, pair_id).pair.state


def test_the_evidence_is_where_it_stands(project_id: str) -> None:
    shown = pairs.upcoming(project_id, PENDING)[0]
    start, end = shown.passages[0].evidence or (0, 0)
    assert shown.passages[0].text[start:end] == "opens at 0"


def test_review_goes_on_and_comes_round_to_what_was_skipped(project_id: str) -> None:
    first, second = pairs.upcoming(project_id, PENDING, num=2)
    pairs.decide(project_id, second.pair.id, 1, PairState.ACCEPTED)
    assert [one.pair.id for one in pairs.upcoming(project_id, PENDING, second.pair.seq, 9)] == ["q2", "q3", "q4", "q0"]
    assert first.pair.id == "q0"
    for pair_id in ("q0", "q2", "q3", "q4"):
        pairs.decide(project_id, pair_id, 1, PairState.REJECTED)
    assert pairs.upcoming(project_id, PENDING, 3, 9) == []


def test_two_tabs_cannot_overwrite_each_other(project_id: str) -> None:
    seen_in_both = pairs.get(project_id, "q0").pair
    pairs.decide(project_id, "q0", seen_in_both.version, PairState.ACCEPTED, question="The first tab's words?")
    with pytest.raises(StaleEditError, match="accepted now, and its question differ") as caught:
        pairs.decide(project_id, "q0", seen_in_both.version, PairState.REJECTED, question="The second tab's words?")
    assert caught.value.hint
    now = pairs.get(project_id, "q0").pair
    same = pairs.decide(project_id, "q0", 1, PairState.ACCEPTED, question="The first tab's words?")
    assert same == now  # what is so already is no conflict
    assert (now.question, now.state) == ("The first tab's words?", PairState.ACCEPTED)
    pairs.decide(project_id, "q0", now.version, PairState.REJECTED, question="The second tab's words?")
    assert pairs.get(project_id, "q0").pair.question == "The second tab's words?"


def test_an_edit_keeps_what_was_there_first(project_id: str) -> None:
    pairs.decide(project_id, "q0", 1, PairState.ACCEPTED, question="Better?", answer="At 0.")
    once = pairs.decide(project_id, "q0", 2, PairState.ACCEPTED, question="Best?", evidence="opens at 0.")
    assert once.original == {"question": "What is the time 0?", "answer": "", "evidence": "opens at 0"}
    assert (once.version, once.question, once.answer, once.evidence) == (3, "Best?", "At 0.", "opens at 0.")
    same = pairs.decide(project_id, "q0", 3, PairState.ACCEPTED, question=" Best? ")
    assert same.version == 3  # nothing to change, nothing changed


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"question": "  "}, "empty"),
        ({"question": "x" * 20_001}, "20,001"),
        ({"evidence": "not there"}, "does not stand"),
    ],
)
def test_what_cannot_be_kept_is_refused_whole(project_id: str, texts: dict[str, str], message: str) -> None:
    with pytest.raises(PairError, match=message):
        pairs.decide(project_id, "q0", 1, PairState.ACCEPTED, **texts)
    assert pairs.get(project_id, "q0").pair.version == 1


def test_every_step_can_be_taken_back_one_by_one(project_id: str) -> None:
    pairs.decide(project_id, "q0", 1, PairState.ACCEPTED, question="Edited?")
    pairs.decide(project_id, "q0", 2, PairState.REJECTED)
    pairs.decide_all(project_id, PENDING, PairState.ACCEPTED)
    assert [one.id for one in pairs.undo(project_id).examples] == ["q1", "q2", "q3", "q4"]
    assert pairs.progress(project_id).counts[PairState.PENDING] == 4
    assert pairs.undo(project_id).examples[0].state == PairState.ACCEPTED
    back = pairs.undo(project_id).examples[0]
    assert (back.state, back.question, back.reviewed_at, back.original) == (
        PairState.PENDING, "What is the time 0?", None, None,
    )  # fmt: skip
    assert pairs.undo(project_id) is None
    assert not pairs.progress(project_id).can_undo


def test_an_undo_never_takes_back_what_another_did_since(project_id: str) -> None:
    pairs.decide(project_id, "q0", 1, PairState.ACCEPTED)
    with database.writing() as connection:
        rows.undo_filter(connection, project_id, "form")  # touches nothing
        connection.exec_driver_sql("UPDATE pair SET version = 9, question = 'Theirs?' WHERE id = 'q0'")
    with pytest.raises(StaleEditError, match="not undone"):
        pairs.undo(project_id)
    assert pairs.get(project_id, "q0").pair.question == "Theirs?"


def test_an_undo_of_many_counts_all_and_says_what_it_left(project_id: str) -> None:
    more = [NewPair(f"m{number}", f"Question number {number}?", {"c0": 1}, "d0", "generated") for number in range(600)]
    with database.writing() as connection:
        rows.insert(connection, project_id, more)
    assert pairs.decide_all(project_id, PENDING, PairState.REJECTED) == 605
    pairs.decide(project_id, "m0", 2, PairState.ACCEPTED)
    pairs.undo(project_id)  # of the single decision
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE pair SET version = 9 WHERE id = 'm7'")
    step = pairs.undo(project_id)
    assert (len(step.examples), step.num_back, step.num_changed_since) == (500, 604, 1)
    assert state_of(project_id, "m7") == "rejected"


def test_bulk_takes_exactly_what_was_confirmed(project_id: str) -> None:
    with pytest.raises(StaleEditError, match=r"5 pairs now; it was 4"):
        pairs.decide_all(project_id, PENDING, PairState.REJECTED, expected=4)
    assert pairs.decide_all(project_id, PairFilter(document_id="d1"), PairState.REJECTED, expected=2) == 2
    assert [state_of(project_id, f"q{number}") for number in range(3)] == ["pending", "rejected", "pending"]


def test_all_like_this_one(project_id: str) -> None:
    with database.writing() as connection:
        more = [
            NewPair("same", "what is the TIME 0", {"c0": 1}, "d0", "generated"),
            NewPair("far", "Who may come in?", {"c0": 1}, "d0", "generated"),
        ]
        rows.insert(connection, project_id, more)
    assert {one.id for one in pairs.alike(project_id, "q0")} >= {"q0", "same"}
    assert "far" not in {one.id for one in pairs.alike(project_id, "q0")}
    alike = [one.id for one in pairs.alike(project_id, "q0", same_start=True)]
    assert alike == ["q0", "q1", "q2", "q3", "q4", "same"]
    assert pairs.reject_these(project_id, alike) == 6
    assert pairs.undo(project_id).num_back == 6


def test_the_pace_is_measured_without_pauses(project_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Gaps of 10 s, 10 s, an hour at lunch, 20 s: three gaps in 40 s are 270 an hour.
    times = iter([1000.0, 1010.0, 1020.0, 4620.0, 4640.0])
    monkeypatch.setattr(database, "now", lambda: next(times))
    for number in range(5):
        pairs.decide(project_id, f"q{number}", 1, PairState.ACCEPTED)
    assert pairs.progress(project_id).per_hour == pytest.approx(270)
    assert pairs.progress(project_id).hours_left == 0


def test_a_pair_by_hand(project_id: str) -> None:
    (passage,) = pairs.find_passages(project_id, "opens AT 3")
    added = pairs.add(project_id, "When at three?", passage.id, evidence="opens at 3", answer="Then.")
    assert (added.state, added.source, added.document_id) == (PairState.ACCEPTED, "written", "d1")
    with pytest.raises(PairError, match="there already"):
        pairs.add(project_id, "When at three?", passage.id)
    with pytest.raises(PairError, match="does not stand"):
        pairs.add(project_id, "When?", passage.id, evidence="closes")
    with pytest.raises(PairError, match="no passage"):
        pairs.add(project_id, "When?", "nowhere")
    with pytest.raises(PairError, match="empty"):
        pairs.add(project_id, " ", passage.id)
    assert pairs.find_passages(project_id, "  ") == []


def labelled() -> LabelledSet:
    passages = [Passage(f"p{number}", f"Passage {number}", f"doc{number // 2}", "Head") for number in range(4)]
    questions = [
        Question("1", "One?", {"p0": 1, "p3": 3}, "", "A", "Passage"),
        Question("2", "Two?", {"p1": 1, "p2": 0}),
        Question("3", "Unanswered?", {}),
    ]
    return LabelledSet(tuple(questions), tuple(passages))


@pytest.mark.parametrize("file_format", interchange.WRITTEN)
def test_what_was_imported_is_exported_alike(file_format: str, tmp_path: Path) -> None:
    found = projects.create("Round").id
    suffix = interchange.FORMATS[file_format].suffix
    interchange.write(labelled(), tmp_path / f"in{suffix}", file_format)
    summary = pairs.import_file(found, tmp_path / f"in{suffix}", file_format, "test")
    assert (summary.num_pairs, summary.num_without_passage, summary.num_passages) == (2, 1, 4)
    again = pairs.import_file(found, tmp_path / f"in{suffix}", file_format, "test")
    assert (again.num_pairs, again.num_known) == (0, 2)
    pairs.export_file(found, tmp_path / f"out{suffix}", file_format)
    back = interchange.read(tmp_path / f"out{suffix}", file_format)
    expected = labelled().for_split("test")
    assert {one.id: (one.text, dict(one.relevant), one.split, one.answer, one.evidence) for one in back.questions} == {
        one.id: (one.text, dict(one.relevant), one.split, one.answer, one.evidence)
        for one in expected.questions
        if one.relevant
    }
    assert set(back.passages) == set(expected.passages)
    with pytest.raises(PairError, match="exists"):
        pairs.export_file(found, tmp_path / f"out{suffix}", file_format)


def test_equal_ids_of_two_files_are_two_pairs_and_keep_their_ids(tmp_path: Path) -> None:
    found = projects.create("Twice").id
    for split, text in (("train", "Train?"), ("test", "Test?")):
        content = {"queries": {"0": text}, "corpus": {"p": f"{split} text"}, "relevant_docs": {"0": ["p"]}}
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
        pairs.import_file(found, tmp_path / f"{split}.json", "llamaindex", split)
    assert sum(pairs.progress(found).counts.values()) == 2
    pairs.export_file(found, tmp_path / "out.json", "llamaindex", split="test")
    back = json.loads((tmp_path / "out.json").read_text())
    assert (back["queries"], back["corpus"]) == ({"0": "Test?"}, {"p": "test text"})


def test_a_broken_file_brings_nothing(tmp_path: Path) -> None:
    found = projects.create("Broken").id
    (tmp_path / "bad.json").write_text('{"queries": {"1": "a"}, "corpus": {}, "relevant_docs": {"1": ["zz"]}}')
    with pytest.raises(DatasetError):
        pairs.import_file(found, tmp_path / "bad.json", "llamaindex", "train")
    with pytest.raises(PairError, match="'exam'"):
        pairs.import_file(found, tmp_path / "bad.json", "llamaindex", "exam")
    assert sum(pairs.progress(found).counts.values()) == 0
    with pytest.raises(PairError, match="no pair to export"):
        pairs.export_file(found, tmp_path / "out.json", "llamaindex")
