"""Queries with labels: from files and by hand to a frozen version that a router trains on."""

import gzip
import json
from pathlib import Path

import pytest

from finetune_core.errors import DatasetError, StaleEditError
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.records import OUT_OF_SCOPE, SplitName
from finetune_core.storage import database
from finetune_core.storage import datasets as stored
from finetune_core.storage import pairs as stored_pairs
from finetune_core.storage.pairs import NewPair
from finetune_core.workspace import datasets, jobs, labelled, pairs, pipeline, projects
from finetune_core.workspace.labelled import PairState, QueryFilter
from tests import generation_fixtures

WORDINGS = {
    "billing": ("How much do I owe you?", "What do I owe you, please?"),
    "travel": ("When does the train leave?", "At what hour is the train leaving?"),
    OUT_OF_SCOPE: ("Sing me a song.", "Would you sing me a song?"),
}


@pytest.fixture
def project_id(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    return projects.create("Desk").id


def queries_file(folder: Path, num_seeds: int = 12) -> Path:
    """Two wordings of each of `num_seeds` seed questions, over two choices and out of scope."""
    path = folder / "queries.jsonl"
    rows = [
        {"text": f"{wording} Number {seed}.", "label": label or "oos", "group": f"seed-{seed}"}
        for seed in range(num_seeds)
        for label in [list(WORDINGS)[seed % 3]]
        for wording in WORDINGS[label]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_becomes_queries_and_choices_once(project_id: str, tmp_path: Path) -> None:
    path = queries_file(tmp_path)
    first = labelled.import_queries(project_id, path, out_of_scope="oos")
    assert (first.num_queries, first.num_known, first.num_new_choices) == (24, 0, 2)
    again = labelled.import_queries(project_id, path, out_of_scope="oos")
    assert (again.num_queries, again.num_known, again.num_new_choices) == (0, 24, 0)
    assert [one.id for one in labelled.choices(project_id)] == ["billing", "travel"]
    assert labelled.counts(project_id) == {"billing": 8, "travel": 8, OUT_OF_SCOPE: 8}


@pytest.mark.parametrize("file_format", labelled.EXPORTS)
def test_what_is_exported_comes_back_the_same(project_id: str, tmp_path: Path, file_format: str) -> None:
    labelled.import_queries(project_id, queries_file(tmp_path), out_of_scope="oos")
    out = tmp_path / f"out.{file_format}"
    out.write_bytes(labelled.export_bytes(project_id, file_format, QueryFilter()))
    other = projects.create("Other").id
    labelled.import_queries(other, out)
    told = [
        [(q.id, q.query, q.label, q.seed_question) for q in labelled.page(one, QueryFilter(), 0, 100)[0]]
        for one in (project_id, other)
    ]
    assert told[0] == told[1]
    assert len({seed for *_, seed in told[1]}) == 12, "two wordings of each seed question stay one group"


def test_home_counts_queries_and_leads_on_to_freezing_them(project_id: str, tmp_path: Path) -> None:
    labelled.import_queries(project_id, queries_file(tmp_path), out_of_scope="oos")
    found = pipeline.look(project_id)
    assert (found.counts.num_pairs, found.counts.num_accepted) == (24, 24)
    assert found.next_step is pipeline.NextStep.FREEZE


def test_queries_that_only_test_are_nothing_to_freeze_yet(project_id: str, tmp_path: Path) -> None:
    labelled.import_queries(project_id, queries_file(tmp_path), split="test", out_of_scope="oos")
    assert pipeline.look(project_id).next_step is not pipeline.NextStep.FREEZE


def test_no_file_gets_past_the_limits(project_id: str, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("label\n" + "".join(f"c{number}\n" for number in range(2001)), encoding="utf-8")
    with pytest.raises(DatasetError, match="2,001 choices; a router has at most 2,000"):
        labelled.import_choices(project_id, path)
    path.write_text("query,label\n" + "".join(f"q{number},c{number}\n" for number in range(2001)), encoding="utf-8")
    with pytest.raises(DatasetError, match="2,001 choices"):
        labelled.import_queries(project_id, path)
    path.write_text(f"query,label\n{'x' * 2001},billing\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="2,001 characters; at most 2,000"):
        labelled.import_queries(project_id, path)
    assert not labelled.choices(project_id)


def test_two_files_that_both_count_from_zero_lose_nothing(project_id: str, tmp_path: Path) -> None:
    for split, text in (("train", "What do I owe?"), ("test", "How much is due?")):
        path = tmp_path / f"{split}.csv"
        path.write_text(f"id,query,label\n0,{text},billing\n", encoding="utf-8")
        assert labelled.import_queries(project_id, path, split).num_queries == 1
        assert labelled.import_queries(project_id, path, split).num_known == 1
    found = labelled.page(project_id, QueryFilter(), 0)[0]
    assert [(one.query, one.split) for one in found] == [("What do I owe?", "train"), ("How much is due?", "test")]


def test_a_query_written_by_hand_and_then_imported_is_there_once(project_id: str, tmp_path: Path) -> None:
    labelled.save_choice(project_id, "billing")
    labelled.add(project_id, ["What do I owe?"], "billing")
    path = tmp_path / "queries.csv"
    path.write_text("query,label\nWhat do I owe?,billing\n", encoding="utf-8")
    assert labelled.import_queries(project_id, path).num_known == 1


def test_choices_are_described_by_a_table(project_id: str, tmp_path: Path) -> None:
    labelled.save_choice(project_id, "billing")
    path = tmp_path / "choices.csv"
    path.write_text("label,name,description\nbilling,Bills,What is owed\ntravel,,Trains\n", encoding="utf-8")
    assert labelled.import_choices(project_id, path) == 2
    assert [(one.id, one.name, one.description) for one in labelled.choices(project_id)] == [
        ("billing", "Bills", "What is owed"), ("travel", "travel", "Trains"),
    ]  # fmt: skip


def test_frozen_wordings_of_one_seed_stay_together_and_the_base_is_measured(project_id: str, tmp_path: Path) -> None:
    labelled.import_queries(project_id, queries_file(tmp_path, 30), out_of_scope="oos")
    job_id = datasets.freeze(project_id, "v1", record=datasets.QUERIES)
    run_queued_here()
    assert jobs.get(job_id).state is JobState.DONE, jobs.get(job_id).error
    view = datasets.get(project_id, "v1")
    assert (view.record, view.manifest["split_rule"], sum(view.num_examples.values())) == ("Labelled", "group", 60)
    split = stored.load_split(project_id, view.id)
    groups = [{one.group for one in split.part(name).examples} for name in SplitName]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert [one.id for one in split.test.corpus] == ["billing", "travel"]
    assert 0 <= view.manifest["base"]["test"]["macro_f1"] <= 1
    assert view.manifest["gain_metric"] == "accuracy"
    by_choice = {row["choice"]: row for row in view.manifest["num_by_choice"]}
    assert sum(by_choice["billing"][part] for part in ("train", "validation", "test")) == 20
    assert by_choice["travel"]["test"] == sum(one.label == "travel" for one in split.test.examples)
    json.dumps(view.manifest, allow_nan=False)  # what is not defined is null, for readers of JSON that know no NaN


def test_a_choice_with_few_queries_is_named_and_so_is_one_that_nothing_tests(project_id: str, tmp_path: Path) -> None:
    labelled.import_queries(project_id, queries_file(tmp_path, 12), split="train", out_of_scope="oos")
    path = tmp_path / "few.csv"
    rows = ["Where do I live?,housing,train", *(f"{n} on {part}?,{n},{part}" for part in ("validation", "test")
                                                for n in ("billing", "travel"))]  # fmt: skip
    path.write_text("query,label,split\n" + "\n".join(rows), encoding="utf-8")
    labelled.import_queries(project_id, path)
    job_id = datasets.freeze(project_id, "v1", record=datasets.QUERIES, measure_base=False)
    run_queued_here()
    assert jobs.get(job_id).state is JobState.DONE, jobs.get(job_id).error
    said = " ".join(datasets.get(project_id, "v1").manifest["warnings"])
    assert "1 choice with fewer than 5 training queries: housing" in said
    assert "1 choice without a test query, so nothing is proved of: housing" in said


def test_a_version_needs_two_choices(project_id: str) -> None:
    labelled.save_choice(project_id, "billing")
    labelled.add(project_id, ["What do I owe?", "Send me the bill."], "billing")
    job_id = datasets.freeze(project_id, "v1", record=datasets.QUERIES)
    run_queued_here()
    assert "at least 2 choices; this project has 1" in jobs.get(job_id).error


def test_two_tabs_do_not_overwrite_each_other(project_id: str) -> None:
    labelled.save_choice(project_id, "billing")
    labelled.save_choice(project_id, "travel")
    labelled.add(project_id, ["When is it due?"], "billing")
    shown = labelled.page(project_id, QueryFilter(), 0)[0][0]
    labelled.decide(project_id, shown.id, shown.version, label="travel")
    with pytest.raises(StaleEditError, match="for travel, and says"):
        labelled.decide(project_id, shown.id, shown.version, state=PairState.REJECTED)
    now = labelled.page(project_id, QueryFilter(label="travel"), 0)[0][0]
    assert (now.label, now.state) == ("travel", PairState.ACCEPTED)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("query,label\n,billing\n", "row 2 has no query"),
        ("words,label\nhello,billing\n", "no column 'query'"),
        ("query,label\n", "has no rows"),
        ('query,label\n"hello\n', "is not CSV"),
        (f"query,label\nhello,{'x' * 201}\n", "the label has 201 characters; at most 200"),
    ],
)
def test_a_bad_file_is_refused_whole(project_id: str, tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        labelled.import_queries(project_id, path)
    assert not labelled.counts(project_id)


def test_real_intents_keep_their_split_and_what_is_out_of_scope(
    project_id: str, tmp_path: Path, shared_data: Path
) -> None:
    packed = shared_data / "router" / "clinc150-small" / "norm" / "items.jsonl.gz"
    path = tmp_path / "items.jsonl"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    found = labelled.import_queries(project_id, path, out_of_scope="oos")
    assert found.num_new_choices == 150
    assert found.splits == {"train": 7600, "validation": 3100, "test": 5500}
    assert labelled.counts(project_id)[OUT_OF_SCOPE] == 1200


def test_a_decision_and_a_new_choice_are_undone_one_by_one(project_id: str) -> None:
    labelled.save_choice(project_id, "billing")
    labelled.save_choice(project_id, "travel")
    labelled.add(project_id, ["When is it due?", "Which train?"], "billing")
    labelled.decide_all(project_id, QueryFilter(), PairState.PENDING)
    first, second = (one.query for one in labelled.upcoming(project_id, QueryFilter("pending"), 0, 2))
    labelled.decide(project_id, first.id, first.version, state=PairState.ACCEPTED)
    labelled.decide(
        project_id, second.id, second.version, text="Which  train goes?", label="travel", state=PairState.ACCEPTED
    )
    assert labelled.progress(project_id).counts[PairState.ACCEPTED] == 2
    (back,) = labelled.undo(project_id).examples
    assert (back.query, back.label, back.state) == ("Which train?", "billing", PairState.PENDING)
    assert labelled.undo(project_id).examples[0].id == first.id
    assert labelled.undo(project_id).num_back == 2, "the bulk decision was one step"
    assert labelled.undo(project_id) is None
    assert {one.state for one in labelled.page(project_id, QueryFilter(), 0)[0]} == {PairState.ACCEPTED}


def test_an_undo_leaves_the_other_kinds_decisions_alone(project_id: str) -> None:
    with database.writing() as connection:
        stored_pairs.insert(connection, project_id, [NewPair("p", "Why?", {"c": 1}, "d", "generated")])
    labelled.save_choice(project_id, "billing")
    labelled.add(project_id, ["When is it due?"], "billing")
    query = labelled.page(project_id, QueryFilter(), 0)[0][0]
    labelled.decide(project_id, query.id, query.version, state=PairState.REJECTED)
    pairs.decide(project_id, "p", 1, PairState.ACCEPTED)
    assert labelled.undo(project_id).num_back == 1
    assert labelled.undo(project_id) is None
    assert pairs.get(project_id, "p").pair.state is PairState.ACCEPTED
    assert pairs.undo(project_id).num_back == 1


def test_wordings_of_the_same_question_are_shown_with_a_query(project_id: str, tmp_path: Path) -> None:
    labelled.import_queries(project_id, queries_file(tmp_path, 3), out_of_scope="oos")
    view = labelled.upcoming(project_id, QueryFilter(), 0, 1)[0]
    assert [one.query for one in view.wordings] == ["What do I owe you, please? Number 0."]


def test_choices_are_one_json_object_or_name_their_documents(project_id: str, tmp_path: Path) -> None:
    path = tmp_path / "choices.json"
    path.write_text('{"billing": "What is owed", "travel": ""}', encoding="utf-8")
    assert labelled.import_choices(project_id, path) == 2
    assert [(one.id, one.description) for one in labelled.choices(project_id)] == [
        ("billing", "What is owed"), ("travel", ""),
    ]  # fmt: skip
    for content, said in (
        ('["billing"]', "not an object of names"),
        ('{"billing": 3}', "not an object"),
        ("{", "not JSON"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DatasetError, match=said):
            labelled.import_choices(project_id, path)
    found = generation_fixtures.corpus()
    rows = tmp_path / "choices.csv"
    rows.write_text("label,documents\nlamps,animal0;animal2\nother,\n", encoding="utf-8")
    labelled.import_choices(found, rows)
    assert [[labelled.documents_of(found)[key] for key in one.documents] for one in labelled.choices(found)] == [
        ["animal0", "animal2"], [],
    ]  # fmt: skip
    rows.write_text("label,documents\nlamps,animal9\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="names the document 'animal9'"):
        labelled.import_choices(found, rows)


def test_a_project_of_choices_alone_is_never_told_to_add_documents(project_id: str) -> None:
    labelled.save_choice(project_id, "billing")
    assert pipeline.look(project_id).next_step is pipeline.NextStep.WRITE_QUERIES
    labelled.add(project_id, ["When is it due?"], "billing")
    assert pipeline.look(project_id).next_step is pipeline.NextStep.FREEZE
    labelled.decide_all(project_id, QueryFilter(), PairState.PENDING)
    assert pipeline.look(project_id).next_step is pipeline.NextStep.REVIEW
