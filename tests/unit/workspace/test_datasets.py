"""From pairs to a version that never changes, as the worker makes it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from finetune_core import recipes
from finetune_core.errors import DatasetError, JobError
from finetune_core.jobs import supervisor
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.worker import run_queued_here
from finetune_core.records import Passage, SplitName
from finetune_core.storage import database, documents
from finetune_core.storage import datasets as rows
from finetune_core.storage import pairs as pair_rows
from finetune_core.storage.pairs import NewPair, PairFilter, PairState
from finetune_core.workspace import datasets, jobs, pairs, projects
from finetune_core.workspace.datasets import DatasetView
from tests.training_fixtures import RecordedRun


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)


def freeze(project_id: str, name: str, **options: object) -> DatasetView:
    job_id = datasets.freeze(project_id, name, **{"measure_base": False, **options})  # type: ignore[arg-type]
    run_queued_here()
    job = jobs.get(job_id)
    if job.error:
        raise DatasetError(job.error, hint=job.hint)
    return datasets.get(project_id, job.result["id"])


def own_project(num_documents: int = 20, *, state: PairState = PairState.ACCEPTED) -> str:
    """Documents of three chunks each, one pair on each chunk, and one chunk nobody asks about."""
    found = projects.create(f"Own {num_documents} {state}").id
    with database.writing() as connection:
        for document in range(num_documents):
            passages = [
                Passage(f"{document}-{place}", f"Text {document} {place}", f"d{document}") for place in range(4)
            ]
            documents.insert_passages(connection, found, "", passages)
        new = [
            NewPair(f"{document}?{place}", f"Which {document} of {place} is it?", {f"{document}-{place}": 1},
                    f"d{document}", "generated", state=state)
            for document in range(num_documents) for place in range(3)
        ]  # fmt: skip
        pair_rows.insert(connection, found, new)
    return found


def write_llamaindex(path: Path, questions: Mapping[str, tuple[str, str]], corpus: Mapping[str, str]) -> Path:
    content = {
        "queries": {key: text for key, (text, _) in questions.items()},
        "corpus": dict(corpus),
        "relevant_docs": {key: [passage] for key, (_, passage) in questions.items()},
        "mode": "text",
    }
    path.write_text(json.dumps(content))
    return path


def test_own_pairs_are_split_by_document_and_searched_in_all_chunks() -> None:
    project_id = own_project()
    view = freeze(project_id, "v1")
    split = rows.load_split(project_id, view.id)
    groups = {name: {one.group for one in split.part(name).examples} for name in SplitName}
    assert not groups[SplitName.TRAIN] & (groups[SplitName.TEST] | groups[SplitName.VALIDATION])
    assert view.manifest["split_rule"] == "document"
    assert view.num_examples == {"train": 42, "validation": 6, "test": 12}
    assert view.manifest["num_searched"] == {"train": 80, "validation": 80, "test": 80}
    assert not view.manifest["leakage"]["num_shared_documents"]
    assert view.manifest["num_never_reviewed"] == 0


def test_freezing_is_deterministic_and_the_same_content_is_the_same_version() -> None:
    project_id = own_project()
    first, again = freeze(project_id, "v1"), freeze(project_id, "v2")
    assert first == again
    assert [one.name for one in datasets.listing(project_id)] == ["v1"]
    other_seed = freeze(project_id, "v3", seed=7)
    assert other_seed.id != first.id
    elsewhere = own_project(20, state=PairState.PENDING)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE pair SET state = 'accepted'")
    assert freeze(elsewhere, "v1").id == first.id  # another project, the same pairs: the same hash


def test_a_version_never_changes_and_its_name_is_taken() -> None:
    project_id = own_project()
    first = freeze(project_id, "v1")
    before = rows.load_split(project_id, first.id)
    pairs.decide_all(project_id, PairFilter(document_id="d3"), PairState.REJECTED)
    with pytest.raises(DatasetError, match="'v1' holds other examples"):
        freeze(project_id, "v1")
    second = freeze(project_id, "v2")
    assert second.id != first.id
    assert rows.load_split(project_id, first.id) == before


def test_pending_pairs_join_only_when_asked_and_are_counted() -> None:
    project_id = own_project()
    with database.writing() as connection:
        failed = {"passed": False, "score": 0.0, "detail": ""}
        pending = [
            NewPair(f"p{number}", f"Nobody has read number {number}?", {f"{number}-3": 1}, f"d{number}", "generated",
                    outcomes={"form": failed} if number == 0 else {"form": {**failed, "passed": True}})
            for number in range(5)
        ]  # fmt: skip
        pair_rows.insert(connection, project_id, pending)
    assert datasets.counts(project_id) == datasets.FreezeCounts(60, 4)
    assert sum(freeze(project_id, "v1").num_examples.values()) == 60
    view = freeze(project_id, "v2", include_pending=True)
    assert sum(view.num_examples.values()) == 64
    assert view.manifest["num_never_reviewed"] == 4
    assert view.manifest["num_test_never_reviewed"] == 0  # the test set prefers what was reviewed
    assert any("4 of 64 pairs were never reviewed" in line for line in view.manifest["warnings"])


def test_an_imported_split_is_kept_and_searched_in_its_own_corpus(tmp_path: Path) -> None:
    project_id = projects.create("Imported").id
    train = {str(number): (f"Train question {number}?", f"p{number}") for number in range(30)}
    test = {str(number): (f"Judged on {number}?", f"t{number}") for number in range(5)}
    corpus = {f"p{number}": f"Passage {number}" for number in range(40)}
    pairs.import_file(project_id, write_llamaindex(tmp_path / "a.json", train, corpus), "llamaindex", "train")
    other = {f"t{number}": f"Test passage {number}" for number in range(7)}
    pairs.import_file(project_id, write_llamaindex(tmp_path / "b.json", test, other), "llamaindex", "test")
    view = freeze(project_id, "v1")
    split = rows.load_split(project_id, view.id)
    assert sorted(one.query for one in split.test.examples) == sorted(text for text, _ in test.values())
    assert {one.id for one in split.test.corpus} == set(other)
    assert len(split.train.corpus) == len(split.validation.corpus) == 40
    assert (len(split.train), len(split.validation)) == (27, 3)  # validation is cut from training, by document
    assert all(one.group in one.relevant for one in split.test.examples)  # each passage is its own document


def test_grades_come_through_and_judged_wrong_ones_do_not_count(tmp_path: Path) -> None:
    project_id = projects.create("Graded").id
    lines = [
        {"question_id": str(number), "question": f"What about {number}?", "passage_id": f"p{other}", "grade": grade,
         "passage": f"Passage {other}", "split": "train"}
        for number in range(30) for other, grade in ((number, 3), (number + 1, 1), (number + 2, 0))
    ]  # fmt: skip
    lines.append(
        {"question_id": "wrong", "question": "Nothing fits?", "passage_id": "p0", "grade": 0, "split": "train"}
    )
    path = tmp_path / "graded.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    pairs.import_file(project_id, path, "jsonl")
    view = freeze(project_id, "v1")
    split = rows.load_split(project_id, view.id)
    every = [one for name in SplitName for one in split.part(name).examples]
    assert len(every) == 30
    assert {one.id: one.relevant for one in every}["4"] == {"p4": 3, "p5": 1}
    assert view.manifest["left_out"]["no_right_passage"] == 1


def test_pairs_on_excluded_or_doubled_chunks() -> None:
    project_id = own_project()
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE chunk SET excluded = 1 WHERE id = '0-0'")
        connection.exec_driver_sql("UPDATE chunk SET duplicate_of = '1-1' WHERE id = '1-0'")
    view = freeze(project_id, "v1")
    split = rows.load_split(project_id, view.id)
    by_id = {one.id: one for name in SplitName for one in split.part(name).examples}
    assert view.manifest["left_out"]["passage_gone"] == 1
    assert "0?0" not in by_id
    assert by_id["1?0"].relevant == {"1-1": 1}
    assert view.manifest["num_searched"]["test"] == 78


def test_few_documents_are_cut_into_sections_and_said_so() -> None:
    project_id = projects.create("Few").id
    with database.writing() as connection:
        passages = [Passage(f"c{place}", f"Text {place}", f"d{place // 20}") for place in range(40)]
        documents.insert_passages(connection, project_id, "", passages)
        new = [
            NewPair(f"q{one.id}", f"What is said at {one.id}?", {one.id: 1}, one.document, "written",
                    state=PairState.ACCEPTED)
            for one in passages
        ]  # fmt: skip
        pair_rows.insert(connection, project_id, new)
    view = freeze(project_id, "v1")
    assert view.manifest["split_rule"] == "section"
    assert view.manifest["left_out"]["section_boundary"] == 4
    assert not view.manifest["leakage"]["is_leaking"]
    assert any("fewer than 10 documents" in line for line in view.manifest["warnings"])


def test_what_cannot_be_frozen_is_said_before_a_job_starts() -> None:
    project_id = own_project(20, state=PairState.PENDING)
    with pytest.raises(DatasetError, match=r"no accepted pairs to freeze \(60 are pending\)"):
        datasets.freeze(project_id, "v1")
    with pytest.raises(JobError, match="name"):
        datasets.freeze(project_id, "  ", include_pending=True)
    with pytest.raises(DatasetError, match="'v9'"):
        datasets.get(project_id, "v9")
    assert jobs.listing(project_id) == []
    tiny = own_project(1)
    with pytest.raises(DatasetError, match=r"over 1 document:"):
        freeze(tiny, "v1")


def test_a_version_in_use_is_not_deleted() -> None:
    project_id = own_project()
    view = freeze(project_id, "v1")
    with database.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO comparison (id, project_id, job_id, dataset_id, recipe, result, created_at) "
            f"VALUES ('c', '{project_id}', 'j', '{view.id}', 'embedding', '{{}}', 0)"
        )
    with pytest.raises(DatasetError, match="1 model"):
        datasets.delete(project_id, "v1")
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM comparison")
    datasets.delete(project_id, "v1")
    assert datasets.listing(project_id) == []
    assert not rows.folder(project_id, view.id).exists()
    assert datasets.suggested_name(project_id) == "v1"


class LetterEmbedder:
    """Counts letters: an embedder with a fingerprint and no model."""

    fingerprint = "letters"

    is_symmetric = True

    def __init__(self, model: str, *_prefixes_and_limit: object) -> None:
        self.model = model

    def encode_queries(self, texts, checkpoint=None) -> np.ndarray:
        counts = np.array(
            [[text.lower().count(letter) + 1e-3 for letter in "0123456789xyz"] for text in texts], np.float32
        ).reshape(-1, 13)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    encode_passages = encode_queries


def test_the_base_model_is_measured_and_what_the_test_set_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_core.training.contrastive.LocalEmbedder", LetterEmbedder)
    shown: list[float] = []
    tell = JobRun.progress
    monkeypatch.setattr(JobRun, "progress", lambda run, *told: (shown.append(told[0]), tell(run, *told)))
    project_id = own_project()
    view = freeze(project_id, "v1", measure_base=True)
    assert shown == sorted(shown)  # it never goes back
    assert (shown[-1], len(shown) > 10) == (1.0, True)
    base = view.manifest["base"]
    assert base["model"] == projects.get(project_id).base_model
    assert base["metric"] == "ndcg@10"
    assert 0 < base["test"]["ndcg@10"] < 1
    assert 1 / 12 <= view.manifest["smallest_detectable_gain"] <= 1


def test_without_a_base_model_the_freeze_succeeds_with_a_note() -> None:
    project_id = own_project()
    projects.update(project_id, base_model="missing")
    view = freeze(project_id, "v1", measure_base=True)
    assert view.manifest["smallest_detectable_gain"] is None
    assert view.manifest["base"]["note"].startswith("The model missing is not on this machine")


def test_what_a_freeze_encoded_is_not_encoded_again_by_training_and_comparison(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project_id = own_project()
    view = freeze(project_id, "v1", measure_base=True)
    split = rows.load_split(project_id, view.id)
    recipe = recipes.get("embedding")
    run = RecordedRun(tmp_path)
    run.cache = database.home() / "cache" / "vectors"

    def encoded(*_: object) -> None:
        raise AssertionError("a text was encoded again")

    # How long a question takes is timed past the cache, on a few of them.
    monkeypatch.setattr("finetune_core.evaluation.retrieval.encoding_ms", lambda *_: 1.0)
    monkeypatch.setattr("finetune_core.providers.embedder.LocalEmbedder.encode_queries", encoded)
    monkeypatch.setattr("finetune_core.providers.embedder.LocalEmbedder.encode_passages", encoded)
    base = recipe.systems(recipe.config(), None, run)["base"]
    report = recipe.evaluate(base, split.test, recipe.config(), run)
    assert recipe.metrics[recipe.headline](report.columns) == view.manifest["base"]["test"]["ndcg@10"]
    recipe.evaluate(base, split.validation, recipe.config(), run)
    with pytest.raises(AssertionError, match="encoded again"):
        recipe.evaluate(base, split.train, recipe.config(), run)


def test_two_freezes_of_the_same_pairs_at_once_are_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look before either has written; pressed twice under one name they are one job to begin with."""
    project_id = own_project()
    ids = [datasets.freeze(project_id, name, measure_base=False) for name in ("v1", " v1 ", "v2")]
    assert ids[0] == ids[1] != ids[2]
    find = rows.find
    seen: list[str] = []

    def blind(connection: object, project: str, key: str) -> rows.DatasetRow | None:
        seen.append(key)
        return None if len(seen) in (6, 7) else find(connection, project, key)  # type: ignore[arg-type]

    # The first job looks twice before it works and three times when it writes; then come the second one's first looks.
    monkeypatch.setattr(rows, "find", blind)
    run_queued_here()
    first, second = jobs.get(ids[0]), jobs.get(ids[2])
    assert (first.error, second.error) == ("", "")
    assert (first.result["is_new"], second.result["is_new"]) == (True, False)
    assert second.result["name"] == "v1"
    assert [one.name for one in datasets.listing(project_id)] == ["v1"]


def test_an_import_as_a_job_is_the_same_import(tmp_path: Path) -> None:
    project_id = projects.create("Job").id
    path = write_llamaindex(tmp_path / "a.json", {"1": ("Why?", "p")}, {"p": "Because.", "r": "Other."})
    job_id = pairs.submit_import(project_id, path, "llamaindex", "test")
    run_queued_here()
    result = jobs.get(job_id).result
    assert (result["num_pairs"], result["num_passages"], result["splits"]) == (1, 2, {"test": 1})
    with pytest.raises(JobError, match="split"):
        pairs.submit_import(project_id, path, "llamaindex", "exam")
